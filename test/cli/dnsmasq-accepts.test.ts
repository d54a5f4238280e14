/** Whatever a valid definition says, dnsmasq takes the configuration that is made from it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { QrunError } from '../../src/errors.ts';
import type { IfName } from '../../src/names.ts';
import { fixedOfAll } from '../../src/network/bridged/fixed-hosts.ts';
import { renderDnsmasq, renderDnsmasqHosts } from '../../src/network/bridged/dnsmasq.ts';
import { dhcpOptionNames } from '../../src/network/dhcp-options.ts';
import { layoutOf } from '../../src/network/layout.ts';
import { needsFile } from '../harness/needs.ts';
import { runs } from '../unit/quick.ts';
import { networkOf } from '../unit/network/network-text.ts';

const place = mkdtempSync(path.join(tmpdir(), 'qrun-dnsmasq-'));
afterAll(() => rmSync(place, { recursive: true }));

const some = <T>(arbitrary: fc.Arbitrary<T>, maxLength = 3) => fc.array(arbitrary, { maxLength });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const label = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9-]{0,8}[A-Za-z0-9])?$/);
const domain = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
const record = fc.stringMatching(/^[a-z0-9_][a-z0-9_-]{0,5}(\.[a-z0-9_]{1,6}){0,2}$/);
const plain = fc.stringMatching(/^[ !%&()*+,./0-9:;<=>?@A-Z[\]^_a-z{|}~-]{0,40}$/);
const four = fc.tuple(fc.nat(5), fc.nat(255)).map(([net, host]) => `10.${net}.0.${host}`);
const six = fc.tuple(fc.nat(5), fc.nat(0xffff)).map(([net, host]) => `fd00:${net}::${host.toString(16)}`);
const ip = fc.oneof(four, six);
const option = fc.record({
  option: fc.oneof(fc.constantFrom(...dhcpOptionNames), fc.integer({ min: 1, max: 254 })),
  value: fc.oneof(
    plain,
    four,
    fc.nat().map(String),
    some(four).map((ips) => ips.join(',')),
    fc.constantFrom(
      '0a',
      '61:62',
      '01:ff:00',
      '0a:00:00:01',
      '61',
      '0',
      '::1',
      '1.2.3',
      'infinite',
      '6',
      'tag:a',
      'option:3',
    ),
  ),
});
const hostAt = (ip: string, index: number) =>
  fc.oneof(
    fc.record({ ip: fc.constant(ip), mac: fc.constant(`52:54:00:00:00:0${index}`), name: maybe(label) }),
    fc.record({ ip: fc.constant(ip), vm: fc.constant(`vm${index}`), name: maybe(label) }),
  );

/** Networks, each with what may be written in it. */
const nets = [
  { address: '10.1.0.1/24', range: '10.1.0.50-10.1.0.90', host: '10.1.0.10' },
  { address: '10.2.0.254/16', range: '10.2.0.1-10.2.0.253', host: '10.2.255.254' },
  { address: '10.3.0.129/25', range: '10.3.0.130-10.3.0.254', host: '10.3.0.200' },
  { address: 'fd00:1::1/64', range: 'fd00:1::100-fd00:1::1ff', host: 'fd00:1::9' },
  { address: 'fd00:2::ffff/112', range: 'fd00:2::1-fd00:2::fffe', host: 'fd00:2::9' },
  { address: 'fd00:3::5/126', range: 'fd00:3::6-fd00:3::7', host: 'fd00:3::7' },
] as const;
const placed = fc.subarray([...nets]).chain((all) =>
  fc.record({
    addresses: fc.constant(all.map(({ address }) => address)),
    ranges: fc.subarray(all.map(({ range }) => range)),
    hosts: fc
      .subarray(all.map(({ host }) => host))
      .chain((ips) => fc.tuple(...ips.map((ip, index) => hostAt(ip, index)))),
  }),
);

const rest = fc.record({
  forward: fc.constantFrom('nat', 'route', 'open', 'isolated'),
  scope: fc.constant('system'),
  mtu: maybe(fc.integer({ min: 1280, max: 9000 })),
  dhcp: fc.record({
    server: maybe(fc.constantFrom('auto', 'dnsmasq')),
    lease: maybe(fc.oneof(fc.integer({ min: 60, max: 10_000 }), fc.constantFrom('2m', '12h', '7000w', 'infinite'))),
    options: some(option, 2),
    tftp: maybe(fc.record({ root: plain.map((text) => `/${text}`), file: maybe(plain) })),
  }),
  dns: fc.record({
    domain: maybe(domain),
    search: some(domain),
    hosts: some(fc.record({ ip, names: fc.array(domain, { minLength: 1, maxLength: 3 }) })),
    forwarders: some(ip, 2),
    records: fc.record({
      txt: some(fc.record({ name: record, text: plain })),
      srv: some(fc.record({ name: record, target: domain, port: fc.integer({ min: 1, max: 65_535 }) })),
    }),
  }),
});

const definition = fc.tuple(placed, rest).map(([{ addresses, ranges, hosts }, { dhcp, ...others }]) => ({
  ...others,
  addresses,
  dhcp: { ...dhcp, ranges, hosts },
}));

/** Undefined: it is no valid one. */
function configurationOf(text: string): string | undefined {
  try {
    const network = networkOf(text, { uid: 0 });
    const files = { hosts: '/x/hosts', leases: '/x/leases', pid: '/x/pid' };
    const lines = renderDnsmasq({ network, layout: layoutOf(network), bridge: 'qr-lab' as IfName, files });
    // its file of hosts is looked at later, by the same rules
    const hosts = renderDnsmasqHosts(fixedOfAll(network, [], { members: [], addresses: { web1: '10.1.0.77' } }));
    return lines + hosts.replaceAll(/^(?=.)/gm, 'dhcp-host=');
  } catch (error) {
    if (error instanceof QrunError && error.code === 'invalid-network') return undefined;
    throw error;
  }
}

test('dnsmasq --test', (context) => {
  needsFile(context, '/usr/sbin/dnsmasq');
  let valid = 0;
  const file = path.join(place, 'dnsmasq.conf');
  fc.assert(
    fc.property(definition, (written) => {
      const configuration = configurationOf(JSON.stringify(written));
      if (configuration === undefined) return;
      valid += 1;
      writeFileSync(file, configuration);
      const { status, stderr } = spawnSync('/usr/sbin/dnsmasq', ['--test', `--conf-file=${file}`], {
        encoding: 'utf8',
      });
      expect({ status, stderr, configuration }).toMatchObject({ status: 0 });
    }),
    { numRuns: runs(250) },
  );
  expect(valid).toBeGreaterThan(0);
});
