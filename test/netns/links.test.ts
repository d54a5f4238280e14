/** Networks of forward: bridge that span hosts by VXLAN, or have a card: each host is a network of the test's own, with a real qrun as root. */
import { expect, test } from 'vitest';
import { infoOf, stateOf } from '../cli/a-network.ts';
import { must, needsQemu, ownerFor, readProcessesNaming, refused } from '../harness/harness.ts';
import { argvOf, detach, eventually, statusOf, still } from '../cli/a-vm.ts';
import { CableGuest, createJoinedHosts, unplug, type JoinedHost } from './a-joined-host.ts';

const up = ({ root }: JoinedHost): Promise<string> => must(root, 'net', 'up', 'lan0');
const down = ({ root }: JoinedHost): Promise<string> => must(root, 'net', 'down', 'lan0');
const vxlan = (peers: string, more = ''): string => `links: [{ vxlan: { id: 42, peers: [${peers}]${more} } }]\n`;

test('two hosts, one with a bridge of its own and one with its host’s: full frames pass; what is removed is mended; down leaves nothing', async (context) => {
  const [a, b] = await createJoinedHosts(context, { count: 2 });
  if (a === undefined || b === undefined) throw new Error('no hosts');
  const before = [a.host.state(), b.host.state()];
  a.network(`forward: bridge\naddresses: [10.9.0.1/24]\n${vxlan('10.1.0.2')}`);
  b.network(`forward: bridge\nbridge: { name: br0 }\n${vxlan('10.1.0.1', ', dev: w0')}`);
  await up(a);
  await up(b);
  const { links } = await infoOf(a.root, 'lan0');
  expect(links).toMatchObject([{ mtu: 1450, peers: ['10.1.0.2'], id: 42, port: 4789 }]);
  expect(await must(a.root, 'net', 'info', 'lan0')).toMatch(
    /Links to other hosts[\s\S]*42, port 4789 .* 1450 .*10\.1\.0\.2/,
  );
  const one = await CableGuest.on(a.host, 'qr-lan0', { address: '10.9.0.11', mtu: 1450 });
  const two = await CableGuest.on(b.host, 'br0', { address: '10.9.0.12', mtu: 1450 });
  expect(one.reaches('10.9.0.12', 1450)).toBe(true);
  expect(two.reaches('10.9.0.1', 1450)).toBe(true);
  const device = links[0]?.device ?? '';
  for (const harm of [`delete dev ${device}`, `set dev ${device} down`, `set dev ${device} nomaster`]) {
    a.host.must(`ip link ${harm}`);
    expect(await infoOf(a.root, 'lan0')).toMatchObject({ state: 'broken', missing: [device] });
    await up(a);
    expect(await stateOf(a.root, 'lan0')).toBe('pinned');
    expect(a.host.must(`bridge -d link show dev ${device}`)).toContain('isolated on');
    expect({ harm, reached: one.reaches('10.9.0.12', 1450) }).toEqual({ harm, reached: true });
  }
  a.host.must('ip link delete dev qr-lan0');
  expect((await infoOf(a.root, 'lan0')).missing).toEqual(['qr-lan0', device]);
  await up(a);
  a.host.must('ip link set dev cable master qr-lan0');
  expect(one.reaches('10.9.0.12', 1450)).toBe(true);
  for (const { host } of [a, b]) unplug(host);
  await down(a);
  await down(b);
  expect([a.host.state(), b.host.state()]).toEqual(before);
});

test('three hosts, of one definition, and IPv6 underneath: all hear all, and nobody hears anything twice', async (context) => {
  const hosts = await createJoinedHosts(context, { count: 3 });
  for (const host of hosts) {
    host.network(`forward: bridge\n${vxlan('"fd00:1::1", "fd00:1::2", "fd00:1::3"')}`);
    await up(host);
    expect((await infoOf(host.root, 'lan0')).links).toMatchObject([{ mtu: 1430, peers: { length: 2 } }]);
  }
  const guests: CableGuest[] = [];
  for (const [number, { host }] of hosts.entries())
    guests.push(await CableGuest.on(host, 'qr-lan0', { address: `10.9.0.${11 + number}`, mtu: 1430 }));
  for (const one of guests)
    for (const other of guests.filter((guest) => guest !== one)) expect(one.reaches(other.address, 1430)).toBe(true);
  const { text } = guests[0]?.ping('-b', '-c', '4', '-i', '0.3', '10.9.0.255') ?? { text: '' };
  const answers = [...text.matchAll(/from (10\.9\.0\.\d+): icmp_seq=(\d+)/g)].map(([, from, seq]) => `${from} ${seq}`);
  // it answers itself, and does not wait for others' answers to the last one
  const foreign = answers.filter((answer) => !answer.startsWith('10.9.0.11 ') && !answer.endsWith(' 4'));
  expect(foreign.toSorted()).toEqual([
    '10.9.0.12 1',
    '10.9.0.12 2',
    '10.9.0.12 3',
    '10.9.0.13 1',
    '10.9.0.13 2',
    '10.9.0.13 3',
  ]);
  for (const host of hosts) await down(host);
});

test('guests are told the MTU that fits: root’s on a tap of its own, an ordinary user’s on a port; the last one ends the network', async (context) => {
  needsQemu(context);
  const [a] = await createJoinedHosts(context, { count: 1 });
  if (a === undefined) throw new Error('no host');
  const before = a.host.state();
  a.network(`forward: bridge\nisolatedPorts: true\nports: 1\nowner: ${ownerFor('user').name}\n${vxlan('10.1.0.2')}`);
  for (const home of [a.root, a.home]) home.profile('web1', `${still}nics: ["network:lan0"]\n`);
  const { pid } = await detach(a.root, 'web1');
  expect(await stateOf(a.root, 'lan0')).toBe('up');
  const { pid: another } = await detach(a.home, 'web1');
  const taps = [pid, another].map((one) => {
    const text = argvOf(one).join(' ');
    expect(text).toMatch(/host_mtu\W+1450/);
    return /"?ifname"?\W+(qr-[0-9a-f]+)/.exec(text)?.[1] ?? '';
  });
  expect(new Set(taps).size).toBe(2);
  for (const tap of taps) {
    expect(a.host.row(tap)).toMatchObject({ master: 'qr-lan0', mtu: 1450 });
    expect(a.host.must(`bridge -d link show dev ${tap}`)).toContain('isolated on');
  }
  // one that left its bridge is kept apart when it is on it again
  a.host.must(`ip link set dev ${taps[0] ?? ''} nomaster`);
  await up(a);
  expect(a.host.must(`bridge -d link show dev ${taps[0] ?? ''}`)).toContain('isolated on');
  expect(await refused(a.root, 'net', 'down', 'lan0')).toMatchObject({ status: 4 });
  await must(a.home, 'kill', 'web1');
  await must(a.root, 'kill', 'web1');
  await down(a);
  expect(a.host.state()).toEqual(before);
  await detach(a.root, 'web1');
  await must(a.root, 'kill', 'web1');
  await eventually(() => Promise.resolve(a.host.made().length === 0));
  expect(a.host.state()).toEqual(before);
  // killed together with what waits for it: the network ends all the same, and gc has the tap
  const last = await detach(a.root, 'web1');
  for (const victim of [Number(statusOf(last.pid, 'PPid')), last.pid].filter((one) => one > 1))
    process.kill(victim, 'SIGKILL');
  await eventually(async () => (await stateOf(a.root, 'lan0')) === 'defined');
  await must(a.root, 'gc');
  expect(a.host.state()).toEqual(before);
});

test('show --shell: the script takes the network up and gives it back', async (context) => {
  needsQemu(context);
  const [a] = await createJoinedHosts(context, { count: 1 });
  if (a === undefined) throw new Error('no host');
  const { host, root } = a;
  host.must('ip link add c0 type veth peer name c1');
  const before = host.state();
  a.network(`forward: bridge\nbridge: { uplink: c0 }\n${vxlan('10.1.0.2, 10.1.0.3')}`);
  root.profile('web1', `${still}nics: ["network:lan0"]\n`);
  const script = root.write('web1.sh', (await root.qrun(['show', 'web1', '--shell'])).stdout, 0o700);
  const running = root.startProgram(['sh', script]);
  const isUp = async (): Promise<boolean> => (await stateOf(root, 'lan0')) === 'up';
  await eventually(isUp);
  await eventually(() =>
    Promise.resolve(readProcessesNaming(root.dir).some(({ command }) => command.includes('guest=web1'))),
  );
  const [link] = (await infoOf(a.root, 'lan0')).links;
  expect(host.row(link?.device ?? '')).toMatchObject({ master: 'qr-lan0', mtu: 1450 });
  expect(host.must(`bridge fdb show dev ${link?.device}`)).toMatch(/dst 10\.1\.0\.2 [\s\S]*dst 10\.1\.0\.3 /);
  running.kill('SIGTERM');
  await running.end;
  await eventually(() => Promise.resolve(host.made().length === 0));
  // whether the card was up nobody wrote down
  host.must('ip link set dev c0 down');
  expect(host.state()).toEqual(before);
  await must(root, 'gc');
});

test('a card is a port while the network is up, and given back as it was; not one that the host uses', async (context) => {
  const [a] = await createJoinedHosts(context, { count: 1 });
  if (a === undefined) throw new Error('no host');
  const { host, root } = a;
  host.must('ip link add c0 type veth peer name c1');
  host.must('ip link set c1 up');
  const before = host.state();
  a.network('forward: bridge\nbridge: { name: lan, uplink: c0 }\n');
  await up(a);
  expect(host.row('c0')).toMatchObject({ master: 'lan', flags: expect.arrayContaining(['UP']) });
  host.must('ip link set dev c0 nomaster');
  expect(await infoOf(a.root, 'lan0')).toMatchObject({ state: 'broken', missing: ['c0'] });
  await up(a);
  expect(host.row('c0')).toMatchObject({ master: 'lan' });
  await down(a);
  expect(host.state()).toEqual(before);
  const help = expect.stringContaining('sudo qrun setup --bridge br0 --uplink v0');
  a.network('forward: bridge\nbridge: { uplink: v0 }\n');
  expect(await refused(root, 'net', 'up', 'lan0')).toEqual({ status: 4, stderr: help });
  // it has gone since
  a.network('forward: bridge\nbridge: { uplink: c0 }\n');
  await up(a);
  host.must('ip link delete dev c0');
  expect(await infoOf(a.root, 'lan0')).toMatchObject({ state: 'broken', missing: ['c0'] });
  expect(await refused(root, 'net', 'up', 'lan0')).toEqual({
    status: 3,
    stderr: expect.stringMatching(/network lan0: its card c0 is gone\n.*ip -brief link show/),
  });
  host.must('ip link add c0 type veth peer name c1');
  await up(a);
  expect((await infoOf(a.root, 'lan0')).state).toBe('pinned');
  expect(host.row('c0')).toMatchObject({ master: 'qr-lan0', flags: expect.arrayContaining(['UP']) });
  host.must('ip link delete dev c0');
  await down(a);
  expect(host.made()).toEqual([]);
});

test('what cannot be is told before anything is made', async (context) => {
  const [a] = await createJoinedHosts(context, { count: 1 });
  if (a === undefined) throw new Error('no host');
  const { host, root } = a;
  const before = host.state();
  const says = async (text: string, status: number, words: string): Promise<void> => {
    a.network(`forward: bridge\n${text}`);
    expect(await refused(root, 'net', 'up', 'lan0')).toEqual({ status, stderr: expect.stringContaining(words) });
    expect(host.state()).toEqual(before);
  };
  await says(vxlan('10.1.0.2', ', dev: w7'), 3, 'there is no interface w7');
  await says(vxlan('10.200.0.2'), 3, 'no way to 10.200.0.2');
  await says(vxlan('10.1.0.1'), 3, 'this host itself');
  await says(`mtu: 1451\n${vxlan('10.1.0.2')}`, 3, 'takes, which is 1450');
  await says(`bridge: { name: br0 }\n${vxlan('10.77.0.2')}`, 3, 'round for ever');
  await says('bridge: { name: br7 }\n', 3, 'there is no bridge br7');
  // another program's, and another VXLAN that nobody of qrun's made
  const bind = "require('dgram').createSocket('udp4').bind(4789, () => console.log('bound'))";
  const program = root.startProgram([process.execPath, '-e', bind]);
  await program.waitFor(/bound/);
  await says(vxlan('10.1.0.2'), 4, "is another program's");
  program.kill('SIGKILL');
  await program.end;
  host.must('ip link add vx9 type vxlan id 42 dstport 4789 dev w0');
  const theirs = expect.stringContaining('VXLAN 42 on port 4789 is that of vx9 already');
  expect(await refused(root, 'net', 'up', 'lan0')).toEqual({ status: 4, stderr: theirs });
  host.must('ip link delete dev vx9');
  root.network('lan1', `forward: bridge\n${vxlan('10.1.0.3')}`);
  await must(root, 'net', 'up', 'lan1');
  a.network(`forward: bridge\n${vxlan('10.1.0.2')}`);
  const taken = expect.stringContaining('of network lan1 already');
  expect(await refused(root, 'net', 'up', 'lan0')).toEqual({ status: 4, stderr: taken });
  await must(root, 'net', 'down', 'lan1');
  expect(host.state()).toEqual(before);
});

test('what a link goes by, or the host’s bridge that it is a port of, may go and come again', async (context) => {
  const [a] = await createJoinedHosts(context, { count: 1 });
  if (a === undefined) throw new Error('no host');
  const { host, root } = a;
  const makeWay = (): void => {
    host.must('ip link add c0 type veth peer name c1');
    host.must('ip link set c0 up');
    host.must('ip address add 10.2.0.1/24 dev c0');
  };
  makeWay();
  a.network(`forward: bridge\nbridge: { name: br0 }\n${vxlan('10.2.0.2', ', dev: c0')}`);
  await up(a);
  const [device] = host.made();
  host.must('ip link delete dev c0');
  expect(await infoOf(a.root, 'lan0')).toMatchObject({ state: 'broken', missing: [device] });
  const noWay = expect.stringContaining('there is no interface c0');
  expect(await refused(root, 'net', 'up', 'lan0')).toEqual({ status: 3, stderr: noWay });
  makeWay();
  await up(a);
  expect(await infoOf(a.root, 'lan0')).toMatchObject({ state: 'pinned', bridge: 'br0', mtu: 1450 });
  host.must('ip link delete dev br0');
  expect(await infoOf(a.root, 'lan0')).toMatchObject({ state: 'broken', missing: ['br0', device] });
  const noBridge = expect.stringContaining('the bridge br0, which qrun did not make, has gone');
  expect(await refused(root, 'net', 'up', 'lan0')).toEqual({ status: 3, stderr: noBridge });
  host.must('ip link add br0 type bridge');
  await up(a);
  expect(host.row(device ?? '')).toMatchObject({ master: 'br0' });
  await down(a);
  expect(host.made()).toEqual([]);
});

test('killed, or failing, at each step: gc and the failure itself give back all that was taken', async (context) => {
  const [a] = await createJoinedHosts(context, { count: 1 });
  if (a === undefined) throw new Error('no host');
  const { host, root } = a;
  host.must('ip link add c0 type veth peer name c1');
  const before = host.state();
  a.network(
    `forward: bridge\nbridge: { uplink: c0 }\nports: 1\nowner: ${ownerFor('user').name}\n${vxlan('10.1.0.2, 10.1.0.3')}`,
  );
  const points = [
    'acquired:bridge',
    'acquire:uplink',
    'acquired:uplink',
    'acquire:vxlan:0',
    'acquired:vxlan:0',
    'acquired:registry',
  ];
  for (const point of points) {
    if (point.startsWith('acquired')) {
      const failed = await root.qrun(['net', 'up', 'lan0'], { env: { QRUN_FAILPOINT: `${point}:throw` } });
      expect({ point, status: failed.status, state: host.state() }).toEqual({ point, status: 3, state: before });
    }
    await root.qrun(['net', 'up', 'lan0'], { env: { QRUN_FAILPOINT: `${point}:kill` } });
    expect({ point, made: host.made() }).not.toEqual({ point, made: [] });
    await must(root, 'gc');
    expect({ point, state: host.state() }).toEqual({ point, state: before });
  }
  // killed while it is given back: what is gone already is gone
  for (const step of ['vxlan:0', 'uplink', 'bridge']) {
    await up(a);
    await root.qrun(['net', 'down', 'lan0'], { env: { QRUN_FAILPOINT: `release:${step}:kill` } });
    await down(a);
    expect({ step, state: host.state() }).toEqual({ step, state: before });
  }
  await must(root, 'gc');
});
