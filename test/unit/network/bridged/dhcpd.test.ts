import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseDhcpdLeases, renderDhcpd } from '../../../../src/network/bridged/dhcpd.ts';
import type { FixedHost } from '../../../../src/network/bridged/dnsmasq.ts';
import { dhcpOptionNames, encodeDhcpOption } from '../../../../src/network/dhcp-options.ts';
import { layoutOf } from '../../../../src/network/layout.ts';
import { needsFile } from '../../../harness/needs.ts';
import { planOf } from '../a-plan.ts';
import { networkOf, saidOf } from '../network-text.ts';

const place = mkdtempSync(path.join(tmpdir(), 'qrun-dhcpd-'));
afterAll(() => rmSync(place, { recursive: true }));

function linesOf(text: string, fixed: readonly FixedHost[] = []): string[] {
  const network = networkOf(text, { uid: 0 });
  return renderDhcpd({ network, layout: layoutOf(network), fixed })
    .trimEnd()
    .split('\n');
}

test('an address that is somebody’s is in no range, and those of MACs are given', () => {
  const lines = linesOf(
    'addresses: [10.1.1.1/24]\ndhcp: { server: dhcpd, ranges: [10.1.1.50-10.1.1.54, 10.1.1.60-10.1.1.60] }',
    [
      { mac: '52:54:00:00:00:01', ip: '10.1.1.50', name: 'db' },
      { mac: 'id:qrun-x', ip: '10.1.1.52' },
      { mac: '52:54:00:00:00:02', ip: '10.1.1.52', name: 'late' },
      { mac: '52:54:00:00:00:03', ip: '10.1.1.60', name: 'a"; b' },
      { mac: '52:54:00:00:00:04', ip: 'fd00::1' },
    ],
  );
  expect(lines.filter((line) => /^(range|host)/.test(line))).toEqual([
    'range 10.1.1.51 10.1.1.51;',
    'range 10.1.1.53 10.1.1.54;',
    'host h0 { hardware ethernet 52:54:00:00:00:01; fixed-address 10.1.1.50; option host-name "db"; }',
    'host h3 { hardware ethernet 52:54:00:00:00:03; fixed-address 10.1.1.60; }',
  ]);
});

test('times: the longest is a day, or the lease where that is longer', () => {
  const timesOf = (dhcp: string) =>
    linesOf(`addresses: [10.1.1.1/24]\ndhcp: { server: dhcpd, ${dhcp} }`).filter((line) => /lease-time/.test(line));
  expect(timesOf('lease: 1m')).toEqual(['min-lease-time 60;', 'default-lease-time 60;', 'max-lease-time 86400;']);
  expect(timesOf('lease: infinite')[2]).toBe('max-lease-time 4294967295;');
  expect(timesOf('lease: 1h, maxLease: 2h')[2]).toBe('max-lease-time 7200;');
});

test('an isolated network has no gateway; one by an option is told instead of its own', () => {
  const routers = (text: string) =>
    linesOf(text).filter((line) => /routers|qrun-3 [^c]|name-servers|qrun-6 [^c]/.test(line));
  expect(routers('forward: isolated\naddresses: [10.1.1.1/24]\ndhcp: { server: dhcpd }')).toEqual([
    'option domain-name-servers 10.1.1.1;',
  ]);
  const options = '[{ option: router, value: 10.1.1.9 }, { option: 6, value: 10.1.1.8 }]';
  expect(routers(`addresses: [10.1.1.1/24]\ndhcp: { server: dhcpd, options: ${options} }`)).toEqual([
    'option qrun-3 0a:01:01:09;',
    'option qrun-6 0a:01:01:08;',
  ]);
});

test('what is of IPv6 is refused', () => {
  const text =
    'scope: system\naddresses: [10.1.1.1/24, "fd00::1/64"]\ndhcp: { server: dhcpd, hosts: [{ vm: a, ip: "fd00::9" }] }';
  expect(saidOf(text, { uid: 0 })).toEqual([expect.stringContaining('dhcp.hosts[0].ip: fd00::9 is of IPv6')]);
});

test('more addresses than it can have a record of are refused', () => {
  const said = (addresses: string, ranges: string) =>
    saidOf(`scope: system\naddresses: [${addresses}]\ndhcp: { server: dhcpd${ranges} }`, { uid: 0 });
  expect(said('10.0.0.1/15', '')).toEqual([expect.stringMatching(/addresses\[0\]: 10\.0\.0\.1\/15: .*"dhcp\.ranges"/)]);
  const two = ', ranges: [10.0.1.0-10.0.200.255, 10.0.201.0-10.1.255.254]';
  expect(said('10.0.0.1/8', two)).toEqual([expect.stringContaining('dhcp.ranges: 130815 addresses: dhcpd makes')]);
  expect(said('10.0.0.1/8', ', ranges: [10.0.1.0-10.0.255.255]')).toEqual([]);
  expect(said('10.0.0.1/16', '')).toEqual([]);
});

test('without dhcpd, what to install is said', () => {
  const ports = { host: '/host', state: '/state', macs: [], rights: true, registry: false, udev: false, ipv6: true };
  const facts = { tools: { nft: '/nft', dnsmasq: '/dnsmasq' }, ports };
  const plan = () => planOf('addresses: [10.1.1.1/24]\ndhcp: { server: dhcpd }', { uid: 0, facts });
  expect(plan).toThrow(expect.objectContaining({ code: 'missing-tool', hint: 'sudo apt-get install isc-dhcp-server' }));
});

test('dhcpd -t: it takes every option, several networks, names', (context) => {
  needsFile(context, '/usr/sbin/dhcpd');
  const sample = (option: string) =>
    ['10.1.1.7', '40', 'a, b'].find((value) => 'value' in encodeDhcpOption({ option, value })) ?? '';
  const byNumber = [5, 8, 33, 43, 64, 121, 150, 224, 254].map((option) => ({ option, value: '01:ff' }));
  const options = [...dhcpOptionNames.map((option) => ({ option, value: sample(option) })), ...byNumber];
  const lines = linesOf(
    JSON.stringify({
      addresses: ['10.1.1.1/24', '10.2.0.1/16', 'fd00::1/64'],
      mtu: 1400,
      dhcp: {
        server: 'dhcpd',
        options,
        ranges: ['10.2.0.5-10.2.9.0'],
        lease: 'infinite',
        tftp: { root: '/srv', file: 'a, b; c' },
      },
      dns: { domain: 'lan0.test', search: ['a.test', 'b.test'] },
    }),
    [{ mac: '52:54:00:00:00:01', ip: '10.2.3.4', name: 'db' }],
  );
  const file = path.join(place, 'dhcpd.conf');
  writeFileSync(file, lines.join('\n'));
  const { status, stderr } = spawnSync('/usr/sbin/dhcpd', ['-t', '-4', '-cf', file, '-lf', '/dev/null'], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toMatchObject({ status: 0 });
});

test('36: what is more than a line is written nowhere', () => {
  const network = networkOf('addresses: [10.1.1.1/24]\ndhcp: { server: dhcpd }', { uid: 0 });
  const hostile = { ...network, dns: { ...network.dns, domain: 'a"; }\nexecute("x")' } };
  expect(() => renderDhcpd({ network: hostile, layout: layoutOf(network), fixed: [] })).toThrow('more than a line');
});

test('leases: the last word on an address counts; what is not active is none', () => {
  const lease = (ip: string, body: string) => `lease ${ip} {\n${body}}\n`;
  const one =
    '  starts 4 2026/11/19 20:13:00;\n  ends 4 2026/11/19 21:13:00;\n  binding state active;\n  hardware ethernet 52:54:00:00:00:01;\n';
  const text = [
    'authoring-byte-order little-endian;\n\nserver-duid "\\000";\n',
    lease('10.1.1.50', one),
    lease('10.1.1.51', one.replace('00:01;', '00:02;').replace('21:13:00', '20:14:00')),
    lease('10.1.1.51', `${one.replace('00:01;', '00:02;')}  client-hostname "laptop";\n`),
    lease('10.1.1.52', one),
    lease('10.1.1.52', one.replace('active', 'free')),
    lease('10.1.1.53', one.replace(/ends .*;/, 'ends never;').replace('00:01;', '00:03;')),
    'lease 10.1.1.54 {\n  ends 4 2026/11',
  ].join('');
  const expires = Date.parse('2026-11-19T21:13:00Z') / 1000;
  expect(parseDhcpdLeases(text)).toEqual([
    { mac: '52:54:00:00:00:01', ip: '10.1.1.50', expires },
    { mac: '52:54:00:00:00:02', ip: '10.1.1.51', expires, hostName: 'laptop' },
    { mac: '52:54:00:00:00:03', ip: '10.1.1.53', expires: 0xff_ff_ff_ff },
  ]);
});
