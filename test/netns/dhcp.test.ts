/** What dnsmasq tells guests of a network, over the wire: addresses, options, names, IPv6, network boot. In networks of the test's own. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { must, waitUntil } from '../harness/harness.ts';
import { dhcpOptionNames, encodeDhcpOption, type DhcpOption } from '../../src/network/dhcp-options.ts';
import { networkProcesses } from '../cli/a-network.ts';
import { detach, still } from '../cli/a-vm.ts';
import { hostDir, textOf } from './a-bridged-host.ts';
import { createLeaseHost, silent, type LeaseHost } from './a-lease-host.ts';

const macOf = (number: number): string => `52:54:00:00:01:${number.toString(16).padStart(2, '0')}`;
const hexOf = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const hexOfIp = (ip: string): string => Buffer.from(ip.split('.').map(Number)).toString('hex');
const pidOf = ({ root }: LeaseHost, program: string): number =>
  networkProcesses(root).find((one) => one.program === program && !one.keeper)?.pid ?? 0;

const isFine = (option: string, value: string): boolean => 'value' in encodeDhcpOption({ option, value });

/** One of each name that there is, and of each kind by number. */
const options = [
  ...dhcpOptionNames
    .filter((name) => name !== 'dns-server')
    .map((option) => ({
      option,
      value: ['10.10.120.7, 10.10.120.8', '40'].find((value) => isFine(option, value)) ?? '',
    })),
  { option: '64', value: 'nis.test' },
  { option: '224', value: 'a, b; c=d' },
  { option: '225', value: '01:ff:00' },
  { option: '226', value: '10.10.120.9' },
  { option: '227', value: 'x' },
  { option: '228', value: '7' },
  { option: '229', value: '1.5' },
  { option: '33', value: '10.99.0.1,10.10.120.9' },
  { option: '121', value: '18:0a:63:00:0a:0a:78:09' },
];

function bytesOf(option: DhcpOption): readonly [number, string] {
  const encoded = encodeDhcpOption(option);
  if ('fault' in encoded) throw new Error(encoded.fault);
  return [encoded.value.code, encoded.value.hex];
}

test('addresses: ranges, fixed ones by MAC, one that is kept for a VM, lease time, all kinds of options', async (context) => {
  const lease = await createLeaseHost(context);
  const { host, root, join } = lease;
  const boot = path.join(host.namespace.dir, 'boot, #1');
  mkdirSync(boot);
  writeFileSync(path.join(boot, 'pxe.0'), 'boot me');
  root.network(
    'lan0',
    `
addresses: [10.10.120.1/24]
mtu: 1400
dhcp:
  ranges: [10.10.120.50-10.10.120.52, 10.10.120.60-10.10.120.61]
  lease: 5m
  hosts:
    - { mac: "${macOf(1)}", ip: 10.10.120.51, name: db }
    - { mac: "${macOf(2)}", ip: 10.10.120.200 }
    - { vm: web9, ip: 10.10.120.61 }
  options: ${JSON.stringify(options)}
  tftp: { root: "${boot}", file: pxe.0 }
dns: { domain: lan0.test, search: [example.test] }
`,
  );
  root.profile('web1', `${still}nics: [{ kind: network, network: lan0 }]\n`);
  await must(root, 'net', 'up', 'lan0');
  // a VM that was on it once has its address for ever
  await detach(root, 'web1');
  await must(root, 'kill', 'web1');
  const book = JSON.parse(textOf(path.join(root.state, 'networks/lan0/addresses.json'))) as {
    addresses: Record<string, { ip: string }>;
  };
  const kept = book.addresses['web1']?.ip ?? '';
  expect(kept).toMatch(/^10\.10\.120\.(50|52|60)$/);
  const guest = await join('qr-lan0', ['10.10.120.240/24']);

  const first = await guest.dhcp({ mac: macOf(1), wants: [1, 6, 12, 26, 28] });
  expect(first?.ip).toBe('10.10.120.51');
  expect(first?.options).toMatchObject({
    1: hexOfIp('255.255.255.0'),
    6: hexOfIp('10.10.120.1'),
    12: hexOf('db'),
    26: '0578',
    51: '0000012c',
    54: hexOfIp('10.10.120.1'),
    ...Object.fromEntries(options.map((option) => bytesOf(option))),
  });
  const named = await guest.dhcp({ mac: macOf(1), wants: [15, 119] });
  expect(named?.options).toMatchObject({
    15: hexOf('lan0.test'),
    119: `046c616e30047465737400${'07'}${hexOf('example')}c005`,
  });
  expect([named?.next, named?.file]).toEqual(['10.10.120.1', 'pxe.0']);
  expect(await guest.tftp('10.10.120.1', 'pxe.0')).toEqual({ data: 'boot me' });
  expect(await guest.tftp('10.10.120.1', '../resolv.conf')).toEqual({ error: expect.any(Number) });

  expect(await guest.address(macOf(2))).toBe('10.10.120.200');
  // of five in the ranges one is db's, one web9's and one web1's, who is not there
  const given = [await guest.address(macOf(3)), await guest.address(macOf(4), { requested: kept })];
  expect(new Set(given)).toEqual(new Set(['10.10.120.50', '10.10.120.52', '10.10.120.60'].filter((ip) => ip !== kept)));
  expect(await guest.address(macOf(5), { ...silent })).toBe('none');
  // nobody was asked whether it has the address
  expect(host.must('ip neigh show dev qr-lan0')).not.toMatch(/10\.10\.120\.5[0-9]|10\.10\.120\.6[0-9]/);
  // no longer than the network says, whatever is asked for
  expect((await guest.dhcp({ mac: macOf(3), leaseS: 86_400 }))?.options[51]).toBe('0000012c');
  const rows = JSON.parse(await must(root, 'net', 'leases', 'lan0', '--json')) as { mac: string; ip: string }[];
  expect(new Set(rows.map(({ mac, ip }) => `${mac} ${ip}`))).toEqual(
    new Set([
      `${macOf(1)} 10.10.120.51`,
      `${macOf(2)} 10.10.120.200`,
      ...given.map((ip, index) => `${macOf(3 + index)} ${ip}`),
    ]),
  );
  // nor is it given away by a run that has not seen any VM
  await must(root, 'net', 'down', 'lan0');
  await must(root, 'net', 'up', 'lan0');
  host.must('ip link set g1 master qr-lan0');
  expect(await guest.address(macOf(3))).toBe(given[0]);
  expect(await guest.address(macOf(5), { requested: kept, ...silent })).toBe('none');
  await must(root, 'net', 'down', 'lan0');
});

test('names: hosts with and without the domain, records, guests, who asks for the rest; by IPv6 too', async (context) => {
  const { root, out, join, host } = await createLeaseHost(context);
  root.network(
    'lan0',
    `
addresses: [10.10.120.1/24, "fd00:120::1/64"]
dhcp: { hosts: [{ mac: "${macOf(1)}", ip: 10.10.120.51, name: db }] }
dns:
  domain: lan0.test
  hosts: [{ ip: 10.10.120.1, names: [gw, other.example.test] }, { ip: "fd00:120::1", names: [gw] }]
  records:
    txt: [{ name: note, text: "a, b; c" }]
    srv: [{ name: _ldap._tcp, target: db, port: 389 }]
`,
  );
  root.network('lan1', 'addresses: [10.10.121.1/24]\ndns: { forwarders: ["fd92::2"] }\n');
  root.network(
    'lan2',
    'forward: isolated\naddresses: [10.10.122.1/24, "fd00:122::1/64"]\ndns: { domain: lan2.test }\n',
  );
  await must(root, 'net', 'up', 'lan0');
  await must(root, 'net', 'up', 'lan1');
  await must(root, 'net', 'up', 'lan2');
  const guest = await join('qr-lan0', ['10.10.120.240/24', 'fd00:120::240/64']);
  guest.must('ip route add default via 10.10.120.1');
  for (const server of ['10.10.120.1', 'fd00:120::1']) {
    expect(await guest.resolve(server, 'gw.lan0.test')).toBe('10.10.120.1');
    expect(await guest.resolve(server, 'gw')).toBe('10.10.120.1');
    expect(await guest.resolve(server, 'gw.lan0.test', 'AAAA')).toBe('fd000120000000000000000000000001');
    expect(await guest.resolve(server, 'other.example.test')).toBe('10.10.120.1');
    expect(await guest.resolve(server, 'note', 'TXT')).toBe('a, b; c');
    expect(await guest.resolve(server, 'note.lan0.test', 'TXT')).toBe('a, b; c');
    expect(await guest.resolve(server, '_ldap._tcp.lan0.test', 'SRV')).toBe('db.lan0.test:389');
    // the domain is its own: nobody else is asked
    expect(await guest.resolve(server, 'nobody.lan0.test')).toBe('code 3');
  }
  expect(await guest.resolve('10.10.120.1', '1.120.10.10.in-addr.arpa', 'PTR')).toBe('gw.lan0.test');
  expect(await guest.address(macOf(1))).toBe('10.10.120.51');
  expect(await guest.resolve('fd00:120::1', 'db.lan0.test')).toBe('10.10.120.51');
  const ip = await guest.address(macOf(7), { hostName: 'Laptop' });
  expect(await guest.resolve('10.10.120.1', 'laptop.lan0.test')).toBe(ip);
  expect(await out.asked()).toBe(0);
  // by way of the host's own name server, and by that of the definition
  expect(await guest.resolve('10.10.120.1', 'www.example.org')).toBe('198.51.100.7');
  const other = await join('qr-lan1', ['10.10.121.240/24']);
  expect(await other.resolve('10.10.121.1', 'www.example.org')).toBe('198.51.100.7');
  const asked = await out.asked();
  expect(asked).toBe(2);
  // ABUSE 41: an isolated network resolves nothing from outside
  const alone = await join('qr-lan2', ['10.10.122.240/24']);
  expect(await alone.resolve('10.10.122.1', 'www.example.org')).toMatch(/^code [35]$/);
  expect(await alone.resolve('10.10.122.1', 'db.lan0.test')).toMatch(/^code [35]$/);
  const told = await alone.dhcp({ mac: macOf(9) });
  expect(told?.options).toMatchObject({ 1: hexOfIp('255.255.255.0'), 6: hexOfIp('10.10.122.1') });
  expect(Object.keys(told?.options ?? {})).not.toContain('3');
  // its prefix is told, and no way out
  const own = () => alone.must('ip -6 address show dev eth0 dynamic');
  expect(await waitUntil(() => own().includes('fd00:122::'), 60_000)).toBe(true);
  expect(alone.must('ip -6 route show default')).toBe('');
  expect(await out.asked()).toBe(asked);
  // ABUSE 41: it answers on its own bridge alone
  out.must('ip route add 10.10.120.0/24 via 192.0.2.1');
  out.must('ip route add fd00:120::/64 via fd92::1');
  const answers = [
    out.dns('192.0.2.1', 'gw.lan0.test', silent),
    out.dns('fd92::1', 'gw.lan0.test', silent),
    out.dns('10.10.120.1', 'gw.lan0.test', silent),
    guest.dns('192.0.2.1', 'gw.lan0.test', silent),
    guest.dns('10.10.121.1', 'gw.lan0.test', silent),
    out.dhcp({ mac: macOf(8), ...silent }),
    out.dhcp6({ mac: macOf(8), addresses: true, ...silent }),
    out.dhcp6({ mac: macOf(8), addresses: false, ...silent }),
    out.dns('fd00:120::1', 'gw.lan0.test', silent),
  ];
  expect(await Promise.all(answers)).toEqual(answers.map(() => null));
  expect(host.must('ss -Hlnu sport = :53')).not.toMatch(/(0\.0\.0\.0|\*|\[::\]|127\.0\.0\.1|192\.0\.2\.1):53/);
  // nor does it tell anybody there that it is a router
  expect(out.must('ip -6 route show default')).toBe('');
  for (const name of ['lan0', 'lan1', 'lan2']) await must(root, 'net', 'down', name);
});

test('IPv6: prefixes are advertised, ranges and fixed addresses come by DHCPv6, with the name server', async (context) => {
  const { host, root, join } = await createLeaseHost(context);
  root.network(
    'lan0',
    `
addresses: ["fd00:120::1/64", "fd00:121::1/64", 10.10.120.1/24]
mtu: 1400
dhcp: { ranges: ["fd00:121::100-fd00:121::1ff"], hosts: [{ mac: "${macOf(1)}", ip: "fd00:121::9", name: db }] }
dns: { domain: lan0.test }
`,
  );
  root.network(
    'lan1',
    `addresses: ["fd00:122::1/64", 10.10.122.1/24]\ndhcp: { hosts: [{ mac: "${macOf(1)}", ip: "fd00:122::9" }, { mac: "${macOf(1)}", ip: 10.10.122.9 }] }\n`,
  );
  await must(root, 'net', 'up', 'lan0');
  await must(root, 'net', 'up', 'lan1');
  const guest = await join('qr-lan0', [], macOf(1));
  const seen = () => guest.must('ip -6 address show dev eth0 dynamic') + guest.must('ip -6 route show default');
  expect(await waitUntil(() => seen().includes('fd00:120::') && seen().includes('default via fe80'), 60_000)).toBe(
    true,
  );
  expect(seen()).not.toContain('fd00:121::');
  expect(guest.must('ip -6 route show default')).toContain('proto ra');
  // ports of other sizes change nothing
  expect(host.row('qr-lan0')?.mtu).toBe(1400);
  expect(guest.must('sysctl -n net.ipv6.conf.eth0.mtu').trim()).toBe('1400');
  const stateless = await guest.dhcp6({ mac: macOf(3), addresses: false });
  expect(stateless?.options).toMatchObject({
    24: `04${hexOf('lan0')}04${hexOf('test')}00`,
    23: expect.stringMatching(/^fd00012[01]0{22}01/),
  });
  expect((await guest.dhcp6({ mac: macOf(1), addresses: true }))?.addresses).toEqual([
    'fd000121000000000000000000000009',
  ]);
  const another = await join('qr-lan0', [], macOf(2));
  expect((await another.dhcp6({ mac: macOf(2), addresses: true }))?.addresses).toEqual([
    expect.stringMatching(/^fd0001210{21}1[0-9a-f]{2}$/),
  ]);
  expect(await guest.resolve('fd00:120::1', 'db.lan0.test', 'AAAA')).toBe('fd000121000000000000000000000009');

  const other = await join('qr-lan1', [], macOf(1));
  const mine = () => other.must('ip -6 address show dev eth0 dynamic');
  expect(await waitUntil(() => mine().includes('fd00:122::'), 60_000)).toBe(true);
  expect((await other.dhcp6({ mac: macOf(1), addresses: true }))?.addresses).toEqual([
    'fd000122000000000000000000000009',
  ]);
  expect(await other.address(macOf(1))).toBe('10.10.122.9');
  for (const name of ['lan0', 'lan1']) await must(root, 'net', 'down', name);
});

test('fixed addresses change while it runs, and after it was killed; it reads and writes its files as who it is then', async (context) => {
  const lease = await createLeaseHost(context);
  const { root, join } = lease;
  root.network(
    'lan0',
    'addresses: [10.10.120.1/24]\ndhcp: { ranges: [10.10.120.50-10.10.120.54], hosts: [{ vm: web2, ip: 10.10.120.53 }] }\ndns: { domain: lan0.test }\n',
  );
  for (const name of ['web1', 'web2', 'web3'])
    root.profile(name, `${still}nics: [{ kind: network, network: lan0, mac: "${macOf(name.charCodeAt(3))}" }]\n`);
  await must(root, 'net', 'up', 'lan0');
  const guest = await join('qr-lan0', ['10.10.120.240/24']);
  const pid = pidOf(lease, 'dnsmasq');
  expect(textOf(`/proc/${pid}/status`)).not.toMatch(/^Uid:\s0\s/m);
  chmodSync(path.join(root.state, 'networks/lan0'), 0o700);
  await detach(root, 'web1');
  const one = await guest.address(macOf('1'.charCodeAt(0)));
  expect(await guest.resolve('10.10.120.1', 'web1.lan0.test')).toBe(one);
  await detach(root, 'web2');
  expect(await guest.address(macOf('2'.charCodeAt(0)))).toBe('10.10.120.53');
  expect(pidOf(lease, 'dnsmasq')).toBe(pid);
  await must(root, 'kill', 'web1');
  process.kill(pid, 'SIGKILL');
  expect(await waitUntil(() => ![0, pid].includes(pidOf(lease, 'dnsmasq')), 60_000)).toBe(true);
  // it has forgotten nothing: neither who has what, nor whose that is who is away
  const file = path.join(root.state, 'networks/lan0/dnsmasq.leases');
  expect(await guest.address(macOf('1'.charCodeAt(0)))).toBe(one);
  await detach(root, 'web3');
  const three = await guest.address(macOf('3'.charCodeAt(0)));
  expect([one, '10.10.120.53']).not.toContain(three);
  expect(await guest.resolve('10.10.120.1', 'web3.lan0.test')).toBe(three);
  const others = [await guest.address(macOf(7)), await guest.address(macOf(8))];
  expect(new Set([one, '10.10.120.53', three, ...others]).size).toBe(5);
  expect(textOf(file)).toContain(` ${macOf(8)} ${others[1]} `);
  expect(textOf(path.join(hostDir(root), 'dnsmasq/lan0.hosts'))).toContain(
    `${macOf('3'.charCodeAt(0))},${three},web3\n`,
  );
  expect(textOf(path.join(root.state, 'networks/lan0/log'))).not.toMatch(/cannot|failed|denied/i);
  await must(root, 'kill', 'web2', 'web3');
  await must(root, 'net', 'down', 'lan0');
});
