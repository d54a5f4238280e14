/** `forward: macvtap` as a network: root's VMs make macvtaps of their own on its card, ordinary users' VMs take a port beside them. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { infoOf } from '../cli/a-network.ts';
import { must, needsQemu, ownerFor, readProcessesNaming, refused, type Home } from '../harness/harness.ts';
import { parseDocument } from '../harness/document.ts';
import { argvOf, detach, eventually, leftOf, nothingLeft, ps, rowOf, statusOf, still } from '../cli/a-vm.ts';
import { createPortHost, type PortHost } from './a-port-host.ts';

const onCard = 'forward: macvtap\nbridge: { uplink: v0 }\n';
const withPorts = (): string => `${onCard}ports: 1\nowner: ${ownerFor('user').name}\n`;
const onLan = `${still}nics: ["network:lan0"]\n`;

interface NicRow {
  readonly kind: string;
  readonly mac: string;
  readonly hostInterface: string;
  readonly network: string;
  readonly link?: string;
}
const nicOf = async (home: Home, vm: string): Promise<NicRow> => (await rowOf(home, vm)).nics[0] as unknown as NicRow;

const isDown = (ports: PortHost) => async (): Promise<boolean> =>
  (await infoOf(ports.root, 'lan0')).state === 'defined';

async function createPool(context: Parameters<typeof createPortHost>[0], text: string, vms = 1): Promise<PortHost> {
  needsQemu(context);
  const ports = await createPortHost(context);
  ports.root.network('lan0', text);
  for (let number = 1; number <= vms; number += 1) ports.root.profile(`web${number}`, onLan);
  return ports;
}

test('two VMs: each has a macvtap with its MAC on the card, and the network lasts from the first to the last', async (context) => {
  const ports = await createPool(context, onCard, 2);
  const { host, root } = ports;
  const before = host.state();
  expect((await must(root, 'net', 'show', 'lan0')).split('Steps')[0]).toContain('macvtap');
  const shown = parseDocument('show', (await root.qrun(['show', 'web1', '--json'])).stdout) as {
    steps: { kind: string }[];
  };
  const kinds = shown.steps.map(({ kind }) => kind);
  expect(kinds.filter((kind) => ['member', 'link', 'tap-node'].includes(kind))).toEqual(['member', 'link', 'tap-node']);
  for (const vm of ['web1', 'web2']) {
    const { pid } = await detach(root, vm);
    const nic = await nicOf(root, vm);
    expect(nic).toMatchObject({ kind: 'network', network: 'lan0', source: 'lan0 (v0)' });
    expect(host.row(nic.hostInterface)).toMatchObject({
      address: nic.mac,
      link: 'v0',
      flags: expect.arrayContaining(['UP', 'ALLMULTI']),
      ifalias: expect.stringMatching(new RegExp(`^qrun:${vm}/net0:`)),
      linkinfo: { info_kind: 'macvtap', info_data: { mode: 'bridge' } },
    });
    expect(argvOf(pid).join(' ')).toContain(nic.mac);
  }
  const macs = await Promise.all(['web1', 'web2'].map(async (vm) => (await nicOf(root, vm)).mac));
  expect(await infoOf(ports.root, 'lan0')).toMatchObject({
    ...{ state: 'up', bridge: 'v0', missing: [] },
    members: macs.map((mac, at) => ({ vm: `web${at + 1}`, mac, state: 'paused' })),
  });
  const rows = parseDocument('net-ls', (await root.qrun(['net', 'ls', '--json'])).stdout) as { name: string }[];
  expect(rows.find(({ name }) => name === 'lan0')).toMatchObject({
    ...{ state: 'up', forward: 'macvtap', vms: ['web1', 'web2'], fault: null },
  });
  const known = parseDocument('net-macs', (await root.qrun(['net', 'macs', 'lan0', '--json'])).stdout);
  expect(known).toMatchObject(macs.map((mac) => ({ mac, kind: 'member', joined: true })));
  expect(JSON.parse((await root.qrun(['net', 'leases', 'lan0', '--json'])).stdout)).toEqual([]);
  expect(await refused(root, 'net', 'forward', 'lan0', '8080:10.78.0.9:80')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('forward: macvtap cannot honour forwards'),
  });
  expect(await refused(root, 'net', 'down', 'lan0')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('web1, web2 are on it'),
  });
  await must(root, 'kill', 'web1');
  expect((await infoOf(ports.root, 'lan0')).state).toBe('up');
  await must(root, 'kill', 'web2');
  await eventually(isDown(ports));
  expect(host.state()).toEqual(before);
  expect([leftOf(root, 'web1'), leftOf(root, 'web2')]).toEqual([[], []]);
});

test('pinned: it stays without VMs; --force takes it from a VM, which lives on; twice down is once', async (context) => {
  const ports = await createPool(context, `${onCard}hostAccess: true\n`);
  const { host, root } = ports;
  const before = host.state();
  await must(root, 'net', 'up', 'lan0');
  expect(host.state()).toEqual(before);
  const { pid } = await detach(root, 'web1');
  // the host's way is there as long as the macvtap
  expect(host.made()).toHaveLength(2);
  expect(host.made().filter((name) => name.startsWith('qr-way'))).toHaveLength(1);
  host.must(`ip link delete dev ${host.made().find((name) => name.startsWith('qr-way'))}`);
  expect((await root.qrun(['nics', 'web1'])).stderr).toMatch(/the host's way on v0 is gone[\s\S]*qrun stop web1/);
  expect((await root.qrun(['doctor', '--json'])).stdout).toContain('there is no such network');
  await must(root, 'net', 'down', 'lan0', '--force');
  expect(statusOf(pid, 'State')).not.toContain('Z');
  await must(root, 'kill', 'web1');
  expect(host.state()).toEqual(before);
  await must(root, 'net', 'down', 'lan0');
  expect((await infoOf(ports.root, 'lan0')).state).toBe('defined');
});

test('root’s VM brings up the network of a user’s port: both at once, and whoever is last ends it', async (context) => {
  const ports = await createPool(context, `${withPorts()}isolatedPorts: true\n`);
  const { host, root, home } = ports;
  home.profile('web1', onLan);
  home.profile('web2', onLan);
  const before = host.state();
  await detach(root, 'web1');
  expect(await infoOf(ports.root, 'lan0')).toMatchObject({ state: 'up', members: [{ vm: 'web1' }] });
  const { pid } = await detach(home, 'web1');
  const [own, port] = [await nicOf(root, 'web1'), await nicOf(home, 'web1')];
  expect(new Set([own.hostInterface, port.hostInterface, own.mac, port.mac]).size).toBe(4);
  for (const { hostInterface, mac } of [own, port])
    expect(host.row(hostInterface)).toMatchObject({
      ...{ address: mac, link: 'v0' },
      linkinfo: { info_kind: 'macvtap', info_data: { mode: 'private' } },
    });
  const user = ownerFor('user').name;
  expect((await infoOf(ports.root, 'lan0')).members.map(({ vm }) => vm).toSorted()).toEqual(
    [`${user}/web1`, 'web1'].toSorted(),
  );
  expect(await refused(home, 'run', 'web2', '-d')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('its port is taken, by web1'),
  });
  expect(await refused(root, 'net', 'down', 'lan0')).toMatchObject({
    status: 4,
    stderr: expect.stringMatching(
      new RegExp(`web1, ${user}/web1 are on it[^]*stop them, or: qrun net down lan0 --force`),
    ),
  });
  // root's is gone, and the user's is not cut off
  await must(root, 'kill', 'web1');
  await must(root, 'gc');
  expect((await infoOf(ports.root, 'lan0')).state).toBe('up');
  expect(await nicOf(home, 'web1')).not.toHaveProperty('link');
  expect(host.row(port.hostInterface)).toMatchObject({ address: port.mac });
  process.kill(pid, 'SIGKILL');
  await eventually(isDown(ports));
  expect(host.state()).toEqual(before);
});

test('an ordinary user on a network without ports: exit 3 with the command that makes some, up or not', async (context) => {
  const ports = await createPool(context, onCard);
  const { root, home } = ports;
  home.network('lan0', onCard);
  home.profile('web1', onLan);
  const told = (more: string): unknown => ({
    status: 3,
    stderr: expect.stringMatching(
      new RegExp(`lan0 has no ports for ordinary users[\\s\\S]*ports: 4 and owner.*${more}sudo qrun net up lan0`),
    ),
  });
  expect(await refused(home, 'run', 'web1', '-d')).toEqual(told(''));
  expect(await refused(home, 'net', 'up', 'lan0')).toEqual(told(''));
  await must(root, 'net', 'up', 'lan0');
  expect(await refused(home, 'run', 'web1', '-d')).toEqual(told('.*sudo qrun net down lan0; '));
  expect((await home.qrun(['net', 'ls', '--json'])).stdout).toContain('"pinned"');
  await must(root, 'net', 'down', 'lan0');
});

test('kill -9 of QEMU, of its waiter, of qrun at each step: the macvtap and the network go all the same', async (context) => {
  const ports = await createPool(context, onCard);
  const { host, root } = ports;
  const before = host.state();
  const { pid } = await detach(root, 'web1');
  process.kill(pid, 'SIGKILL');
  expect(await nothingLeft(root, 'web1')).toBe(true);
  await eventually(isDown(ports));
  expect(host.state()).toEqual(before);
  const next = await detach(root, 'web1');
  for (const victim of [Number(statusOf(next.pid, 'PPid')), next.pid].filter((one) => one > 1))
    process.kill(victim, 'SIGKILL');
  await eventually(isDown(ports));
  await must(root, 'gc');
  expect(host.state()).toEqual(before);
  for (const point of ['acquired:registry', 'acquired:macvtap:net0']) {
    const failed = await root.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${point}:throw` } });
    expect({ point, status: failed.status, state: host.state() }).toEqual({ point, status: 3, state: before });
  }
  for (const point of ['acquired:network:net0', 'acquired:macvtap:net0', 'running']) {
    await root.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${point}:kill` } });
    await root.qrun(['kill', 'web1']);
    await must(root, 'gc');
    await eventually(isDown(ports));
    expect({ point, state: host.state(), left: leftOf(root, 'web1') }).toEqual({ point, state: before, left: [] });
  }
});

test('the card goes: exit 3 names it, before and while it is up; what runs is told, and ends as ever', async (context) => {
  const ports = await createPool(context, onCard, 2);
  const { host, root } = ports;
  await must(root, 'net', 'up', 'lan0');
  await detach(root, 'web1');
  const card = 'ip link add v0 type veth peer name v1';
  host.must('ip link delete dev v0');
  expect(await infoOf(ports.root, 'lan0')).toMatchObject({
    ...{ state: 'broken', missing: ['v0'] },
    members: [{ vm: 'web1', state: 'lost' }],
  });
  expect(await nicOf(root, 'web1')).toMatchObject({ link: 'lost' });
  const gone = { status: 3, stderr: expect.stringMatching(/v0/) };
  expect(await refused(root, 'run', 'web2', '-d')).toEqual(gone);
  expect(await refused(root, 'net', 'up', 'lan0')).toEqual({
    status: 3,
    stderr: expect.stringContaining('its card v0 is gone'),
  });
  const doctor = await root.qrun(['doctor', 'web2', '--json']);
  expect(doctor.stdout).toMatch(/no network card v0/);
  // it is there again: new VMs have it
  host.must(card);
  host.must('ip link set dev v0 up');
  expect((await infoOf(ports.root, 'lan0')).state).toBe('pinned');
  await detach(root, 'web2');
  for (const vm of ['web1', 'web2']) await must(root, 'kill', vm);
  host.must('ip link delete dev v0');
  await must(root, 'net', 'down', 'lan0');
  expect(await refused(root, 'run', 'web1', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('network lan0: there is no network card v0'),
  });
  expect(await ps(root)).toEqual([]);
});

test('doctor, and a MAC of the card’s own; the definition is checked', async (context) => {
  const ports = await createPool(context, onCard);
  const { host, root } = ports;
  const checks = JSON.parse((await root.qrun(['doctor', 'web1', '--json'])).stdout) as { id: string; state: string }[];
  expect(checks.map(({ id }) => id)).toEqual(expect.arrayContaining(['vhost', 'link-rights', 'nic-net0', 'profile']));
  expect(checks.find(({ id }) => id === 'nic-net0')).toMatchObject({
    evidence: expect.stringMatching(/^qr-[0-9a-f]{12} on lan0 \(v0\)/),
  });
  root.profile('web2', `${still}nics: [{ kind: network, network: lan0, mac: "52:54:00:ff:00:02" }]\n`);
  expect(await refused(root, 'run', 'web2', '-d')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining("is v0's own MAC"),
  });
  await eventually(isDown(ports));
  expect(host.made()).toEqual([]);
  const file = root.write('bad.yaml', `${onCard}dhcp: true\nmtu: 1400\n`, 0o644);
  expect(await refused(root, 'net', 'define', file)).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/cannot honour dhcp[\s\S]*cannot honour mtu/),
  });
});

test('show --shell: the script joins and leaves as qrun does', async (context) => {
  const ports = await createPool(context, onCard);
  const { host, root } = ports;
  const before = host.state();
  const script = root.write('web1.sh', (await root.qrun(['show', 'web1', '--shell'])).stdout, 0o700);
  expect(readFileSync(script, 'utf8')).toContain('type macvtap mode bridge');
  const running = root.startProgram(['sh', script]);
  const runs = (): boolean => readProcessesNaming(root.dir).some(({ command }) => command.includes('guest=web1'));
  await eventually(() => Promise.resolve(runs()));
  expect(await infoOf(ports.root, 'lan0')).toMatchObject({ state: 'up', members: [{ vm: 'web1' }] });
  expect(host.made()).toHaveLength(1);
  running.kill('SIGTERM');
  await running.end;
  await eventually(isDown(ports));
  expect(host.state()).toEqual(before);
  await must(root, 'gc');
});
