/** ISC dhcpd in the place of dnsmasq: the same definition, the same answers, as far as it goes. */
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { must, needsFile, refused, waitUntil, type Home } from '../harness/harness.ts';
import { detach, rowOf, still } from '../cli/a-vm.ts';
import { networkProcesses } from '../cli/a-network.ts';
import { everything } from './a-bridged-host.ts';
import { createLeaseHost, silent } from './a-lease-host.ts';

const macOf = (number: number): string => `52:54:00:00:02:0${number}`;
const hexOf = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const hexOfIp = (ip: string): string => Buffer.from(ip.split('.').map(Number)).toString('hex');

const pidsOf = (root: Home, name: string): number[] =>
  networkProcesses(root).flatMap(({ pid, program, keeper }) => (program === name && !keeper ? [pid] : []));

/** Gone meanwhile: none. */
function linkOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return '';
  }
}

test('dhcpd hands out addresses, and dnsmasq answers names', async (context) => {
  needsFile(context, '/usr/sbin/dhcpd');
  const lease = await createLeaseHost(context);
  const { host, root, out, join } = lease;
  const boot = path.join(host.namespace.dir, 'boot');
  mkdirSync(boot);
  writeFileSync(path.join(boot, 'pxe.0'), 'boot me');
  root.network(
    'lan0',
    `
addresses: [10.10.120.1/24, "fd00:120::1/64"]
mtu: 1400
dhcp:
  server: dhcpd
  ranges: [10.10.120.50-10.10.120.55]
  lease: 1m
  maxLease: 5m
  hosts:
    - { mac: "${macOf(1)}", ip: 10.10.120.52, name: db }
    - { vm: web9, ip: 10.10.120.55 }
  options:
    - { option: ntp-server, value: "10.10.120.7, 10.10.120.8" }
    - { option: default-ttl, value: "40" }
    - { option: root-path, value: "a, b; c" }
    - { option: 224, value: "01:ff:00" }
  tftp: { root: "${boot}", file: pxe.0 }
dns: { domain: lan0.test, search: [example.test], hosts: [{ ip: 10.10.120.1, names: [gw] }] }
`,
  );
  root.profile('web1', `${still}nics: [{ kind: network, network: lan0, mac: "${macOf(4)}" }]\n`);
  const before = everything(lease);
  await must(root, 'net', 'up', 'lan0');
  const guest = await join('qr-lan0', ['10.10.120.240/24', 'fd00:120::240/64'], macOf(1));
  const first = await guest.dhcp({ mac: macOf(1), wants: [1, 3, 6, 12, 15, 119] });
  expect(first).toMatchObject({ ip: '10.10.120.52', next: '10.10.120.1', file: 'pxe.0' });
  expect(first?.options).toMatchObject({
    1: hexOfIp('255.255.255.0'),
    3: hexOfIp('10.10.120.1'),
    6: hexOfIp('10.10.120.1'),
    12: hexOf('db'),
    15: hexOf('lan0.test'),
    119: `046c616e30047465737400${'07'}${hexOf('example')}c005`,
    // nobody asked for these
    17: hexOf('a, b; c'),
    23: '28',
    26: '0578',
    42: hexOfIp('10.10.120.7') + hexOfIp('10.10.120.8'),
    224: '01ff00',
  });
  expect((await guest.dhcp({ mac: macOf(2) }))?.options[51]).toBe('0000003c');
  expect((await guest.dhcp({ mac: macOf(2), leaseS: 86_400, hostName: 'laptop' }))?.options[51]).toBe('0000012c');
  expect(await guest.tftp('10.10.120.1', 'pxe.0')).toEqual({ data: 'boot me' });
  for (const [name, ip] of [
    ['gw.lan0.test', '10.10.120.1'],
    ['db.lan0.test', '10.10.120.52'],
  ] as const)
    expect(await guest.resolve('10.10.120.1', name)).toBe(ip);
  const second = await guest.address(macOf(2));
  const rows = JSON.parse(await must(root, 'net', 'leases', 'lan0', '--json')) as object[];
  expect(rows).toEqual([expect.objectContaining({ mac: macOf(2), ip: second, hostName: 'laptop', vm: null })]);
  // what dhcpd has no record of is told of whom the host has met, and who is on the network
  guest.must('ip address add 10.10.120.52/24 dev eth0');
  guest.must('ping -c 1 -W 30 -I 10.10.120.52 10.10.120.1');
  const known = { fixed: true, expires: null };
  expect(JSON.parse(await must(root, 'net', 'leases', 'lan0', '--json'))).toContainEqual(
    expect.objectContaining({ mac: macOf(1), ip: '10.10.120.52', hostName: 'db', vm: null, ...known }),
  );
  expect(await must(root, 'net', 'leases', 'lan0')).toMatch(/10\.10\.120\.52 .* fixed/);
  // a VM that joins gets its own, and is known by its name; nobody gets that of one that is away
  await detach(root, 'web1');
  const [nic] = (await rowOf(root, 'web1')).nics as unknown as { ips: string[] }[];
  const one = await guest.address(macOf(4));
  expect(nic?.ips).toEqual([one]);
  expect(JSON.parse(await must(root, 'net', 'leases', 'lan0', '--json'))).toContainEqual(
    expect.objectContaining({ mac: macOf(4), ip: one, vm: 'web1', nic: 'net0', ...known }),
  );
  expect(await guest.resolve('10.10.120.1', 'web1.lan0.test')).toBe(one);
  await must(root, 'kill', 'web1');
  const given = [second, one, '10.10.120.52', '10.10.120.55'];
  for (const number of [5, 6]) {
    const ip = await guest.address(macOf(number), { requested: one });
    expect(given).not.toContain(ip);
    given.push(ip);
  }
  expect(await guest.address(macOf(7), silent)).toBe('none');
  // killed, it comes again and has forgotten nothing
  const [pid = 0] = pidsOf(root, 'dhcpd');
  process.kill(pid, 'SIGKILL');
  expect(
    await waitUntil(
      () => networkProcesses(root).some((p) => p.program === 'dhcpd' && !p.keeper && p.pid !== pid),
      60_000,
    ),
  ).toBe(true);
  expect(await guest.address(macOf(2))).toBe(second);
  // what dnsmasq keeps of IPv6 is in a file of the network's own
  const files = pidsOf(root, 'dnsmasq').flatMap((one) => readdirSync(`/proc/${one}/fd`).map((fd) => linkOf(one, fd)));
  expect(files.filter((file) => file.endsWith('.leases'))).toEqual([
    path.join(root.state, 'networks/lan0/dnsmasq.leases'),
  ]);
  // on its own bridge alone, beside others of its kind and of the other
  const outside = [out.address(macOf(8), silent), out.address6(macOf(8), silent)];
  expect(await Promise.all(outside)).toEqual(['none', 'none']);
  root.network('lan1', 'addresses: [10.10.121.1/24]\ndhcp: { server: dhcpd, ranges: [10.10.121.7-10.10.121.7] }\n');
  root.network('lan2', 'addresses: [10.10.122.1/24]\ndhcp: { ranges: [10.10.122.7-10.10.122.7] }\n');
  for (const [name, ip] of [
    ['lan1', '10.10.121.7'],
    ['lan2', '10.10.122.7'],
  ] as const) {
    await must(root, 'net', 'up', name);
    const other = await join(`qr-${name}`);
    expect(await other.address(macOf(1))).toBe(ip);
  }
  for (const name of ['lan1', 'lan2']) await must(root, 'net', 'down', name);
  for (const name of ['g2', 'g3']) host.must(`ip link del ${name}`);
  // the bridge is made again, and it with it
  host.must('ip link del qr-lan0');
  await must(root, 'net', 'up', 'lan0');
  host.must('ip link set g1 master qr-lan0');
  expect(await guest.address(macOf(2))).toBe(second);
  host.must('ip link del g1');
  await must(root, 'net', 'down', 'lan0');
  expect(everything(lease)).toEqual(before);
});

test('guests that come one after the other: dhcpd answers again at once each time, and has forgotten nothing', async (context) => {
  needsFile(context, '/usr/sbin/dhcpd');
  const { root, join } = await createLeaseHost(context);
  root.network('lan0', 'addresses: [10.10.120.1/24]\ndhcp: { server: dhcpd }\n');
  const nics = [1, 2, 3, 4, 5, 6].map((one) => `{ kind: network, network: lan0, mac: "${macOf(one)}" }`);
  root.profile('web1', `${still}nics: [${nics.join(', ')}]\n`);
  await must(root, 'net', 'up', 'lan0');
  const guest = await join('qr-lan0', ['10.10.120.240/24']);
  const mine = await guest.address(macOf(9), { hostName: 'laptop' });
  await detach(root, 'web1');
  const soon = { retryMs: 150 };
  expect((await guest.dhcp({ mac: macOf(9), renews: mine, ...soon }))?.ip).toBe(mine);
  // six times: what ends by itself at once again and again would be kept from it for seconds
  expect(readFileSync(path.join(root.state, 'networks/lan0/log'), 'utf8')).not.toContain('is started again');
  const own = (await rowOf(root, 'web1')).nics as unknown as { mac: string; ips: string[] }[];
  expect(own.map(({ ips }) => ips.length)).toEqual([1, 1, 1, 1, 1, 1]);
  for (const { mac, ips } of own) expect(await guest.address(mac, soon)).toBe(ips[0]);
  const rows = JSON.parse(await must(root, 'net', 'leases', 'lan0', '--json')) as { ip: string; hostName: string }[];
  expect(rows).toContainEqual(expect.objectContaining({ ip: mine, hostName: 'laptop', fixed: false }));
  expect(rows).toHaveLength(7);
  await must(root, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
});

test('what it cannot honour is refused', async (context) => {
  const { root } = await createLeaseHost(context);
  root.network(
    'lan0',
    `addresses: [10.10.120.1/24, "fd00:120::1/64"]\ndhcp: { server: dhcpd, ranges: ["fd00:120::5-fd00:120::9"], hosts: [{ vm: a, ip: "fd00:120::7" }] }\n`,
  );
  const { status, stderr } = await refused(root, 'net', 'up', 'lan0');
  expect(status).toBe(2);
  expect(stderr).toContain('dhcp.ranges[0]: fd00:120::5-fd00:120::9 is of IPv6');
  expect(stderr).toContain('dhcp.hosts[0].ip: fd00:120::7 is of IPv6');
});
