/** Ports that root makes for ordinary users: taps on a bridge, macvtaps on a card. In a network of the test's own. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { must, needsQemu, ownerFor, readProcessesNaming, refused, waitUntil, type Home } from '../harness/harness.ts';
import { argvOf, detach, nothingLeft, rowOf, still } from '../cli/a-vm.ts';
import { createPortHost, type PortHost } from './a-port-host.ts';

const onBridge = (who: string): string => `forward: bridge\nscope: system\nbridge: { name: br0 }\nports: 2\n${who}\n`;
const onCard = (who: string): string => `forward: macvtap\nbridge: { uplink: v0 }\nports: 2\n${who}\n`;
const owner = (): string => `owner: ${ownerFor('user').name}`;

const nicOf = async (home: Home, vm: string): Promise<{ device: string; mac: string }> => {
  const [nic] = (await rowOf(home, vm)).nics as unknown as { hostInterface: string; mac: string }[];
  return { device: nic?.hostInterface ?? '', mac: nic?.mac ?? '' };
};

function vms({ home }: PortHost, ...names: string[]): void {
  for (const name of names) home.profile(name, `${still}nics: [{ kind: network, network: lan0 }]\n`);
}

const registryOf = ({ root }: PortHost): string => path.join(root.env['QRUN_HOST_DIR'] ?? '', 'networks/lan0.json');

test('two ports on a bridge: up, taken, all taken, kept, given on, down', async (context) => {
  needsQemu(context);
  const ports = await createPortHost(context);
  const { host, root, home } = ports;
  const before = host.state();
  root.network('lan0', onBridge(owner()));
  vms(ports, 'web1', 'web2', 'web3');
  expect(await refused(home, 'run', 'web1', '-d')).toMatchObject({ status: 2 });
  await must(root, 'net', 'up', 'lan0');
  const [one, two] = host.made();
  for (const device of [one ?? '', two ?? ''])
    expect(host.row(device)).toMatchObject({ master: 'br0', linkinfo: { info_data: { vnet_hdr: true } } });
  expect(statSync(registryOf(ports)).mode & 0o777).toBe(0o644);
  await detach(home, 'web1');
  const first = await nicOf(home, 'web1');
  const { pid } = await detach(home, 'web2');
  const second = await nicOf(home, 'web2');
  expect(new Set([first.device, second.device])).toEqual(new Set([one, two]));
  expect(argvOf(pid).join(' ')).toContain(second.mac);
  expect(await refused(home, 'run', 'web3', '-d')).toEqual({
    status: 4,
    stderr: expect.stringMatching(/all of its 2 ports are taken, by web1, web2|web2, web1/),
  });
  // what it would be can be looked at all the same
  const shown = await must(home, 'show', 'web3');
  expect(shown).toMatch(
    /net0: network lan0: all of its 2 ports are taken, by .*: a run is refused as long as they are/,
  );
  expect(shown).toMatch(/qr-[0-9a-f]{12}/);
  const [next] = JSON.parse(await must(home, 'nics', 'web3', '--json')) as { hostInterface: string; mac: string }[];
  expect(next).toMatchObject({ id: 'net0', network: 'lan0' });
  expect([first, second]).toContainEqual({ device: next?.hostInterface, mac: next?.mac });
  expect(await refused(home, 'doctor', 'web3')).toMatchObject({ status: 3 });
  const rows = JSON.parse(await must(home, 'net', 'ls', '--json')) as { name: string; vms: string[] }[];
  const row = rows.find(({ name }) => name === 'lan0');
  expect(row).toMatchObject({ state: 'pinned', scope: 'system', forward: 'bridge' });
  expect(row?.vms.toSorted()).toEqual(['web1', 'web2']);
  expect(JSON.parse(await must(root, 'net', 'info', 'lan0', '--json'))).toMatchObject({
    state: 'pinned',
    members: expect.arrayContaining([
      expect.objectContaining({ vm: `${ownerFor('user').name}/web1`, mac: first.mac, state: 'running' }),
    ]),
  });
  const busy = await refused(root, 'net', 'down', 'lan0');
  expect(busy).toEqual({ status: 4, stderr: expect.stringContaining('web1 of ') });
  expect(host.made()).toHaveLength(2);
  // kept from run to run
  await must(home, 'kill', 'web1');
  await must(home, 'kill', 'web2');
  await detach(home, 'web2');
  expect(await nicOf(home, 'web2')).toEqual(second);
  // given on, and said
  const given = await refused(home, 'run', 'web3', '-d');
  expect(given).toEqual({ status: 0, stderr: expect.stringContaining('which web1 had, is given on') });
  expect(await nicOf(home, 'web3')).toEqual(first);
  await must(home, 'kill', 'web2', 'web3');
  await must(root, 'net', 'down', 'lan0');
  expect(host.state()).toEqual(before);
  expect(existsSync(registryOf(ports))).toBe(false);
  // the MACs and who had what last over down and up
  await must(root, 'net', 'up', 'lan0');
  await detach(home, 'web2');
  expect(await nicOf(home, 'web2')).toEqual(second);
  await must(home, 'kill', 'web2');
  await must(root, 'net', 'down', 'lan0');
  expect(host.state()).toEqual(before);
});

test('macvtaps: their devices are given to the owner, and opened by QEMU', async (context) => {
  needsQemu(context);
  const ports = await createPortHost(context);
  const { host, root, home } = ports;
  const before = host.state();
  root.network('lan0', onCard(owner()));
  vms(ports, 'web1');
  await must(root, 'net', 'up', 'lan0');
  await detach(home, 'web1');
  const { device, mac } = await nicOf(home, 'web1');
  expect(host.row(device)).toMatchObject({ address: mac, link: 'v0', linkinfo: { info_data: { mode: 'bridge' } } });
  const registry = JSON.parse(readFileSync(registryOf(ports), 'utf8')) as { ports: { node: string }[] };
  const nodes = registry.ports.map(({ node }) => node);
  for (const node of nodes) {
    const { uid, mode } = statSync(node);
    expect({ uid, mode: mode & 0o777 }).toEqual({ uid: ownerFor('user').uid, mode: 0o600 });
  }
  expect(await refused(root, 'net', 'down', 'lan0')).toMatchObject({ status: 4 });
  await must(home, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
  expect(host.state()).toEqual(before);
  expect(nodes.filter((node) => existsSync(node))).toEqual([]);
});

/** A group that every Debian has. */
const usersGid = 100;

test('three users race for two ports: two get one, the third is told by whom they are taken', async (context) => {
  needsQemu(context);
  const ports = await createPortHost(context);
  const { host, root, another } = ports;
  const before = host.state();
  root.network('lan0', onBridge('group: users'));
  await must(root, 'net', 'up', 'lan0');
  const users = [54_321, 54_322, 54_323].map((uid) => another(uid, usersGid));
  for (const user of users) user.profile('web1', `${still}nics: [{ kind: network, network: lan0 }]\n`);
  for (let round = 0; round < 3; round += 1) {
    const ends = await Promise.all(users.map((user) => user.qrun('run', 'web1', '-d')));
    expect(ends.map(({ status }) => status).toSorted((left, right) => left - right)).toEqual([0, 0, 4]);
    expect(ends.find(({ status }) => status === 4)?.stderr).toMatch(/ports are taken, by a VM of uid 5432\d/);
    await Promise.all(users.map((user) => user.qrun('kill', 'web1')));
  }
  const stranger = another(54_324, 54_324);
  stranger.profile('web1', `${still}nics: [{ kind: network, network: lan0 }]\n`);
  const refused = await stranger.qrun('run', 'web1', '-d');
  expect(refused).toMatchObject({ status: 3, stderr: expect.stringContaining('usermod -aG users') });
  await must(root, 'net', 'down', 'lan0');
  expect(host.state()).toEqual(before);
});

test('kill -9 of QEMU and of its waiter frees the port', async (context) => {
  needsQemu(context);
  const ports = await createPortHost(context);
  const { root, home } = ports;
  root.network('lan0', onBridge(owner()).replace('ports: 2', 'ports: 1'));
  vms(ports, 'web1', 'web2');
  await must(root, 'net', 'up', 'lan0');
  const { pid } = await detach(home, 'web1');
  const waiter = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  for (const victim of waiter > 1 ? [waiter, pid] : [pid]) process.kill(victim, 'SIGKILL');
  expect(await waitUntil(() => !existsSync(`/proc/${pid}`), 30_000)).toBe(true);
  await detach(home, 'web2');
  await must(home, 'kill', 'web2');
  await must(home, 'gc');
  expect(await nothingLeft(home, 'web1')).toBe(true);
  await must(root, 'net', 'down', 'lan0');
});

test('what is gone is made again by net up; --force takes it from under its VM; twice down is once', async (context) => {
  needsQemu(context);
  const ports = await createPortHost(context);
  const { host, root, home } = ports;
  const before = host.state();
  root.network('lan0', onBridge(owner()));
  vms(ports, 'web1');
  await must(root, 'net', 'up', 'lan0');
  const made = host.made();
  host.must(`ip link delete dev ${made[0] ?? ''}`);
  expect(await must(root, 'net', 'ls')).toContain('broken');
  expect(await must(root, 'net', 'up', 'lan0')).toContain('had gone, and was made again');
  expect(host.made().toSorted()).toEqual(made.toSorted());
  const { pid } = await detach(home, 'web1');
  await must(root, 'net', 'down', 'lan0', '--force');
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  expect(host.state()).toEqual(before);
  await must(root, 'net', 'down', 'lan0');
  await must(home, 'kill', 'web1');
});

test.for([
  ['acquired:port:0', onBridge],
  ['acquire:registry', onBridge],
  ['acquired:registry', onBridge],
  ['acquired:port:0', onCard],
  ['acquired:port-node:0', onCard],
] as const)('killed at %s: gc gives all of it back', async ([point, text], context) => {
  const ports = await createPortHost(context);
  const { host, root } = ports;
  const before = host.state();
  root.network('lan0', text(owner()));
  const killed = await root.qrun(['net', 'up', 'lan0'], { env: { QRUN_FAILPOINT: `${point}:kill` } });
  expect(killed.status).not.toBe(0);
  expect(host.made().length).toBeGreaterThan(0);
  await must(root, 'gc');
  expect(host.state()).toEqual(before);
  expect(existsSync(registryOf(ports))).toBe(false);
  await must(root, 'gc');
});

test.for([onBridge, onCard])('what fails at a step gives back all before it: %#', async (text, context) => {
  const ports = await createPortHost(context);
  const { host, root } = ports;
  const before = host.state();
  root.network('lan0', text(owner()));
  for (const point of ['acquire:port:1', 'acquired:port:1', 'acquire:registry', 'acquired:registry']) {
    const failed = await root.qrun(['net', 'up', 'lan0'], { env: { QRUN_FAILPOINT: `${point}:throw` } });
    expect(failed).toMatchObject({ status: 3, stderr: expect.stringContaining(`failpoint ${point}`) });
    expect(host.state()).toEqual(before);
    expect(existsSync(registryOf(ports))).toBe(false);
  }
  // killed when nearly all was given back: what is gone already is gone
  await must(root, 'net', 'up', 'lan0');
  await root.qrun(['net', 'down', 'lan0'], { env: { QRUN_FAILPOINT: 'release:port:0:kill' } });
  expect(host.made()).toHaveLength(1);
  expect(existsSync(registryOf(ports))).toBe(false);
  await must(root, 'net', 'down', 'lan0');
  expect(host.state()).toEqual(before);
});

test('killed before and after its port is taken, a start leaves the port to others', async (context) => {
  needsQemu(context);
  const ports = await createPortHost(context);
  const { root, home } = ports;
  root.network('lan0', onBridge(owner()).replace('ports: 2', 'ports: 1'));
  vms(ports, 'web1', 'web2');
  await must(root, 'net', 'up', 'lan0');
  for (const point of ['acquire:port-lease:net0', 'acquired:port-lease:net0', 'spawn']) {
    await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${point}:kill` } });
    await detach(home, 'web2');
    await must(home, 'kill', 'web2');
  }
  await must(home, 'gc');
  expect(await nothingLeft(home, 'web1')).toBe(true);
  await must(root, 'net', 'down', 'lan0');
});

test('a network that is not up, a MAC of its own: each is told what helps; root’s VM', async (context) => {
  needsQemu(context);
  const ports = await createPortHost(context);
  const { host, root, home } = ports;
  root.network('lan0', onBridge(owner()));
  home.network('lan0', onBridge(owner()));
  vms(ports, 'web1');
  home.profile('web2', `${still}nics: [{ kind: network, network: lan0, mac: "52:54:00:11:22:33" }]\n`);
  root.profile('web1', `${still}nics: [{ kind: network, network: lan0 }]\n`);
  expect(await refused(home, 'run', 'web1', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('sudo qrun net up lan0'),
  });
  expect(await refused(home, 'net', 'up', 'lan0')).toEqual({
    status: 3,
    stderr: expect.stringContaining('sudo qrun net up lan0'),
  });
  await must(root, 'net', 'up', 'lan0');
  const made = host.made();
  expect(await refused(home, 'run', 'web2', '-d')).toMatchObject({ status: 2 });
  // root's VM needs none: it has a tap of its own
  await detach(root, 'web1');
  const { device } = await nicOf(root, 'web1');
  expect(host.row(device)).toMatchObject({ master: 'br0' });
  expect(made).not.toContain(device);
  await must(root, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
});

test('root’s definition without a scope: its user is told that it is not up, and has a port when it is', async (context) => {
  needsQemu(context);
  const ports = await createPortHost(context);
  const { host, root, home } = ports;
  const text = `forward: nat\naddresses: [10.88.0.1/24]\nports: 1\n${owner()}\nantiSpoof: true\n`;
  root.network('lan0', text);
  // the same file, as in a directory that both look into
  home.network('lan0', text);
  home.network('lan1', 'forward: nat\naddresses: [10.89.0.1/24]\n');
  vms(ports, 'web1');
  const rows = async (): Promise<unknown> => JSON.parse(await must(home, 'net', 'ls', '--json')) as unknown;
  const info = async (): Promise<unknown> => JSON.parse(await must(home, 'net', 'info', 'lan0', '--json')) as unknown;
  const isNotUp = { status: 3, stderr: expect.stringMatching(/network lan0 is not up.*\n.* sudo qrun net up lan0\n$/) };
  for (const words of [
    'run web1 -d',
    'show web1',
    'net up lan0',
    'net show lan0',
    'net leases lan0',
    'net forward lan0',
  ])
    expect({ words, ...(await refused(home, ...words.split(' '))) }).toEqual({ words, ...isNotUp });
  const lan0 = { name: 'lan0', state: 'defined', scope: 'system', transport: 'tap', fault: null };
  const lan1 = { name: 'lan1', state: 'defined', scope: 'user', transport: 'hub', fault: null };
  expect(await rows()).toEqual(expect.arrayContaining([lan0, lan1].map((row) => expect.objectContaining(row))));
  expect(await info()).toMatchObject({ state: 'defined', scope: 'system', subnet: '10.88.0.0/24' });
  expect(JSON.parse(await must(home, 'net', 'macs', 'lan0', '--json'))).toMatchObject([{ device: 'qr-lan0' }]);
  const { stdout } = await home.qrun(['doctor', 'web1', '--json']);
  const checks = JSON.parse(stdout) as { state: string; mend: string }[];
  expect(checks.filter(({ mend }) => mend === 'sudo qrun net up lan0')).toMatchObject([{ state: 'fail' }]);
  // root takes up no file that is another's
  expect(await refused(root, 'net', 'up', path.join(home.config, 'networks/lan0.yaml'))).toEqual({
    status: 2,
    stderr: expect.stringContaining('belongs to another user'),
  });
  await must(root, 'net', 'up', 'lan0');
  expect(await info()).toMatchObject({ state: 'pinned', scope: 'system', transport: 'tap' });
  await detach(home, 'web1');
  expect(host.made()).toContain((await nicOf(home, 'web1')).device);
  await must(home, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
  expect(await refused(home, 'run', 'web1', '-d')).toEqual(isNotUp);
});

test.for([onBridge(owner()), `forward: isolated\naddresses: [10.88.0.1/24]\nports: 1\n${owner()}\n`])(
  'a network that root’s VM brought up lasts until the port is free: %#',
  async (text, context) => {
    needsQemu(context);
    const ports = await createPortHost(context);
    const { host, root, home } = ports;
    const before = host.made();
    root.network('lan0', text);
    vms(ports, 'web1');
    root.profile('web1', `${still}nics: [{ kind: network, network: lan0 }]\n`);
    await detach(root, 'web1');
    const { pid } = await detach(home, 'web1');
    const { device } = await nicOf(home, 'web1');
    await must(root, 'kill', 'web1');
    await must(root, 'gc');
    const row = host.row(device);
    expect(row?.master).toBe(text.startsWith('forward: bridge') ? 'br0' : 'qr-lan0');
    expect((await rowOf(home, 'web1')).nics[0]).not.toHaveProperty('link');
    process.kill(pid, 'SIGKILL');
    expect(await waitUntil(() => host.made().length === before.length, 30_000)).toBe(true);
  },
);

test.for([onBridge, onCard])(
  'show --shell: the script takes the same port under the same lock: %#',
  async (text, context) => {
    needsQemu(context);
    const ports = await createPortHost(context);
    const { root, home } = ports;
    root.network('lan0', text(owner()).replace('ports: 2', 'ports: 1'));
    vms(ports, 'web1', 'web2');
    await must(root, 'net', 'up', 'lan0');
    const script = home.write('web1.sh', (await home.qrun(['show', 'web1', '--shell'])).stdout, 0o700);
    const running = home.startProgram(['sh', script]);
    // the lock is taken before QEMU is started
    const isUp = (): boolean => readProcessesNaming(home.dir).some(({ command }) => command.includes('guest=web1'));
    expect({ up: await waitUntil(isUp, 30_000), stderr: running.stderr }).toMatchObject({ up: true });
    expect(await refused(home, 'run', 'web2', '-d')).toEqual({
      status: 4,
      stderr: expect.stringContaining('its port is taken'),
    });
    running.kill('SIGTERM');
    await running.end;
    await detach(home, 'web2');
    await must(home, 'kill', 'web2');
    await must(root, 'net', 'down', 'lan0');
  },
);

test('of an earlier boot: users find no network, and net up makes it anew with the same MACs', async (context) => {
  needsQemu(context);
  const ports = await createPortHost(context);
  const { host, root, home } = ports;
  root.network('lan0', onBridge(owner()));
  vms(ports, 'web1');
  await must(root, 'net', 'up', 'lan0');
  const macs = (): string[] => host.made().map((name) => host.row(name)?.address ?? '');
  const before = macs();
  const files = ['network.json', 'journal'].map((name) => path.join(root.state, 'networks/lan0', name));
  for (const file of [registryOf(ports), ...files])
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"bootId":"[^"]*"/, '"bootId":"of-before"'));
  for (const name of host.made()) host.must(`ip link delete dev ${name}`);
  expect(await refused(home, 'run', 'web1', '-d')).toMatchObject({ status: 2 });
  await must(root, 'net', 'up', 'lan0');
  expect(macs().toSorted()).toEqual(before.toSorted());
  await detach(home, 'web1');
  await must(home, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
});
