/** Networks with a bridge, rules and a dnsmasq of their own: up, broken, mended, down. In a network of the test's own. */
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createNamespace, isAlive, must, needsQemu, ownerFor, refused, waitUntil } from '../harness/harness.ts';
import { killAll, networkProcesses, stateOf } from '../cli/a-network.ts';
import { detach, eventually, rowOf, still } from '../cli/a-vm.ts';
import {
  createBridgedHost,
  everything,
  everythingAgain,
  hostDir,
  settingOf,
  textOf,
  type BridgedHost,
} from './a-bridged-host.ts';

const four = 'addresses: [10.10.120.1/24]\n';
const both = 'addresses: [10.10.120.1/24, "fd00:120::1/64"]\n';
const forwards = 'forwards: ["8080:10.10.120.60:80", "0.0.0.0:81:10.10.120.60:81/udp"]\n';
const onLan = `${still}nics: ["network:lan0"]\n`;

const withoutTheirs = (text: string): string =>
  text.replace(/table inet theirs \{[^]*?^\}\n/m, '').replace(/table ip qrun_lan0 \{\n\}\n/, '');

/** Rules of somebody else's, with the name that ours would have in another family. */
function theirs({ host }: BridgedHost): void {
  host.must('nft add table inet theirs');
  host.must('nft add chain inet theirs forward { type filter hook forward priority 0 ; policy accept ; }');
  host.must('nft add table ip qrun_lan0');
}

test.for([
  ['nat', both + forwards, '1'],
  ['route', both, '1'],
  ['open', `${both}dhcp: true\n`, '1'],
  ['isolated', four, '0'],
] as const)(
  '%s: up, down, up, down: nothing stays but what the host forwards',
  async ([mode, more, routes], context) => {
    const bridged = await createBridgedHost(context);
    const { host, root } = bridged;
    theirs(bridged);
    const before = everything(bridged);
    root.network('lan0', `forward: ${mode}\n${more}`);
    for (const round of [1, 2]) {
      await must(root, 'net', 'up', 'lan0');
      if (round === 1) expect(await stateOf(root, 'lan0')).toBe('pinned');
      // open has none at all but what it was asked for
      expect(host.must('nft list tables').includes('inet qrun_lan0')).toBe(mode !== 'open');
      expect(host.row('qr-lan0')).toMatchObject({
        flags: expect.arrayContaining(['UP']),
        linkinfo: { info_kind: 'bridge', info_data: { stp_state: 0, forward_delay: 0 } },
      });
      expect(networkProcesses(root).filter(({ keeper }) => !keeper)).toMatchObject([{ program: 'dnsmasq' }]);
      expect([settingOf(host, 'net.ipv4.ip_forward'), settingOf(host, 'net.ipv6.conf.all.forwarding')]).toEqual([
        routes,
        routes,
      ]);
      expect(settingOf(host, 'net.ipv4.conf.qr-lan0.route_localnet')).toBe(mode === 'nat' ? '1' : '0');
      await must(root, 'net', 'down', 'lan0');
      expect(everything(bridged)).toEqual(before);
    }
  },
);

test('isolated: the host tells nobody there what it has elsewhere, by ARP either', async (context) => {
  const { host, root } = await createBridgedHost(context);
  root.network('lan0', `forward: isolated\n${four}`);
  await must(root, 'net', 'up', 'lan0');
  const guest = await createNamespace();
  host.must(`ip link add g1 type veth peer name eth0 netns ${guest.pid}`);
  host.must('ip link set g1 master qr-lan0 up');
  for (const line of ['address add 10.10.120.9/24 dev eth0', 'link set eth0 up', 'route add 10.78.0.1 dev eth0'])
    expect(guest.run(['ip', ...line.split(' ')])).toMatchObject({ status: 0 });
  const answers = (ip: string): boolean => {
    guest.run(['ip', 'neigh', 'flush', 'dev', 'eth0']);
    guest.run(['ping', '-c', '2', '-i', '0.3', '-W', '1', ip]);
    return guest.run(['ip', 'neigh', 'show', ip]).stdout.includes('lladdr');
  };
  await eventually(async () => answers('10.10.120.1'));
  expect(answers('10.78.0.1')).toBe(false);
  host.must('sysctl -qw net.ipv4.conf.qr-lan0.arp_ignore=0');
  expect(answers('10.78.0.1')).toBe(true);
  expect(await stateOf(root, 'lan0')).toBe('broken');
  expect(await must(root, 'net', 'up', 'lan0')).toContain('was changed, and is as it was');
  expect(answers('10.78.0.1')).toBe(false);
  expect(answers('10.10.120.1')).toBe(true);
  await must(root, 'net', 'down', 'lan0');
});

test('what is flushed, altered or taken away is broken, and net up mends it', async (context) => {
  needsQemu(context);
  const bridged = await createBridgedHost(context);
  const { host, root, home } = bridged;
  theirs(bridged);
  const before = everything(bridged);
  root.network('lan0', `forward: nat\n${both}${forwards}ports: 1\nowner: ${ownerFor('user').name}\nantiSpoof: true\n`);
  root.profile('web1', onLan);
  home.profile('web2', onLan);
  await must(root, 'net', 'up', 'lan0');
  await detach(root, 'web1');
  await detach(home, 'web2');
  const rules = host.must('nft -s list ruleset');
  const row = (): string[] =>
    host
      .rows()
      .map(({ ifname, address, flags, master, mtu }) => [ifname, address, flags.includes('UP'), master, mtu].join(' '))
      .toSorted();
  const links = row();
  const addresses = (): string => host.must('ip -br address show dev qr-lan0').replaceAll(/\s+(\S+ fe80::\S+)?/g, ' ');
  const places = addresses();
  const health = async (): Promise<string> => await must(root, 'net', 'info', 'lan0');

  // theirs goes too, and stays away
  host.must('nft flush ruleset');
  expect(await stateOf(root, 'lan0')).toBe('broken');
  expect(await must(root, 'net', 'up', 'lan0')).toMatch(/the rules of inet qrun_lan0 and bridge qrun_lan0 had gone/);
  expect(host.must('nft -s list ruleset')).toBe(withoutTheirs(rules));

  host.must('ip link delete dev qr-lan0');
  expect(await health()).toMatch(/qr-lan0/);
  expect(await must(root, 'net', 'up', 'lan0')).toMatch(/qr-lan0 had gone, and was made again[^]*is on it again/);
  expect(await stateOf(root, 'lan0')).toBe('pinned');
  expect(row()).toEqual(links);

  host.must('ip address flush dev qr-lan0');
  host.must('ip link set qr-lan0 down');
  host.must('sysctl -qw net.ipv4.ip_forward=0');
  const wrong = await health();
  for (const part of ['qr-lan0 (down)', '10.10.120.1 on qr-lan0', 'fd00:120::1 on qr-lan0', 'net.ipv4.ip_forward'])
    expect(wrong).toContain(`! ${part} `);
  expect(await must(root, 'net', 'up', 'lan0')).toContain('was changed, and is as it was');
  expect(await stateOf(root, 'lan0')).toBe('pinned');
  expect(addresses()).toBe(places);

  const pidOf = (keeper: boolean): number =>
    networkProcesses(root).find((one) => one.program === 'dnsmasq' && one.keeper === keeper)?.pid ?? 0;
  const dnsmasq = pidOf(false);
  process.kill(dnsmasq, 'SIGKILL');
  let pids: number[] = [];
  await eventually(async () => {
    // looked at once: what a keeper starts between two of them is gone soon
    pids = [pidOf(true), pidOf(false)];
    return !pids.includes(0) && !pids.includes(dnsmasq);
  });
  await killAll(pids);
  expect(await health()).toMatch(/dnsmasq/);
  expect(await must(root, 'net', 'up', 'lan0')).toMatch(/dnsmasq did not run, and was started again/);
  expect(await stateOf(root, 'lan0')).toBe('pinned');
  // down, with VMs on it
  expect(await refused(root, 'net', 'down', 'lan0')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('web1'),
  });
  await must(root, 'kill', 'web1');
  expect(await refused(root, 'net', 'down', 'lan0')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('web2'),
  });
  const { pid } = await detach(root, 'web1');
  const other = (await rowOf(home, 'web2')).pid;
  await must(root, 'net', 'down', 'lan0', '--force');
  expect([pid, other].map(isAlive)).toEqual([true, true]);
  expect(host.made().filter((name) => name === 'qr-lan0')).toEqual([]);
  await must(root, 'kill', 'web1');
  await must(home, 'kill', 'web2');
  expect(await everythingAgain(bridged, before.map(withoutTheirs))).toEqual([]);
});

test('two net up at once are one; so are two networks of one subnet, of which the other is refused', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  const before = everything(bridged);
  root.network('lan0', `forward: nat\n${four}`);
  const ends = await Promise.all([root.qrun(['net', 'up', 'lan0']), root.qrun(['net', 'up', 'lan0'])]);
  expect(ends.map(({ status }) => status)).toEqual([0, 0]);
  expect(networkProcesses(root).filter(({ keeper }) => !keeper)).toHaveLength(1);
  await must(root, 'net', 'down', 'lan0');
  rmSync(path.join(root.config, 'networks/lan0.yaml'));
  // by files that are not defined: neither knows of the other before it is up
  const files = ['one', 'two'].map((name) => root.write(`${name}.yaml`, `forward: nat\n${four}`));
  const two = await Promise.all(files.map((file) => root.qrun(['net', 'up', file])));
  expect(two.map(({ status }) => status).toSorted((left, right) => left - right)).toEqual([0, 4]);
  expect(two.map(({ stderr }) => stderr).join()).toContain('10.10.120.0/24 overlaps with ');
  for (const name of ['one', 'two'])
    if ((await stateOf(root, name)) === 'pinned') await must(root, 'net', 'down', name);
  expect(everything(bridged)).toEqual(before);
});

test('guests come and go: the bridge’s MAC stays what it is, and those that are to be kept apart are', async (context) => {
  needsQemu(context);
  const bridged = await createBridgedHost(context);
  const { host, root, home } = bridged;
  root.network('lan0', `forward: nat\n${four}isolatedPorts: true\nports: 1\nowner: ${ownerFor('user').name}\n`);
  // of a card that is lower than any: a bridge without a MAC of its own would take it
  root.profile('web1', `${still}nics: [{ kind: network, network: lan0, mac: "00:00:5e:00:53:01" }]\n`);
  home.profile('web2', onLan);
  const macs: (string | undefined)[] = [];
  const look = (): unknown => macs.push(host.row('qr-lan0')?.address);
  const apart = (): string[] =>
    host
      .rows()
      .filter(({ master }) => master === 'qr-lan0')
      .map(({ ifname }) => /isolated (on|off)/.exec(host.must(`bridge -d link show dev ${ifname}`))?.[0] ?? '');
  await must(root, 'net', 'up', 'lan0');
  look();
  await detach(root, 'web1');
  look();
  await detach(home, 'web2');
  look();
  expect(apart()).toEqual(['isolated on', 'isolated on']);
  host.must('ip link delete dev qr-lan0');
  await must(root, 'net', 'up', 'lan0');
  expect(apart()).toEqual(['isolated on', 'isolated on']);
  await must(root, 'kill', 'web1');
  await must(home, 'kill', 'web2');
  look();
  await must(root, 'net', 'down', 'lan0');
  await must(root, 'net', 'up', 'lan0');
  look();
  expect(macs[0]).toMatch(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
  expect(macs).toEqual(macs.map(() => macs[0]));
  await must(root, 'net', 'down', 'lan0');
});

/** Every place where an up of a network with all that it may have can be killed. */
const points = [
  'acquire:bridge',
  'acquired:bridge',
  'acquired:sysctl:bridge',
  'acquired:sysctl:forwarding',
  'acquire:rules',
  'acquired:rules',
  'acquired:directory:runtime',
  'acquired:file:dnsmasq',
  'acquired:file:hosts',
  'acquire:service',
  'acquired:service',
  'acquired:port:0',
  'acquire:registry',
  'acquired:registry',
  'network:lan0',
];
const ways = [['gc'], ['net', 'down', 'lan0'], ['net', 'up', 'lan0']] as const;

test('killed at each step of its up: gc, net down or another net up leave nothing of it', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  const before = everything(bridged);
  root.network('lan0', `forward: nat\n${both}${forwards}ports: 1\nowner: ${ownerFor('user').name}\n`);
  const list = root.write('points', '');
  const listed = await root.qrun(['net', 'up', 'lan0'], { env: { QRUN_FAILPOINT_LIST: list } });
  expect(listed.status).toBe(0);
  const passed = readFileSync(list, 'utf8').split('\n');
  expect(points.filter((point) => !passed.includes(point))).toEqual([]);
  await must(root, 'net', 'down', 'lan0');
  for (const [at, point] of points.entries()) {
    const killed = await root.qrun(['net', 'up', 'lan0'], { env: { QRUN_FAILPOINT: `${point}:kill` } });
    expect({ point, status: killed.status }).toEqual({ point, status: 137 });
    const way = ways[at % ways.length] ?? ways[0];
    await must(root, ...way);
    if (way[1] === 'up') await must(root, 'net', 'down', 'lan0');
    expect({ point, left: everything(bridged) }).toEqual({ point, left: before });
  }
});

test('what fails at a step gives back all before it; killed when nearly all was given back, the rest goes', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  const before = everything(bridged);
  root.network('lan0', `forward: nat\n${both}${forwards}`);
  for (const point of ['acquired:rules', 'acquired:service', 'network:lan0']) {
    const failed = await root.qrun(['net', 'up', 'lan0'], { env: { QRUN_FAILPOINT: `${point}:throw` } });
    expect(failed).toMatchObject({ status: 3, stderr: expect.stringContaining(`failpoint ${point}`) });
    expect({ point, left: everything(bridged) }).toEqual({ point, left: before });
  }
  await must(root, 'net', 'up', 'lan0');
  await root.qrun(['net', 'down', 'lan0'], { env: { QRUN_FAILPOINT: 'released:rules:kill' } });
  await must(root, 'net', 'down', 'lan0');
  expect(everything(bridged)).toEqual(before);
});

test('root’s VMs are counted: the network ends with the last, also when QEMU and its waiter are killed', async (context) => {
  needsQemu(context);
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const before = everything(bridged);
  root.network('lan0', `forward: nat\n${four}`);
  for (const name of ['web1', 'web2']) root.profile(name, onLan);
  await detach(root, 'web1');
  expect(await stateOf(root, 'lan0')).toBe('up');
  const { pid } = await detach(root, 'web2');
  await must(root, 'kill', 'web1');
  expect(await stateOf(root, 'lan0')).toBe('up');
  expect(host.row('qr-lan0')).toBeDefined();
  const waiter = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  await killAll(waiter > 1 ? [waiter, pid] : [pid]);
  expect(await waitUntil(() => host.row('qr-lan0') === undefined, 30_000)).toBe(true);
  await must(root, 'gc');
  expect(await everythingAgain(bridged, before)).toEqual([]);
});
test('show --shell: a script takes the network up, tells it of its VM, and gives all of it back', async (context) => {
  needsQemu(context);
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const before = everything(bridged);
  root.network('lan0', `forward: nat\n${four}antiSpoof: true\n`);
  root.profile('web1', onLan);
  const script = root.write('web1.sh', (await root.qrun(['show', 'web1', '--shell'])).stdout, 0o700);
  const running = root.startProgram(['sh', script]);
  const members = async (): Promise<readonly { vm: string; mac: string; ip: string }[]> =>
    (
      JSON.parse(await must(root, 'net', 'info', 'lan0', '--json')) as {
        members: { vm: string; mac: string; ip: string }[];
      }
    ).members;
  await eventually(async () => (await members()).some(({ vm }) => vm === 'web1'));
  const [web1] = await members();
  await eventually(async () =>
    textOf(path.join(hostDir(root), 'dnsmasq/lan0.hosts')).includes(`${web1?.mac},${web1?.ip},web1`),
  );
  expect(await stateOf(root, 'lan0')).toBe('up');
  const tap = host.made().find((name) => name !== 'qr-lan0');
  await eventually(async () => host.must('nft list table bridge qrun_lan0').includes(`iifname "${tap}" `));
  running.kill('SIGTERM');
  expect(await running.end).toMatchObject({ status: 143 });
  expect(await everythingAgain(bridged, before)).toEqual([]);
  // what it switched on is switched back as if qrun had done it, and a second of it keeps what was first
  const forwarding = (): string[] =>
    ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'].map((key) => settingOf(host, key));
  expect(forwarding()).toEqual(['1', '0']);
  const kept = path.join(hostDir(root), 'switched-on.json');
  expect(JSON.parse(textOf(kept))).toMatchObject({ v: 1, values: { 'net/ipv4/ip_forward': '0' } });
  root.network('lan0', 'forward: nat\naddresses: [10.10.120.1/24, "fd00:120::1/64"]\n');
  const second = root.write('web1.sh', (await root.qrun(['show', 'web1', '--shell'])).stdout, 0o700);
  const again = root.startProgram(['sh', second]);
  await eventually(async () => (await members()).some(({ vm }) => vm === 'web1'));
  again.kill('SIGTERM');
  expect(await again.end).toMatchObject({ status: 143 });
  expect(JSON.parse(textOf(kept))).toMatchObject({
    values: { 'net/ipv4/ip_forward': '0', 'net/ipv6/conf/all/forwarding': '0' },
  });
  expect(await everythingAgain(bridged, before)).toEqual([]);
  await must(root, 'setup', '--undo');
  expect(forwarding()).toEqual(['0', '0']);
});
