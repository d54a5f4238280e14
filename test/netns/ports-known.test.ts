/** What is known of ports that root made: whose their MACs are, where their guests are met, what is wrong with them. In a network of the test's own. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { must, needsQemu, ownerFor, type Home } from '../harness/harness.ts';
import { detach, ps, rowOf, still } from '../cli/a-vm.ts';
import { createPortHost, type PortHost } from './a-port-host.ts';

const owner = (): string => `owner: ${ownerFor('user').name}`;
const onBridge = (): string => `forward: bridge\nscope: system\nbridge: { name: br0 }\nports: 1\n${owner()}\n`;
const onCard = (ports: number): string => `forward: macvtap\nbridge: { uplink: v0 }\nports: ${ports}\n${owner()}\n`;
const onLan0 = `${still}nics: [{ kind: network, network: lan0 }]\n`;

const hostDir = ({ root }: PortHost, name: string): string => path.join(root.env['QRUN_HOST_DIR'] ?? '', name);

/** As setup makes it. */
function makeRegistry(ports: PortHost): string {
  const directory = hostDir(ports, 'macs');
  mkdirSync(directory, { recursive: true });
  chmodSync(hostDir(ports, ''), 0o755);
  chmodSync(directory, 0o1777);
  return directory;
}

const macsOf = (ports: PortHost): string[] =>
  (JSON.parse(readFileSync(hostDir(ports, 'ports/lan0/macs.json'), 'utf8')) as { macs: string[] }).macs;

type Nic = { network?: string; ips: string[]; link?: string; hostInterface: string; mac: string };
const nicOf = async (home: Home, vm: string): Promise<Nic> => (await rowOf(home, vm)).nics[0] as unknown as Nic;

const checkOf = async (home: Home, id: string, ...names: string[]): Promise<unknown> =>
  (JSON.parse((await home.qrun(['doctor', ...names, '--json'])).stdout) as { id: string }[]).find(
    (check) => check.id === id,
  );

test('the MACs of ports are claimed for all users, over net down, until net rm; one that is claimed by another is not used', async (context) => {
  const ports = await createPortHost(context);
  const { root, home } = ports;
  const registry = makeRegistry(ports);
  root.network('lan0', onCard(2));
  await must(root, 'net', 'up', 'lan0');
  const macs = macsOf(ports);
  const claims = macs.map((mac) => mac.replaceAll(':', '-')).toSorted();
  expect(readdirSync(registry).toSorted()).toEqual(claims);
  expect(readFileSync(path.join(registry, claims[0] ?? ''), 'utf8')).toMatch(/"vm":"net\/lan0","nic":"port\d"/);
  await must(root, 'net', 'down', 'lan0');
  expect(readdirSync(registry)).toHaveLength(2);
  home.profile('web1', `${still}nics: [{ kind: user, mac: "${macs[0]}" }]\n`);
  expect(await home.qrun(['show', 'web1'])).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('claimed on this host by a port of network lan0'),
  });
  // fewer ports: the others keep theirs; somebody else's claim is believed
  const [, second = ''] = macs;
  const foreign = path.join(registry, second.replaceAll(':', '-'));
  chownSync(foreign, ownerFor('user').uid, ownerFor('user').gid);
  root.network('lan0', onCard(1));
  await must(root, 'net', 'up', 'lan0');
  expect(macsOf(ports)).toEqual(macs);
  await must(root, 'net', 'down', 'lan0');
  root.network('lan0', onCard(2));
  await must(root, 'net', 'up', 'lan0');
  expect(macsOf(ports)[0]).toBe(macs[0]);
  expect(macsOf(ports)[1]).not.toBe(second);
  expect(readdirSync(registry)).toHaveLength(3);
  await must(root, 'net', 'down', 'lan0');
  await must(root, 'net', 'rm', 'lan0');
  expect(readdirSync(registry)).toEqual([path.basename(foreign)]);
  expect(existsSync(hostDir(ports, 'ports/lan0'))).toBe(false);
});

test('so are those of a network with a bridge of its own', async (context) => {
  const ports = await createPortHost(context);
  const { root } = ports;
  const registry = makeRegistry(ports);
  root.network('lan0', `forward: open\naddresses: [10.10.120.1/24]\nports: 2\n${owner()}\n`);
  await must(root, 'net', 'up', 'lan0');
  const claims = macsOf(ports).map((mac) => mac.replaceAll(':', '-'));
  expect(readdirSync(registry).toSorted()).toEqual(claims.toSorted());
  await must(root, 'net', 'down', 'lan0');
  await must(root, 'net', 'rm', 'lan0');
  expect(readdirSync(registry)).toEqual([]);
});

test('a guest on a port: ps, nics, net info and net map know its network and address; wait and ssh find it', async (context) => {
  needsQemu(context);
  const ports = await createPortHost(context);
  const { host, root, home } = ports;
  root.network('lan0', onBridge());
  home.profile('web1', onLan0);
  await must(root, 'net', 'up', 'lan0');
  await detach(home, 'web1');
  const { mac, hostInterface } = await nicOf(home, 'web1');
  // no guest runs: what the kernel would have learned of it is told, and the host itself has its address
  host.must('ip address add 10.77.0.9/32 dev lo');
  host.must(`ip neigh add 10.77.0.9 lladdr ${mac} dev br0 nud permanent`);
  expect(await nicOf(home, 'web1')).toMatchObject({ network: 'lan0', ips: ['10.77.0.9'], hostInterface });
  expect(JSON.parse(await must(home, 'nics', 'web1', '--json'))).toMatchObject([
    { network: 'lan0', ips: ['10.77.0.9'] },
  ]);
  expect(JSON.parse(await must(root, 'net', 'info', 'lan0', '--json'))).toMatchObject({
    members: [{ ip: '10.77.0.9' }],
  });
  expect(JSON.parse(await must(home, 'net', 'map', '--json'))).toMatchObject({
    vms: [{ vm: 'web1', nics: [{ network: 'net:lan0', ips: ['10.77.0.9'], hostInterface }] }],
  });
  const late = await home.qrun(['wait', 'web1', '--for', 'port:2222', '--timeout', '1']);
  expect(late).toMatchObject({ status: expect.any(Number), stderr: expect.stringContaining('not within 1 s') });
  const waiting = home.start(['wait', 'web1', '--for', 'port:2222', '--timeout', '60']);
  const listens = home.startProgram(['socat', 'TCP4-LISTEN:2222,bind=10.77.0.9,reuseaddr,fork', '/dev/null']);
  expect((await waiting.end).status).toBe(0);
  listens.kill('SIGKILL');
  await listens.end;
  const bin = home.mkdir('bin');
  home.write('bin/ssh', '#!/bin/sh\necho "$@"\n', 0o755);
  const { stdout } = await home.qrun(['ssh', 'web1'], { env: { PATH: `${bin}:${home.env['PATH'] ?? ''}` } });
  expect(stdout).toContain('HostName=10.77.0.9');
  await must(home, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
});

test('net down --force with macvtaps in use: unplugged and told so, never killed; of the next run they have nothing', async (context) => {
  needsQemu(context);
  const ports = await createPortHost(context);
  const { host, root, home } = ports;
  const before = host.state();
  root.network('lan0', onCard(2));
  for (const name of ['web1', 'web2']) home.profile(name, onLan0);
  await must(root, 'net', 'up', 'lan0');
  await detach(home, 'web1');
  await detach(home, 'web2');
  expect((await root.qrun(['net', 'down', 'lan0'])).status).toBe(4);
  await must(root, 'net', 'down', 'lan0', '--force');
  expect(host.state()).toEqual(before);
  const states = async (): Promise<unknown[]> =>
    (await ps(home)).map(({ state, nics }) => [state, (nics[0] as unknown as Nic).link]);
  const cut = [
    ['paused', 'lost'],
    ['paused', 'lost'],
  ];
  expect(await states()).toEqual(cut);
  await must(root, 'net', 'up', 'lan0');
  expect(await states()).toEqual(cut);
  await must(home, 'kill', 'web1', 'web2');
  await detach(home, 'web1');
  expect(await nicOf(home, 'web1')).not.toHaveProperty('link');
  await must(home, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
  expect(host.state()).toEqual(before);
});

test('ABUSE 56: udev’s rule comes first and the owner after it; a macvtap of the host’s own is opened up to nobody', async (context) => {
  const ports = await createPortHost(context);
  const { host, root } = ports;
  host.must('ip link add link v0 name other0 type macvtap mode bridge');
  const foreign = `/dev/tap${JSON.parse(host.must('ip -j link show dev other0'))[0].ifindex}`;
  expect(statSync(foreign).mode & 0o777).toBe(0o600);
  // udev runs here, so to say: what setup's rule does to new devices is done when it is waited for
  host.namespace.run([
    'sh',
    '-ec',
    'mount -t tmpfs none /run/udev || { mount -t tmpfs none /run && mkdir /run/udev; }; >/run/udev/control',
  ]);
  const bin = root.mkdir('bin');
  const log = path.join(bin, 'log');
  const rule =
    'for net in /sys/class/net/qr-*; do node=/dev/tap$(cat "$net/ifindex"); chown 0:0 "$node"; chmod 600 "$node"; done';
  writeFileSync(path.join(bin, 'udevadm'), `#!/bin/sh\necho "$@" >>${log}\n${rule}\n`);
  chmodSync(path.join(bin, 'udevadm'), 0o755);
  root.network('lan0', onCard(1));
  const env = { PATH: `${bin}:${root.env['PATH'] ?? ''}` };
  expect(await root.qrun(['net', 'up', 'lan0'], { env })).toMatchObject({ status: 0 });
  expect(readFileSync(log, 'utf8')).toMatch(/^settle /);
  const node = `/dev/tap${JSON.parse(host.must(`ip -j link show dev ${host.made()[0] ?? ''}`))[0].ifindex}`;
  const rightsOf = (file: string): unknown => {
    const { uid, mode } = statSync(file);
    return [uid, mode & 0o777];
  };
  expect(rightsOf(node)).toEqual([ownerFor('user').uid, 0o600]);
  expect(rightsOf(foreign)).toEqual([0, 0o600]);
  // taken away from its owner later: seen, told, mended
  chownSync(node, 0, 0);
  expect(await must(root, 'net', 'ls')).toContain('broken');
  expect(await checkOf(root, 'ports')).toMatchObject({ state: 'warn', mend: 'sudo qrun net up lan0' });
  expect(await root.qrun(['net', 'up', 'lan0'], { env })).toMatchObject({ status: 0 });
  expect(rightsOf(node)).toEqual([ownerFor('user').uid, 0o600]);
  await must(root, 'net', 'down', 'lan0');
  expect(existsSync(node)).toBe(false);
  expect(existsSync(foreign)).toBe(true);
  host.must('ip link delete dev other0');
});

test('doctor: what a NIC on a port needs; ports off their bridge, closed and down, each mended by net up', async (context) => {
  needsQemu(context);
  const ports = await createPortHost(context);
  const { host, root, home } = ports;
  root.network('lan0', onBridge());
  home.network('lan0', onBridge());
  home.profile('web1', onLan0);
  const of = async (): Promise<string[]> =>
    (JSON.parse((await home.qrun(['doctor', 'web1', '--json'])).stdout) as { id: string }[]).map(({ id }) => id);
  const down = await of();
  // not up: the bridge helper is the other way
  expect(down).toEqual(
    expect.arrayContaining(['ports', 'bridge', 'tun', 'vhost', 'forward-policy', 'bridge-netfilter']),
  );
  expect(down).not.toContain('vde');
  expect(await checkOf(home, 'ports', 'web1')).toMatchObject({ state: 'warn', mend: 'sudo qrun net up lan0' });
  expect(await home.qrun(['doctor', 'web1'])).toMatchObject({ status: 3 });
  await must(root, 'net', 'up', 'lan0');
  const up = await of();
  expect(up).toEqual(expect.arrayContaining(['ports', 'tun', 'vhost', 'forward-policy', 'nic-net0']));
  expect(up).not.toContain('bridge');
  const ok = { state: 'ok', evidence: expect.stringContaining('lan0 on br0: 1 port for'), mend: null };
  expect(await checkOf(home, 'ports', 'web1')).toMatchObject(ok);
  expect(await home.qrun(['doctor', 'web1'])).toMatchObject({ status: 0 });
  const [device = ''] = host.made();
  const harms: readonly (readonly [harm: () => void, told: string])[] = [
    [() => host.must(`ip link set dev ${device} nomaster`), `${device} is not on br0`],
    [() => host.must(`ip link set dev ${device} down`), `${device} is down`],
    [() => chownSync(hostDir(ports, 'ports/lan0/0'), 0, 0), 'is of uid 0'],
    [() => host.must(`ip link delete dev ${device}`), `${device} is gone`],
  ];
  for (const [harm, told] of harms) {
    harm();
    const evidence = expect.stringContaining(told);
    expect(await checkOf(home, 'ports')).toMatchObject({ state: 'warn', evidence, mend: 'sudo qrun net up lan0' });
    await must(root, 'net', 'up', 'lan0');
    expect(await checkOf(home, 'ports')).toMatchObject(ok);
  }
  await detach(home, 'web1');
  home.profile('web2', onLan0);
  expect(await checkOf(home, 'ports', 'web2')).toMatchObject({
    state: 'warn',
    evidence: expect.stringContaining('none of them free'),
    mend: 'qrun net info lan0',
  });
  await must(home, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
});
