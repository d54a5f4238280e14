/** `sudo qrun net up NAME --nat CIDR …`: networks of the host's in a line, without a definition. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { infoOf, stateOf } from '../cli/a-network.ts';
import { parseDocument } from '../harness/document.ts';
import { createHome, must, ownerFor, refused } from '../harness/harness.ts';
import { createBridgedHost, everything, everythingAgain } from './a-bridged-host.ts';

test('the line of the issue: nat, ports for whoever called sudo, DHCP', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root, home } = bridged;
  const { name: user } = ownerFor(home.as);
  const sudo = createHome({ as: 'root', namespace: host.namespace, env: { ...root.env, SUDO_USER: user } });
  const before = everything(bridged);
  await must(sudo, 'net', 'up', 'lan', '--nat', '10.66.0.1/24', '-n', '8', '--dhcp');
  expect(host.made().filter((name) => name !== 'qr-lan')).toHaveLength(8);
  const macs = parseDocument('net-macs', await must(sudo, 'net', 'macs', 'lan', '--json')) as { of: string }[];
  expect(JSON.stringify(macs)).toContain('port');
  const info = await infoOf(sudo, 'lan');
  expect(info).toMatchObject({ gateway: '10.66.0.1', forward: 'nat', scope: 'system', state: 'pinned' });
  expect(info.processes.map(({ name }) => name)).toContain('dnsmasq');
  // mended by its name alone, as any; it is gone with its end
  host.must('nft flush ruleset');
  expect(await stateOf(sudo, 'lan')).toBe('broken');
  await must(sudo, 'net', 'up', 'lan');
  expect(await stateOf(sudo, 'lan')).toBe('pinned');
  // another one of its name: what is up stays, and its definition too
  const spot = path.join(root.state, 'networks', 'lan', 'lan.yaml');
  const written = readFileSync(spot, 'utf8');
  expect(await must(sudo, 'net', 'up', 'lan', '--isolated', '10.67.0.1/24')).toContain(
    'network lan is up as it was; for another: qrun net down lan, and the same again',
  );
  expect(readFileSync(spot, 'utf8')).toBe(written);
  expect(await infoOf(sudo, 'lan')).toMatchObject({ gateway: '10.66.0.1', forward: 'nat' });
  await must(sudo, 'net', 'down', 'lan');
  expect(existsSync(spot)).toBe(false);
  expect(await refused(sudo, 'net', 'up', 'lan')).toMatchObject({ status: 2 });
  expect(await everythingAgain(bridged, before)).toEqual([]);
});

test('the line of the issue by root without sudo: ports of the group that setup made, else of root alone', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const before = everything(bridged);
  const line = ['net', 'up', 'lan', '--nat', '10.66.0.1/24', '-n', '8', '--dhcp'];
  const ports = (): string[] => host.made().filter((name) => name !== 'qr-lan');
  const takers = (): string[] =>
    ports().map((name) =>
      host.must(`cat /sys/class/net/${name}/owner /sys/class/net/${name}/group`).replace(/\s+/g, ' '),
    );
  const said = await must(root, ...line);
  expect(said).toContain(
    "its ports are root's alone, for nobody else was named; for users: --owner USER or --group GROUP",
  );
  expect(ports()).toHaveLength(8);
  expect(new Set(takers())).toEqual(new Set(['0 -1 ']));
  expect(await stateOf(root, 'lan')).toBe('pinned');
  await must(root, 'net', 'up', 'lan');
  await must(root, 'net', 'down', 'lan');
  const record = {
    v: 1,
    made: [],
    entries: [{ item: { kind: 'group', name: 'daemon' }, before: {}, state: 'done' }],
  };
  writeFileSync(path.join(root.env['QRUN_HOST_DIR'] ?? '', 'setup.json'), JSON.stringify(record));
  expect(await must(root, ...line)).toContain('its ports are for the group daemon, which setup made');
  expect(new Set(takers())).toEqual(new Set(['-1 1 ']));
  await must(root, 'net', 'down', 'lan');
  // whoever is named counts
  expect(await must(root, ...line, '--owner', 'daemon')).not.toContain('its ports are');
  expect(new Set(takers())).toEqual(new Set(['1 -1 ']));
  await must(root, 'net', 'down', 'lan');
  expect(await everythingAgain(bridged, before)).toEqual([]);
});

test('route, open and isolated, with and without DHCP; two families, a domain, forwards, a group', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  const before = everything(bridged);
  const isServed = async (name: string): Promise<boolean> =>
    (await infoOf(root, name)).processes.some((one) => one.name === 'dnsmasq');
  const leases = async (name: string): Promise<boolean> =>
    (
      await root.run([
        'grep',
        '-Eqs',
        '^dhcp-range=(tag:[^,]*,)?10[.]',
        path.join(root.state, 'networks', name, 'dnsmasq.conf'),
      ])
    ).status === 0;
  const up = await must(root, 'net', 'up', 'a', '--route', '10.66.1.1/24,fd66:1::1/64', '--domain', 'a.test');
  expect(up).toContain('a is up: 10.66.1.0/24, fd66:1::/64\n');
  expect(await infoOf(root, 'a')).toMatchObject({
    forward: 'route',
    domain: 'a.test',
    routes: [expect.any(String), expect.any(String)],
  });
  expect([await isServed('a'), await leases('a')]).toEqual([true, false]);
  await must(root, 'net', 'up', 'b', '--route', '10.66.2.1/24', '--dhcp');
  expect([await isServed('b'), await leases('b')]).toEqual([true, true]);
  await must(root, 'net', 'up', 'c', '--open', '10.66.3.1/24');
  expect(await isServed('c')).toBe(false);
  await must(root, 'net', 'up', 'd', '--open', '10.66.4.1/24', '--dhcp');
  expect([await isServed('d'), await leases('d')]).toEqual([true, true]);
  await must(
    root,
    'net',
    'up',
    'e',
    '--isolated',
    '10.66.5.1/24',
    '--forward',
    '8080:10.66.5.9:80',
    '--forward',
    'auto:10.66.5.9:22',
    '-n',
    '1',
    '--group',
    'daemon',
  );
  expect((await infoOf(root, 'e')).forwards).toHaveLength(2);
  expect([await isServed('e'), await leases('e')]).toEqual([true, true]);
  // that of IPv4 follows from the name, and is said
  expect(await must(root, 'net', 'up', 'f', '--isolated', 'fd66:6::1/64')).toMatch(
    /f is up: 10\.\d+\.\d+\.0\/24, fd66:6::\/64\n/,
  );
  await must(root, 'net', 'down', 'a', 'b', 'c', 'd', 'e', 'f');
  expect(await everythingAgain(bridged, before)).toEqual([]);
});

test('what is refused leaves nothing, and says what is wrong', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const before = everything(bridged);
  host.must('ip route add 10.77.0.0/16 dev v0');
  for (const [status, why, ...words] of [
    [2, /its mode is missing[^]*qrun net up lan --nat/, '-n', '8'],
    [2, /its mode is missing/, '--dhcp'],
    [2, /its mode is missing/, '--domain', 'a.test'],
    [2, /one network is made on the spot, not several/, 'lan2', '--nat', '10.66.0.1/24'],
    [2, /nat.*open|open.*nat/, '--nat', '10.66.0.1/24', '--open', '10.66.0.1/24'],
    [2, /owner.*group|group.*owner/, '--nat', '10.66.0.1/24', '-n', '1', '--owner', 'daemon', '--group', 'daemon'],
    [2, /--owner: owner says who may take ports: write -n too/, '--nat', '10.66.0.1/24', '--owner', 'daemon'],
    [2, /--nat 10\.66\.0\.0\/24: .*10\.66\.0\.0 is the network itself/, '--nat', '10.66.0.0/24'],
    [2, /no address with a prefix/, '--route', '10.66.0.1'],
    [2, /--route wants a value/, '--route', ''],
    [2, /IPv6 in brackets|write \[::\]:80/, '--nat', '10.66.0.1/24', '--forward', ':::80:web1:80'],
    [2, /10\.9\.9\.9 does not lie in/, '--nat', '10.66.0.1/24', '--forward', '80:10.9.9.9:80'],
    [2, /257/, '--nat', '10.66.0.1/24', '-n', '257', '--owner', 'daemon'],
    [
      4,
      /10\.77\.1\.0\/24 overlaps with 10\.77\.0\.0\/16[^]*write other addresses, such as --nat 10\./,
      '--nat',
      '10.77.1.1/24',
    ],
  ] as const) {
    const found = await refused(root, 'net', 'up', 'lan', ...words);
    expect({ words, ...found }).toEqual({ words, status, stderr: expect.stringMatching(why) });
    expect(found.stderr).not.toContain('lan.yaml');
    expect(existsSync(path.join(root.state, 'networks', 'lan', 'lan.yaml'))).toBe(false);
  }
  host.must('ip route del 10.77.0.0/16 dev v0');
  root.network('lan', 'forward: nat\n');
  expect(await refused(root, 'net', 'up', 'lan', '--nat', '10.66.0.1/24')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('network lan is defined in'),
  });
  expect(await everythingAgain(bridged, before)).toEqual([]);
});

test('a definition that is nowhere defined, by its path', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  const before = everything(bridged);
  const file = root.write('lan9.yaml', 'forward: isolated\naddresses: [10.66.9.1/24]\n');
  expect(await must(root, 'net', 'up', file)).toContain('lan9 is up: 10.66.9.0/24');
  const rows = parseDocument('net-ls', await must(root, 'net', 'ls', '--json')) as { name: string }[];
  expect(rows.find(({ name }) => name === 'lan9')).toMatchObject({ state: 'pinned', file: null, forward: 'isolated' });
  expect(await infoOf(root, 'lan9')).toMatchObject({ file, state: 'pinned' });
  await must(root, 'net', 'down', file);
  expect(await refused(root, 'net', 'up', 'lan9')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('no network lan9'),
  });
  expect(await everythingAgain(bridged, before)).toEqual([]);
});
