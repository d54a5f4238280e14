/** A LAN without root, with real guests: leases, names, one another, the way out and the way in. */
import { expect, test } from 'vitest';
import { bothQemus, createHome, needsEitherQemu, needsGuest, needsQemu, needsRoot } from '../harness/harness.ts';
import { infoOf, lastingOfNetworks, noNetworkLeft } from '../cli/a-network.ts';
import { eventually } from '../cli/a-vm.ts';
import {
  addressesOf,
  echoFromHost,
  fetchFromHost,
  get,
  guestProfile,
  hostPortOf,
  kill,
  killProgram,
  openAll,
  ownAddress6,
  ping,
  start,
} from './a-lan.ts';
import { GuestShell } from './guest-shell.ts';
import { createUplink, hostAddress, outsideAddress } from './uplink.ts';

/** Of this run's own: the host may have another one of the same test. */
const mac = `52:54:00:66:${[process.pid >> 8, process.pid].map((byte) => (byte & 255).toString(16).padStart(2, '0')).join(':')}`;

const lab = `forward: nat
scope: user
transport: hub
addresses: [10.66.0.1/24, "fd66::1/64"]
dhcp:
  hosts:
    - { vm: web2, ip: 10.66.0.20 }
    - { mac: "${mac}", ip: 10.66.0.30, name: db }
dns:
  domain: lab.test
  search: [other.test]
  hosts: [{ ip: 10.66.0.30, names: [store] }]
forwards: ["auto:web1:80", "auto:10.66.0.30:8080", "auto:web2:7/udp"]
`;

test.for(bothQemus)(
  'three guests on a network: addresses, one another, names, the way out and the way in, with the %s QEMU',
  async (which, context) => {
    needsRoot(context);
    const qemu = needsEitherQemu(context, which);
    const files = needsGuest(context);
    const { host, outside, local, local6 } = await createUplink();
    const home = createHome({ qemu, namespace: host });
    home.network('lab', lab);
    home.profile('web1', guestProfile(files, 'web1', '["network:lab"]'));
    home.profile('web2', guestProfile(files, 'web2', '["network:lab"]'));
    home.profile('vm3', guestProfile(files, 'vm3', `[{ kind: network, network: lab, mac: "${mac}" }]`));
    await start(home, 'web1', 'web2', 'vm3');
    const [web1, web2, vm3] = (await openAll(home, ['web1', 'web2', 'vm3'])) as [GuestShell, GuestShell, GuestShell];
    const addresses = await addressesOf(home);
    const own = addresses['web1']?.[0] ?? '';
    expect(addresses).toEqual({ web1: [own], web2: ['10.66.0.20'], vm3: ['10.66.0.30'] });
    expect(own).toMatch(/^10\.66\.0\.\d+$/);
    expect((await home.qrun(['nics', 'web2'])).stdout).toContain(' 10.66.0.20 ');
    expect(await web1.run("ip -4 -o addr show eth0 | awk '{ print $4 }'; ip route | sed -n '/default/p'")).toMatch(
      new RegExp(`^${own}/24\ndefault via 10.66.0.1 dev eth0`),
    );
    expect(await web1.run('cat /etc/resolv.conf')).toBe('search lab.test other.test\nnameserver 10.66.0.2');

    // one another
    for (const [shell, self, others] of [
      [web1, own, ['10.66.0.20', '10.66.0.30']],
      [web2, '10.66.0.20', [own, '10.66.0.30']],
      [vm3, '10.66.0.30', [own, '10.66.0.20']],
    ] as const) {
      for (const other of others) {
        expect(await shell.run(ping(other))).toBe(`${other} answers`);
        expect(await shell.run(get(`${other}/cgi-bin/peer`))).toBe(`[::ffff:${self}]`);
      }
    }

    // names
    expect(await web1.run(get('web2/'))).toMatch(/^qrun-guest web2\n/);
    expect(await web1.run(get('web2.lab.test/'))).toMatch(/^qrun-guest web2\n/);
    expect(await web2.run(get('web1/'))).toMatch(/^qrun-guest web1\n/);
    expect(await web1.run(get('store.lab.test/'))).toMatch(/^qrun-guest vm3\n/);
    expect(await web1.run(get('db/'))).toMatch(/^qrun-guest vm3\n/);
    expect(await web1.run('nslookup 10.66.0.20')).toMatch(/20\.0\.66\.10\.in-addr\.arpa\s+name = web2\.lab\.test$/m);
    expect(outside.stdout).toBe('ready\n');

    // the way out
    expect(await web1.run(get(`${outsideAddress}:8000/`))).toBe(`${outsideAddress} sees ${hostAddress}`);
    expect(await vm3.run(get('www.outside.test:8000/'))).toBe(`${outsideAddress} sees ${hostAddress}`);
    expect(outside.stdout).toMatch(/^dns www\.outside\.test 1$/m);
    // UDP, to a server that the guest names itself
    expect(await web2.run(`nslookup direct.test ${outsideAddress}`)).toContain(`Address: ${outsideAddress}`);
    expect(outside.stdout).toMatch(/^dns direct\.test 1$/m);
    expect(await web2.run(ping(outsideAddress))).toBe(`${outsideAddress} answers`);
    expect(await web2.run('nslookup nosuch.test')).toMatch(/NXDOMAIN/);
    expect(await web2.run(get('10.66.0.1:8000/'))).toBe('127.0.0.1 sees 127.0.0.1');
    expect(local.stdout).toMatch(/^http from 127\.0\.0\.1$/m);

    // the same over IPv6
    // all three: whoever asks before its own address counts asks from ::1, and waits for ever
    const [, six = ''] = await Promise.all([web1, web2, vm3].map((shell) => ownAddress6(shell)));
    expect(six).toMatch(/^fd66::[0-9a-f:]+$/);
    expect(await web1.run(get(`[${six}]/`))).toMatch(/^qrun-guest web2\n/);
    expect(await vm3.run(ping(six))).toBe(`${six} answers`);
    expect(await web1.run(get('[fd66::1]:8000/'))).toBe('::1 sees ::1');
    expect(local6.stdout).toMatch(/^http from ::1$/m);

    // the way in
    await vm3.run('httpd -p 8080 -h /www');
    expect(await fetchFromHost(home, await hostPortOf(home, 'lab', 80))).toMatch(/^qrun-guest web1\n/);
    expect(await fetchFromHost(home, await hostPortOf(home, 'lab', 8080))).toMatch(/^qrun-guest vm3\n/);
    expect(await fetchFromHost(home, await hostPortOf(home, 'lab', 8080), '/cgi-bin/peer')).toBe(
      '[::ffff:10.66.0.1]\n',
    );
    expect(await echoFromHost(home, await hostPortOf(home, 'lab', 7), 'in')).toBe('in');

    expect((await infoOf(home, 'lab')).members).toMatchObject(
      [
        ['vm3', '10.66.0.30'],
        ['web1', own],
        ['web2', '10.66.0.20'],
      ].map(([vm, ip]) => ({ vm, ip, leased: true })),
    );
    for (const shell of [web1, web2, vm3]) shell.close();
    await kill(home, 'web1', 'web2', 'vm3');
    expect(await noNetworkLeft(home)).toBe(true);

    // once more, and in another order
    await start(home, 'vm3');
    await start(home, 'web2');
    await start(home, 'web1');
    for (const shell of await openAll(home, ['web1', 'web2', 'vm3'])) shell.close();
    expect(await addressesOf(home)).toEqual(addresses);
    await kill(home, 'web1', 'web2', 'vm3');
    expect(await lastingOfNetworks(home)).toEqual([]);
  },
);

test('established TCP survives a kill -9 of the switch and of the gateway, forwards are back, and a VM that is paused, or goes and comes again, disturbs nobody', async (context) => {
  needsQemu(context);
  const files = needsGuest(context);
  const home = createHome();
  home.network('lab', lab);
  for (const name of ['web1', 'web2', 'vm3']) home.profile(name, guestProfile(files, name, '["network:lab"]'));
  await start(home, 'web1', 'web2', 'vm3');
  const [web1, web2, vm3] = (await openAll(home, ['web1', 'web2', 'vm3'])) as [GuestShell, GuestShell, GuestShell];
  const addresses = await addressesOf(home);
  const added = await home.qrun(['net', 'forward', 'lab', 'auto:web2:80']);
  expect({ status: added.status, stderr: added.stderr }).toMatchObject({ status: 0 });
  const [port80, added80] = (await infoOf(home, 'lab')).forwards
    .filter(({ guestPort }) => guestPort === 80)
    .map(({ hostPort }) => hostPort) as [number, number];
  // one connection, which says 1, 2, 3, … for as long as it lives
  await web1.run('tail -f /dev/null | nc -l -p 5000 >/run/got & true');
  await web2.run(`{ i=0; while echo $((i += 1)); do sleep 0.2; done; } | nc web1 5000 & true`);
  const grows = async (): Promise<void> => {
    const count = 'wc -l </run/got';
    const before = Number(await web1.run(count));
    await eventually(async () => Number(await web1.run(count)) > before + 3, 60_000);
    expect(await web1.run("awk '$1 != NR' /run/got; ps | grep -c '[n]c -l -p 5000'")).toBe('1');
  };
  await grows();

  for (const program of ['switch', 'gateway', 'switch']) {
    await killProgram(home, 'lab', program);
    await grows();
    await eventually(async () => (await fetchFromHost(home, port80)).startsWith('qrun-guest web1\n'), 60_000);
    expect(await fetchFromHost(home, added80)).toMatch(/^qrun-guest web2\n/);
    expect(await web1.run(ping('vm3'))).toBe('vm3 answers');
    expect(await addressesOf(home)).toEqual(addresses);
  }

  expect((await home.qrun(['pause', 'vm3'])).status).toBe(0);
  // some 12 MB for one who takes nothing
  expect(await web2.run('ping -q -s 60000 -i 0.02 -W 1 -c 200 vm3 | grep -c " 0 packets received"')).toBe('1');
  await grows();
  expect(await web2.run(ping('web1'))).toBe('web1 answers');
  expect(await fetchFromHost(home, port80)).toMatch(/^qrun-guest web1\n/);
  expect((await home.qrun(['resume', 'vm3'])).status).toBe(0);
  expect(await vm3.run(ping('web1'))).toBe('web1 answers');
  expect(await web2.run(ping('vm3'))).toBe('vm3 answers');
  await grows();

  vm3.close();
  await kill(home, 'vm3');
  expect(await web1.run(ping(addresses['vm3']?.[0] ?? '', 2))).toBe('');
  await start(home, 'vm3');
  (await GuestShell.open(home, 'vm3')).close();
  expect(await web1.run(ping('vm3'))).toBe('vm3 answers');
  expect(await addressesOf(home)).toEqual(addresses);
  await grows();

  for (const shell of [web1, web2]) shell.close();
  await kill(home, 'web1', 'web2', 'vm3');
  expect(await noNetworkLeft(home)).toBe(true);
});

test('isolated: guests reach one another and nothing else, neither the host nor names, and the host reaches in where it is asked to', async (context) => {
  needsRoot(context);
  const qemu = needsQemu(context);
  const files = needsGuest(context);
  const { host, outside, local } = await createUplink();
  const home = createHome({ qemu, namespace: host });
  home.network(
    'island',
    'forward: isolated\nscope: user\ntransport: hub\naddresses: [10.67.0.1/24]\ndns: { domain: island.test }\nforwards: ["auto:web1:80"]\n',
  );
  for (const name of ['web1', 'web2']) home.profile(name, guestProfile(files, name, '["network:island"]'));
  await start(home, 'web1', 'web2');
  const [web1, web2] = (await openAll(home, ['web1', 'web2'])) as [GuestShell, GuestShell];
  expect(await web1.run(get('web2/'))).toMatch(/^qrun-guest web2\n/);
  expect(await web2.run(ping('web1.island.test'))).toBe('web1.island.test answers');
  expect(await web1.run('ip route | grep -c default')).toBe('0');
  // a guest that does not take no for an answer
  await web1.run('ip route add default via 10.67.0.1');
  for (const where of [outsideAddress, hostAddress, '10.67.0.1', '127.0.0.1'])
    expect(await web1.run(`timeout 3 wget -q -O - http://${where}:8000/; echo no $?`)).toMatch(/(^|\n)no (1|143)$/);
  expect(await web1.run(`ping -c 1 -W 1 ${outsideAddress} >/dev/null; echo no $?`)).toBe('no 1');
  for (const server of ['', outsideAddress, '10.67.0.1'])
    expect(await web1.run(`timeout 4 nslookup www.outside.test ${server}`)).not.toContain(`Address: ${outsideAddress}`);
  expect([outside.stdout, local.stdout]).toEqual(['ready\n', 'ready\n']);
  expect(await fetchFromHost(home, await hostPortOf(home, 'island', 80))).toMatch(/^qrun-guest web1\n/);
  for (const shell of [web1, web2]) shell.close();
  await kill(home, 'web1', 'web2');
  expect(await noNetworkLeft(home)).toBe(true);
});

test('two networks are two segments; a VM may be on both, or have a NIC of another kind beside; an e1000 boots from one', async (context) => {
  const qemu = needsQemu(context);
  const files = needsGuest(context);
  const home = createHome({ qemu });
  const root = home.mkdir('tftp');
  home.write('tftp/hello.ipxe', '#!ipxe\necho pxe: hello from ${net0/ip} ${net0/chip}\nsleep 3600\n');
  home.network(
    'red',
    `scope: user\ntransport: hub\naddresses: [10.68.1.1/24]\ndhcp: { tftp: { root: ${root}, file: hello.ipxe } }\n`,
  );
  home.network('blue', 'scope: user\ntransport: hub\naddresses: [10.68.2.1/24]\nmtu: 1400\n');
  home.profile('left', guestProfile(files, 'left', '["network:red"]'));
  home.profile('both', guestProfile(files, 'both', '["network:red", "network:blue"]'));
  home.profile('right', guestProfile(files, 'right', '["network:blue", { kind: user, forwards: ["auto:80"] }]'));
  home.profile(
    'pxe',
    'accel: tcg\nmemory: 128\nboot: [network]\nnics: [{ kind: network, network: red, model: e1000 }]\n',
  );
  await start(home, 'left', 'both', 'right', 'pxe');
  const [left, both, right] = (await openAll(home, ['left', 'both', 'right'])) as [GuestShell, GuestShell, GuestShell];
  const { left: ofLeft, both: ofBoth, right: ofRight } = await addressesOf(home);
  expect([ofLeft, ofBoth, ofRight]).toEqual([
    [expect.stringMatching(/^10\.68\.1\.\d+$/)],
    [expect.stringMatching(/^10\.68\.1\.\d+$/), expect.stringMatching(/^10\.68\.2\.\d+$/)],
    [expect.stringMatching(/^10\.68\.2\.\d+$/)],
  ]);
  expect(await both.run(ping(ofLeft?.[0] ?? ''))).toContain('answers');
  expect(await both.run(ping(ofRight?.[0] ?? ''))).toContain('answers');
  expect(await both.run('cat /sys/class/net/eth0/mtu /sys/class/net/eth1/mtu')).toBe('1500\n1400');
  expect(await left.run(ping(ofBoth?.[0] ?? ''))).toContain('answers');
  // the same subnet beyond no router: not a frame comes over
  await left.run('ip addr add 10.68.2.99/24 dev eth0');
  expect(await left.run(ping(ofRight?.[0] ?? '', 2))).toBe('');
  expect(await right.run("ip -4 -o addr show eth1 | awk '{ print $4 }'")).toBe('10.0.2.15/24');
  const { stdout } = await home.qrun(['ps', '--json']);
  const rows = JSON.parse(stdout) as { vm: string; nics: { forwards?: { hostPort: number }[] }[] }[];
  const port = rows.find(({ vm }) => vm === 'right')?.nics[1]?.forwards?.[0]?.hostPort ?? 0;
  expect(await fetchFromHost(home, port)).toMatch(/^qrun-guest right\n/);

  const wait = await home.qrun(['wait', 'pxe', '--for', 'text:pxe: hello from 10\\.68\\.1\\.\\d+', '--timeout', '150']);
  expect({ ...wait, console: (await home.qrun(['logs', 'pxe'])).stdout }).toMatchObject({ status: 0 });
  expect((await infoOf(home, 'red')).members.find(({ vm }) => vm === 'pxe')).toMatchObject({ leased: true });

  for (const shell of [left, both, right]) shell.close();
  await kill(home, 'left', 'both', 'right', 'pxe');
  expect(await noNetworkLeft(home)).toBe(true);
});
