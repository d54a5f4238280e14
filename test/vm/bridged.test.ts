/** Real guests on networks with a bridge of their own: as root, and as an ordinary user by a port. Outside is a namespace, and nothing leaves the machine. */
import { expect, test } from 'vitest';
import {
  createHome,
  needsFile,
  needsGuest,
  needsRoot,
  ownerFor,
  type Home,
  type Namespace,
} from '../harness/harness.ts';
import { parseDocument } from '../harness/document.ts';
import {
  addressesOf,
  echoFromHost,
  fetchFromHost,
  get,
  guestProfile,
  kill,
  openAll,
  ownAddress6,
  ping,
  start,
} from './a-lan.ts';
import { GuestShell } from './guest-shell.ts';
import { createUplink, hostAddress, outsideAddress, type Uplink } from './uplink.ts';

interface Site extends Uplink {
  readonly root: Home;
  readonly home: Home;
}

async function createSite(context: Parameters<typeof needsRoot>[0]): Promise<Site> {
  needsRoot(context);
  for (const tool of ['nft', 'dnsmasq']) needsFile(context, `/usr/sbin/${tool}`);
  const uplink = await createUplink();
  const root = createHome({ as: 'root', namespace: uplink.host });
  const home = createHome({ namespace: uplink.host, env: { QRUN_HOST_DIR: root.env['QRUN_HOST_DIR'] ?? '' } });
  return { ...uplink, root, home };
}

async function net(home: Home, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await home.qrun(['net', ...args]);
  expect({ args, status, stderr }).toMatchObject({ status: 0 });
  return stdout;
}

function run(namespace: Namespace, line: string): string {
  const result = namespace.run(line.split(' '));
  expect({ line, ...result }).toMatchObject({ status: 0 });
  return result.stdout;
}

const fetchFrom = (namespace: Namespace, where: string, patienceS = 30): string =>
  namespace.run(['curl', '-s', '-m', String(patienceS), '-g', `http://${where}`]).stdout;

/** Answered by nobody, or refused. */
const none = (where: string): string => `timeout 3 wget -q -O - http://${where} >/dev/null; echo no $?`;
const isNone = /(^|\n)no (1|143)$/;
const ownAddress = "ip -4 -o addr show eth0 | awk '{ print $4 }'";

const lan0 = `forward: nat
addresses: [10.10.120.1/24, "fd00:120::1/64"]
dhcp: { hosts: [{ vm: root/web2, ip: 10.10.120.20 }, { vm: vm3, ip: 10.10.120.30 }] }
dns: { domain: lan0.test }
forwards: ["0.0.0.0:8080:root/web1:80", "8081:root/web2:7/udp", "0.0.0.0:8083:vm3:80"]
ports: 1
owner: ${ownerFor('user').name}
antiSpoof: true
`;

test('nat: leases, names, one another, the way out behind the host’s address and the ways in; an ordinary user’s guest on a port is held to its address', async (context) => {
  const files = needsGuest(context);
  const site = await createSite(context);
  const { root, home, host, beyond, outside } = site;
  root.network('lan0', lan0);
  for (const name of ['web1', 'web2']) root.profile(name, guestProfile(files, name, '["network:lan0"]'));
  home.profile('vm3', guestProfile(files, 'vm3', '["network:lan0"]'));
  await net(root, 'up', 'lan0');
  await start(root, 'web1', 'web2');
  await start(home, 'vm3');
  const [web1, web2] = (await openAll(root, ['web1', 'web2'])) as [GuestShell, GuestShell];
  const vm3 = await GuestShell.open(home, 'vm3');
  const [one = '', three = ''] = [(await addressesOf(root))['web1']?.[0], (await addressesOf(home))['vm3']?.[0]];
  expect([await addressesOf(root), three]).toEqual([{ web1: [one], web2: ['10.10.120.20'] }, '10.10.120.30']);
  expect([await web1.run(ownAddress), await vm3.run(ownAddress)]).toEqual([`${one}/24`, `${three}/24`]);
  const leases = parseDocument('net-leases', await net(root, 'leases', 'lan0', '--json')) as {
    ip: string;
    vm: string;
  }[];
  expect(Object.fromEntries(leases.map(({ ip, vm }) => [ip, vm]))).toEqual({
    [one]: 'web1',
    '10.10.120.20': 'web2',
    [three]: `${ownerFor('user').name}/vm3`,
  });

  // one another, by name
  expect(await web1.run(get('web2.lan0.test/'))).toMatch(/^qrun-guest web2\n/);
  expect(await web1.run(get('vm3.lan0.test/'))).toMatch(/^qrun-guest vm3\n/);
  expect(await web2.run(get('web1/cgi-bin/peer'))).toBe('[::ffff:10.10.120.20]');
  expect(await vm3.run(get('web1/cgi-bin/peer'))).toBe(`[::ffff:${three}]`);
  expect(await web2.run(ping(three))).toBe(`${three} answers`);
  expect(await web1.run(ping(`${await ownAddress6(web2)}`))).toContain('answers');
  // the addresses that guests give themselves are known once the host has met them
  for (const [who, shell, name, four] of [
    [root, web1, 'web1', one],
    [home, vm3, 'vm3', three],
  ] as const) {
    // before it is sure, the guest asks from its link-local one
    const six = await ownAddress6(shell);
    expect(await shell.run(ping('fd00:120::1'))).toBe('fd00:120::1 answers');
    expect((await addressesOf(who))[name]).toEqual([four, six]);
  }

  // the way out
  for (const shell of [web1, vm3])
    expect(await shell.run(get(`${outsideAddress}:8000/`))).toBe(`${outsideAddress} sees ${hostAddress}`);
  expect(await web2.run(get('www.outside.test:8000/'))).toBe(`${outsideAddress} sees ${hostAddress}`);
  expect(outside.stdout).toMatch(/^dns www\.outside\.test 1$/m);

  // the ways in: from outside, from the host, from guests by way of the host
  expect(fetchFrom(beyond, `${hostAddress}:8080/`)).toMatch(/^qrun-guest web1\n/);
  expect(fetchFrom(beyond, `${hostAddress}:8080/cgi-bin/peer`)).toBe(`[::ffff:${outsideAddress}]\n`);
  expect(fetchFrom(host, `${hostAddress}:8080/`)).toMatch(/^qrun-guest web1\n/);
  expect(await fetchFromHost(root, 8080)).toMatch(/^qrun-guest web1\n/);
  for (const shell of [web2, vm3]) expect(await shell.run(get(`${hostAddress}:8080/`))).toMatch(/^qrun-guest web1\n/);
  expect(fetchFrom(beyond, `${hostAddress}:8083/`)).toMatch(/^qrun-guest vm3\n/);
  // br_netfilter bridges what is translated back onto its bridge, and no frame goes out by the port that it came in by
  host.run(['sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=0']);
  expect(await web1.run(get(`${hostAddress}:8080/`))).toMatch(/^qrun-guest web1\n/);
  expect(await echoFromHost(root, 8081, 'in')).toBe('in');
  await net(root, 'forward', 'lan0', '0.0.0.0:8082:root/web2:80');
  expect(fetchFrom(beyond, `${hostAddress}:8082/`)).toMatch(/^qrun-guest web2\n/);
  await net(root, 'forward', 'lan0', '8082', '--remove');
  // and no other
  run(beyond, `ip route add 10.10.120.0/24 via ${hostAddress}`);
  expect(fetchFrom(beyond, `${hostAddress}:8082/`, 3)).toBe('');
  expect(fetchFrom(beyond, `${one}/`, 3)).toBe('');

  // held to its address
  await vm3.run('ip addr add 10.10.120.99/24 dev eth0');
  expect(await vm3.run(`ping -c 1 -W 1 -I 10.10.120.99 ${one} >/dev/null; echo no $?`)).toBe('no 1');
  expect(await vm3.run(ping(one))).toBe(`${one} answers`);
  await vm3.run('ip link set eth0 down; ip link set eth0 address 52:54:00:aa:bb:cc; ip link set eth0 up');
  expect(await vm3.run(`ping -c 1 -W 1 ${one} >/dev/null; echo no $?`)).toBe('no 1');

  for (const shell of [web1, web2, vm3]) shell.close();
  await kill(root, 'web1', 'web2');
  await kill(home, 'vm3');
  await net(root, 'down', 'lan0');
  expect(run(host, 'nft list ruleset')).toBe('');
});

test('route and open: guests have their own addresses outside; isolated: one another and the host’s bridge, and nothing else', async (context) => {
  const files = needsGuest(context);
  const site = await createSite(context);
  const { root, home, host, beyond, outside } = site;
  const port = `ports: 1\nowner: ${ownerFor('user').name}\n`;
  root.network('routed', `forward: route\naddresses: [10.11.1.1/24]\ndhcp: true\n${port}`);
  root.network('opened', `forward: open\naddresses: [10.11.2.1/24]\ndhcp: true\n${port}`);
  root.network(
    'island',
    `forward: isolated\naddresses: [10.11.3.1/24]\ndns: { domain: island.test }\nforwards: ["8080:root/lone:80", "0.0.0.0:8081:root/lone:80"]\n${port}`,
  );
  for (const [name, network] of [
    ['way', 'routed'],
    ['gate', 'opened'],
    ['lone', 'island'],
    ['mate', 'island'],
  ] as const)
    root.profile(name, guestProfile(files, name, `["network:${network}"]`));
  // an ordinary user's, each by the network's port
  for (const [name, network] of [
    ['theirway', 'routed'],
    ['theirgate', 'opened'],
    ['theirs', 'island'],
  ] as const)
    home.profile(name, guestProfile(files, name, `["network:${network}"]`));
  run(beyond, `ip route add 10.11.0.0/16 via ${hostAddress}`);
  await start(root, 'way', 'gate', 'lone', 'mate');
  await start(home, 'theirway', 'theirgate', 'theirs');
  const shells = await openAll(root, ['way', 'gate', 'lone', 'mate']);
  const [way, gate, lone, mate] = shells as [GuestShell, GuestShell, GuestShell, GuestShell];
  const ofUser = await openAll(home, ['theirway', 'theirgate', 'theirs']);
  const [theirWay, theirGate, theirs] = ofUser as [GuestShell, GuestShell, GuestShell];
  const { theirway = [], theirgate = [], theirs: ofTheirs = [] } = await addressesOf(home);
  const { way: ofWay, gate: ofGate, lone: ofLone, mate: ofMate } = await addressesOf(root);
  const [wayIp = '', gateIp = '', loneIp = '', mateIp = ''] = [ofWay, ofGate, ofLone, ofMate].map((ips) => ips?.[0]);
  for (const [shell, name, ip] of [
    [way, 'way', wayIp],
    [gate, 'gate', gateIp],
    [theirWay, 'theirway', theirway[0] ?? ''],
    [theirGate, 'theirgate', theirgate[0] ?? ''],
  ] as const) {
    expect(await shell.run(get(`${outsideAddress}:8000/`))).toBe(`${outsideAddress} sees ${ip}`);
    expect(fetchFrom(beyond, `${ip}/`)).toMatch(new RegExp(`^qrun-guest ${name}\n`));
    expect(fetchFrom(host, `${ip}/`)).toMatch(new RegExp(`^qrun-guest ${name}\n`));
  }
  // of two that are routed each reaches the other
  expect(await gate.run(get(`${wayIp}/`))).toMatch(/^qrun-guest way\n/);

  // isolated, also from one that makes a way for itself
  expect(await lone.run(get('mate.island.test/'))).toMatch(/^qrun-guest mate\n/);
  expect(await mate.run(ping(loneIp))).toBe(`${loneIp} answers`);
  expect(await lone.run(ping('10.11.3.1'))).toBe('10.11.3.1 answers');
  expect(await lone.run('ip route | grep -c default')).toBe('0');
  expect(await theirs.run(get(`${loneIp}/cgi-bin/peer`))).toBe(`[::ffff:${ofTheirs[0]}]`);
  expect(await theirs.run(ping('10.11.3.1'))).toBe('10.11.3.1 answers');
  expect(await theirs.run('ip route | grep -c default')).toBe('0');
  for (const shell of [lone, theirs]) {
    await shell.run('ip route add default via 10.11.3.1');
    for (const where of [`${outsideAddress}:8000/`, `${hostAddress}:8000/`, `${wayIp}/`, `${gateIp}/`])
      expect(await shell.run(none(where))).toMatch(isNone);
    expect(await shell.run(`ping -c 1 -W 1 ${outsideAddress} >/dev/null; echo no $?`)).toBe('no 1');
    expect(await shell.run(`ping -c 1 -W 1 ${hostAddress} >/dev/null; echo no $?`)).toBe('no 1');
  }
  const asked = outside.stdout;
  for (const server of ['', outsideAddress])
    expect(await lone.run(`timeout 4 nslookup www.outside.test ${server}`)).not.toContain(`Address: ${outsideAddress}`);
  expect(outside.stdout).toBe(asked);
  expect(fetchFrom(beyond, `${mateIp}/`, 3)).toBe('');
  expect(await way.run(none(`${mateIp}/`))).toMatch(isNone);
  // but where it was asked for
  expect(fetchFrom(host, `${mateIp}/`)).toMatch(/^qrun-guest mate\n/);
  expect(await fetchFromHost(root, 8080)).toMatch(/^qrun-guest lone\n/);
  expect(fetchFrom(beyond, `${hostAddress}:8081/`)).toMatch(/^qrun-guest lone\n/);

  for (const shell of [...shells, ...ofUser]) shell.close();
  await kill(home, 'theirway', 'theirgate', 'theirs');
  await kill(root, 'way', 'gate', 'lone', 'mate');
  expect(JSON.parse(await net(root, 'ls', '--json'))).toMatchObject(
    expect.arrayContaining(
      ['routed', 'opened', 'island'].map((name) => expect.objectContaining({ name, state: 'defined' })),
    ),
  );
  expect(run(host, 'nft list ruleset')).toBe('');
});
