/** VMs of ordinary users by their names: fixed addresses and forwards, and the port that is kept for each. In networks of the test's own, with real dnsmasq. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { stateOf } from '../cli/a-network.ts';
import { must, needsQemu, ownerFor, refused, Running } from '../harness/harness.ts';
import { detach, rowOf, still } from '../cli/a-vm.ts';
import { everything, everythingAgain, hostDir } from './a-bridged-host.ts';
import { createLeaseHost, type Guest, type LeaseHost } from './a-lease-host.ts';

const onLan = `${still}nics: [{ kind: network, network: lan0 }]\n`;
const env = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' };

interface HostEntry {
  readonly ports: readonly { readonly kept?: { readonly uid: number } }[];
}

interface Port {
  readonly mac: string;
  readonly ip: string | null;
  readonly vm: string | null;
  readonly device: string | null;
  readonly joined: boolean;
}

async function portsOf({ root }: LeaseHost): Promise<Port[]> {
  const rows = JSON.parse(await must(root, 'net', 'macs', 'lan0', '--json')) as (Port & { kind: string })[];
  return rows.filter(({ kind }) => kind === 'port');
}

const portOf = async (lease: LeaseHost, vm: string): Promise<Port | undefined> =>
  (await portsOf(lease)).find((port) => port.vm === vm);

/** The MAC that a VM runs with, and its address. */
async function runsWith(lease: LeaseHost, vm: string): Promise<{ mac: string; device: string }> {
  const [nic] = (await rowOf(lease.home, vm)).nics as unknown as { mac: string; hostInterface: string }[];
  return { mac: nic?.mac ?? '', device: nic?.hostInterface ?? '' };
}

const forwardsOf = async ({ root }: LeaseHost): Promise<{ guest: string; guestAddress: string; hostPort: number }[]> =>
  JSON.parse(await must(root, 'net', 'forward', 'lan0', '--json')) as never;

const portIn = (port: Port | undefined): object => ({ device: port?.device, mac: port?.mac, ip: port?.ip });

/** Somebody who answers every connection with a word. */
async function answers({ namespace }: Guest, word: string): Promise<void> {
  const listener = new Running(
    namespace.wrap(['socat', '-dd', 'TCP-LISTEN:80,fork,reuseaddr', `SYSTEM:echo ${word}`]),
    { env, cwd: '/' },
  );
  onTestFinished(() => listener.kill('SIGKILL'));
  await listener.waitFor(/listening on/);
}

const asOther = ['setpriv', '--reuid=54321', '--regid=54321', '--groups=54300', '--inh-caps=-all', '--'];

const heard = ({ host }: LeaseHost, port: number): string =>
  host.namespace.run(['socat', '-T', '3', '-', `TCP:127.0.0.1:${port},connect-timeout=3`]).stdout.trim();

/** Nobody of /etc/passwd but the test's own user may be counted on: one is made, and both are in one group. */
function withGroup({ host, another }: LeaseHost): {
  readonly name: string;
  readonly user: ReturnType<LeaseHost['another']>;
} {
  const [uid, gid, name] = [54_321, 54_300, 'qrun-other'];
  for (const [file, line] of [
    ['/etc/passwd', `${name}:x:${uid}:${uid}::/nonexistent:/bin/sh`],
    ['/etc/group', `qrun-lan:x:${gid}:${ownerFor('user').name},${name}`],
  ] as const) {
    const own = path.join(host.namespace.dir, path.basename(file));
    writeFileSync(own, `${readFileSync(file, 'utf8')}${line}\n`);
    host.must(`mount --bind ${own} ${file}`);
  }
  return { name, user: another(uid, gid) };
}

test('of the owner’s: its address and its name before it has run, its forward follows it, and it gets that port', async (context) => {
  needsQemu(context);
  const lease = await createLeaseHost(context);
  const { host, root, home, join } = lease;
  const before = everything(lease);
  const { name } = ownerFor('user');
  const definition = (ip: string): string => `
addresses: [10.10.120.1/24, "fd00:120::1/64"]
ports: 2
owner: ${name}
dhcp:
  ranges: [10.10.120.50-10.10.120.60]
  hosts: [{ vm: web1, ip: ${ip} }, { vm: web1, ip: "fd00:120::10" }, { vm: root/web1, ip: 10.10.120.20, name: mine }]
dns: { domain: lan0.test }
forwards: ["0.0.0.0:8080:web1:80", "[::]:8080:web1:80", "8081:${name}/web2:80"]
`;
  root.network('lan0', definition('10.10.120.10'));
  for (const vm of ['web1', 'web2', 'web3']) home.profile(vm, onLan);
  root.profile('web1', onLan);
  await must(root, 'net', 'up', 'lan0');
  const [one, two] = [await portOf(lease, `${name}/web1`), await portOf(lease, `${name}/web2`)];
  expect(one).toMatchObject({ ip: '10.10.120.10', joined: false });
  expect(await forwardsOf(lease)).toMatchObject([
    { guest: `${name}/web1`, guestAddress: '10.10.120.10' },
    { guest: `${name}/web1`, guestAddress: 'fd00:120::10' },
    { guest: `${name}/web2`, guestAddress: two?.ip },
  ]);
  expect(await must(root, 'net', 'forward', 'lan0')).toContain(`${name}/web1`);

  // whoever has the MAC of its port is it
  const guest = await join('qr-lan0', [], one?.mac);
  // and is known before it has come, whatever others call themselves
  const stranger = '52:54:00:00:07:01';
  expect(await guest.address(stranger, { hostName: 'web1' })).toMatch(/^10\.10\.120\.[56]/);
  guest.must('ip address add 10.10.120.10/24 dev eth0');
  expect(await guest.resolve('10.10.120.1', 'web1.lan0.test')).toBe('10.10.120.10');
  expect(await guest.address(one?.mac ?? '')).toBe('10.10.120.10');
  await answers(guest, 'web1');
  expect(heard(lease, 8080)).toBe('web1');
  expect(await guest.resolve('10.10.120.1', 'web1.lan0.test')).toBe('10.10.120.10');
  const leases = JSON.parse(await must(root, 'net', 'leases', 'lan0', '--json')) as { ip: string; vm: string }[];
  expect(leases).toContainEqual(expect.objectContaining({ ip: '10.10.120.10', vm: `${name}/web1` }));

  expect(await must(root, 'net', 'info', 'lan0')).toMatch(new RegExp(`${one?.device} +kept +${name}/web1 `));
  // each gets its own, whatever else was free
  expect(await refused(home, 'run', 'web3', '-d')).toEqual({
    status: 4,
    stderr: expect.stringContaining('all of its 2 ports are kept for VMs that its definition or a forward names'),
  });
  await detach(home, 'web2');
  await detach(home, 'web1');
  expect(await runsWith(lease, 'web1')).toEqual({ mac: one?.mac, device: one?.device });
  expect(await runsWith(lease, 'web2')).toEqual({ mac: two?.mac, device: two?.device });
  expect(await portOf(lease, `${name}/web1`)).toMatchObject({ mac: one?.mac, joined: true });
  const info = JSON.parse(await must(root, 'net', 'info', 'lan0', '--json')) as { members: object[]; ports: object[] };
  expect(info.ports).toContainEqual({ ...portIn(one), vm: `${name}/web1`, state: 'taken' });
  expect(info.members).toContainEqual(expect.objectContaining({ vm: `${name}/web1`, ip: '10.10.120.10' }));
  // another address, while it is up: the forward leads there, and who renews is told
  root.network('lan0', definition('10.10.120.11'));
  expect(await must(root, 'net', 'up', 'lan0')).toContain('count from now on');
  expect((await forwardsOf(lease))[0]).toMatchObject({ guest: `${name}/web1`, guestAddress: '10.10.120.11' });
  expect(await guest.address(one?.mac ?? '')).toBe('10.10.120.11');
  root.network('lan0', definition('10.10.120.12').replace('120.20', '120.11'));
  expect(await refused(root, 'net', 'up', 'lan0')).toEqual({
    status: 4,
    stderr: expect.stringContaining(`10.10.120.11 is lent to ${one?.mac}, and is web1's`),
  });
  // root's of that name is another
  await detach(root, 'web1');
  const mine = JSON.parse(await must(root, 'net', 'info', 'lan0', '--json')) as { members: object[] };
  expect(mine.members).toContainEqual(expect.objectContaining({ vm: 'web1', ip: '10.10.120.20' }));
  for (const [who, vm] of [
    [root, 'web1'],
    [home, 'web1'],
    [home, 'web2'],
  ] as const)
    await must(who, 'kill', vm);

  // kept from one time up to the next
  await must(root, 'net', 'down', 'lan0');
  root.network('lan0', definition('10.10.120.10'));
  await must(root, 'net', 'up', 'lan0');
  expect(await portOf(lease, `${name}/web1`)).toMatchObject({ mac: one?.mac, ip: '10.10.120.10' });
  await must(root, 'net', 'down', 'lan0');
  host.must('ip link delete g1');
  expect(await everythingAgain(lease, before)).toEqual([]);
});

test('of a group’s: nobody else gets it, be he called so or not; named while it is up, and no more named', async (context) => {
  needsQemu(context);
  const lease = await createLeaseHost(context);
  const { host, root, home } = lease;
  const other = withGroup(lease);
  const { name, uid } = ownerFor('user');
  root.network('lan0', `addresses: [10.10.120.1/24]\nports: 2\ngroup: qrun-lan\ndns: { domain: lan0.test }\n`);
  for (const vm of ['web1', 'web2']) {
    home.profile(vm, onLan);
    other.user.profile(vm, onLan);
  }
  await must(root, 'net', 'up', 'lan0');
  const all = await portsOf(lease);
  const ownerOfTap = (device: string): unknown => host.row(device)?.linkinfo?.info_data?.['user'];
  const forward = (...words: string[]) => refused(root, 'net', 'forward', 'lan0', ...words);

  // who could open the files of locks before has them open for ever
  const holder = new Running(
    host.namespace.wrap([
      ...asOther,
      ...[
        'sh',
        '-c',
        'exec 8<>"$0/0" 9<>"$0/1"; echo open; read go; flock 8 & flock 9 & wait; echo locked; exec sleep 600',
      ],
      path.join(hostDir(root), 'ports/lan0'),
    ]),
    { env, cwd: '/', interactive: true, timeoutMs: 600_000 },
  );
  await holder.waitFor(/open/);
  // it had one before, and runs there
  await detach(home, 'web1');
  const had = await runsWith(lease, 'web1');
  expect(await forward(`8080:${name}/web1:80`)).toEqual({
    status: 0,
    stderr: expect.stringMatching(
      /runs with another port: it gets qr-\w+, which is kept for it, when it is started anew/,
    ),
  });
  const kept = all.find(({ mac }) => mac !== had.mac);
  expect(await forwardsOf(lease)).toMatchObject([{ guest: `${name}/web1`, guestAddress: kept?.ip }]);
  expect(statSync(path.join(hostDir(root), 'ports/lan0', String(all.indexOf(kept as Port))))).toMatchObject({
    uid,
    mode: 0o100600,
  });
  expect(ownerOfTap(kept?.device ?? '')).toBe(name);
  // the kernel keeps others off, whatever program they use
  const opened = host.namespace.run([
    ...asOther,
    'socat',
    '-u',
    `TUN,tun-name=${kept?.device},tun-type=tap,iff-no-pi`,
    '-',
  ]);
  expect(opened.stderr).toMatch(/Operation not permitted/);
  // a VM of that name of somebody else's gets another, or none
  const theirs = await other.user.qrun('run', 'web1', '-d');
  expect(theirs).toMatchObject({ status: 4, stderr: expect.stringContaining('its port is taken, by a VM of') });
  await must(home, 'kill', 'web1');
  holder.type('go\n');
  await holder.waitFor(/locked/);
  expect(await must(home, 'run', 'web1', '-d')).toContain(`is kept for this VM by now: before, it had ${had.device}`);
  await must(home, 'kill', 'web1');
  holder.kill('SIGKILL');
  await holder.end;
  const ends = await Promise.all([other.user.qrun('run', 'web1', '-d'), home.qrun(['run', 'web1', '-d'])]);
  expect(ends.map(({ status }) => status)).toEqual([0, 0]);
  expect(await runsWith(lease, 'web1')).toMatchObject({ mac: kept?.mac });
  expect(await portOf(lease, `${other.name}/web1`)).toMatchObject({ mac: had.mac, joined: true });
  expect(await forward(`8081:${other.name}/web2:80`)).toEqual({
    status: 4,
    stderr: expect.stringContaining(`no port is left to be kept for ${other.name}/web2`),
  });
  await other.user.qrun('kill', 'web1');

  expect(await forward(`8081:nobody-knows/web1:80`)).toMatchObject({ status: 2 });
  expect(await forward(`8081:root/web1:80`)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('no VM web1'),
  });
  expect(await forward(`8081:daemon/web1:80`)).toEqual({
    status: 3,
    stderr: expect.stringMatching(/daemon is not in the group qrun-lan[^]*usermod -aG qrun-lan daemon/),
  });
  // one that its VM is on is given to others when it is off it
  expect(await forward(`8080:${name}/web1:80`, '--remove')).toMatchObject({ status: 0 });
  expect(ownerOfTap(kept?.device ?? '')).toBe(name);
  await must(home, 'kill', 'web1');
  expect(await forward(`8081:${other.name}/web2:80`)).toMatchObject({
    status: 0,
    stderr: expect.not.stringContaining('runs with another port'),
  });
  expect(await forward('8081', '--remove')).toMatchObject({ status: 0 });
  expect(all.map(({ device }) => ownerOfTap(device ?? ''))).toEqual([undefined, undefined]);
  await must(root, 'net', 'down', 'lan0');
});

test('killed while a port changes hands: net up sets it right, and the next forward does it whole', async (context) => {
  const lease = await createLeaseHost(context);
  const { host, root } = lease;
  const { name, uid } = ownerFor('user');
  withGroup(lease);
  const before = everything(lease);
  root.network('lan0', `addresses: [10.10.120.1/24]\nports: 1\ngroup: qrun-lan\n`);
  await must(root, 'net', 'up', 'lan0');
  const [port] = await portsOf(lease);
  const takers = (): unknown[] => [
    host.row(port?.device ?? '')?.linkinfo?.info_data?.['user'],
    statSync(path.join(hostDir(root), 'ports/lan0/0')).uid,
    (JSON.parse(readFileSync(path.join(hostDir(root), 'networks/lan0.json'), 'utf8')) as HostEntry).ports[0]?.kept?.uid,
  ];
  const rule = `8080:${name}/web1:80`;
  for (const point of ['acquire:port:0', 'acquired:port:0', 'acquired:registry', 'rules:lan0']) {
    const killed = await root.qrun(['net', 'forward', 'lan0', rule], { env: { QRUN_FAILPOINT: `${point}:kill` } });
    expect({ point, status: killed.status }).toEqual({ point, status: 137 });
    await must(root, 'net', 'up', 'lan0');
    expect([point, await stateOf(root, 'lan0')]).toEqual([point, 'pinned']);
    expect({ point, takers: takers() }).toEqual({ point, takers: [undefined, 0, undefined] });
  }
  await must(root, 'net', 'forward', 'lan0', rule);
  expect(takers()).toEqual([name, uid, uid]);
  await must(root, 'net', 'down', 'lan0');
  expect(await everythingAgain(lease, before)).toEqual([]);
});
