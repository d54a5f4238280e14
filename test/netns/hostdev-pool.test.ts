/** `forward: hostdev` with the real qrun on a made-up PCI bus: virtual functions of a card are handed out to root's VMs. It was not run on hardware. */
import { expect, test } from 'vitest';
import { infoOf } from '../cli/a-network.ts';
import { createHome, type Home } from '../harness/harness.ts';
import { parseDocument } from '../harness/document.ts';
import { detach, eventually, leftOf, nothingLeft, ps, rowOf, still } from '../cli/a-vm.ts';
import { createCardHost, type CardHost, type MadeUpCard } from './a-card-host.ts';

const pf = '0000:01:00.0';
const vfs = ['0000:01:10.0', '0000:01:10.2'];
const cards: readonly MadeUpCard[] = [
  { address: pf, group: 1, driver: 'ixgbe', net: { name: 'eth2', totalVfs: 8 } },
  ...vfs.map((address, index) => ({ address, group: 10 + index, driver: 'ixgbevf', of: { address: pf, index } })),
];
const onFunctions = 'forward: hostdev\nbridge: { uplink: eth2 }\nvlan: 42\n';
const onLan = `${still}nics: ["network:lan0"]\n`;
const free = '00:00:00:00:00:00 0';

async function createPool(context: Parameters<typeof createCardHost>[0], text = onFunctions): Promise<CardHost> {
  const host = await createCardHost(context, cards);
  host.home.network('lan0', text);
  for (const vm of ['web1', 'web2', 'web3']) host.home.profile(vm, onLan);
  return host;
}

const asBefore = (host: CardHost): unknown =>
  vfs.map((address, index) => [...host.state(address), host.setting(index)]);
const given = vfs.map(() => ['ixgbevf', '', free]);

const isDown = async (home: Home): Promise<boolean> => (await infoOf(home, 'lan0')).state === 'defined';

test('each VM gets a function with its MAC in the network’s VLAN; none free names who has them; given back', async (context) => {
  const host = await createPool(context);
  const { home } = host;
  expect(asBefore(host)).toEqual(given);
  const shown = parseDocument('show', (await home.qrun(['show', 'web1', '--json'])).stdout) as {
    nics: { source: string; mac: string }[];
    steps: { kind: string }[];
  };
  expect(shown.nics[0]?.source).toBe('lan0 (eth2)');
  expect(shown.steps.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['member', 'vfio']));
  for (const vm of ['web1', 'web2']) await detach(home, vm);
  const macs = await Promise.all(['web1', 'web2'].map(async (vm) => (await rowOf(home, vm)).nics[0]?.mac));
  expect(macs[0]).toBe(shown.nics[0]?.mac);
  expect(asBefore(host)).toEqual(macs.map((mac) => ['vfio-pci', 'vfio-pci', `${mac} 42`]));
  expect(await infoOf(home, 'lan0')).toMatchObject({
    ...{ state: 'up', bridge: 'eth2', missing: [] },
    members: ['web1', 'web2'].map((vm, at) => ({ vm, mac: macs[at], state: 'paused' })),
  });
  const known = parseDocument('net-macs', (await home.qrun(['net', 'macs', 'lan0', '--json'])).stdout);
  expect(known).toMatchObject(macs.map((mac, at) => ({ mac, kind: 'member', device: vfs[at] })));
  expect(await home.qrun(['run', 'web3', '-d'])).toMatchObject({
    status: 4,
    stderr: expect.stringMatching(
      /no virtual function of eth2 is free[\s\S]*10\.0: web1 has it[\s\S]*10\.2: web2 has it/,
    ),
  });
  // what a running VM would get again is its own
  expect((await home.qrun(['show', 'web2'])).stdout).toContain(vfs[1]);
  await home.qrun(['kill', 'web1']);
  await detach(home, 'web3');
  expect(host.setting(0)).toBe(`${(await rowOf(home, 'web3')).nics[0]?.mac} 42`);
  expect(await home.qrun(['net', 'down', 'lan0'])).toMatchObject({ status: 4 });
  for (const vm of ['web2', 'web3']) await home.qrun(['kill', vm]);
  await eventually(() => isDown(home));
  expect(asBefore(host)).toEqual(given);
  expect(leftOf(home, 'web3')).toEqual([]);
});

test('three VMs at once for two functions: two get one each, the third is told', async (context) => {
  const host = await createPool(context);
  const { home } = host;
  const ends = await Promise.all(['web1', 'web2', 'web3'].map((vm) => home.qrun(['run', vm, '-d'])));
  expect(ends.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([0, 0, 4]);
  expect(ends.find(({ status }) => status === 4)?.stderr).toContain('no virtual function of eth2 is free');
  const running = await ps(home);
  expect(running).toHaveLength(2);
  expect(vfs.map((_address, index) => host.setting(index)).toSorted()).toEqual(
    running.map(({ nics }) => `${nics[0]?.mac} 42`).toSorted(),
  );
  for (const { vm } of running) await home.qrun(['kill', vm]);
  await eventually(() => isDown(home));
  expect(asBefore(host)).toEqual(given);
});

test('kill -9 of QEMU, and of qrun on its way: the function goes back to its driver, and the network ends', async (context) => {
  const host = await createPool(context);
  const { home } = host;
  const { pid } = await detach(home, 'web1');
  process.kill(pid, 'SIGKILL');
  expect(await nothingLeft(home, 'web1')).toBe(true);
  await eventually(() => isDown(home));
  expect(asBefore(host)).toEqual(given);
  for (const point of ['acquired:network:net0', 'acquired:vfio:net0', 'running']) {
    await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${point}:kill` } });
    await home.qrun(['kill', 'web1']);
    expect({ point, ...(await home.qrun(['gc'])) }).toMatchObject({ status: 0 });
    await eventually(() => isDown(home));
    expect({ point, state: asBefore(host), left: leftOf(home, 'web1') }).toEqual({ point, state: given, left: [] });
  }
});

test('pinned, and taken down with a VM on it: the card stays the guest’s until it ends', async (context) => {
  const host = await createPool(context);
  const { home } = host;
  expect(await home.qrun(['net', 'up', 'lan0'])).toMatchObject({ status: 0, stderr: 'lan0 is up\n' });
  expect(asBefore(host)).toEqual(given);
  await detach(home, 'web1');
  const { status, stderr } = await home.qrun(['net', 'down', 'lan0', '--force']);
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: expect.stringContaining(`net0 is the card ${vfs[0]}: it stays the guest's until the VM ends`),
  });
  expect(host.driver(vfs[0] ?? '')).toBe('vfio-pci');
  await home.qrun(['kill', 'web1']);
  expect(asBefore(host)).toEqual(given);
});

test('an ordinary user is told why, up or not; what no card honours is refused', async (context) => {
  const host = await createPool(context);
  const { home, namespace } = host;
  const user = createHome({ namespace, env: { QRUN_HOST_DIR: home.env['QRUN_HOST_DIR'] ?? '' } });
  user.network('lan0', onFunctions);
  user.profile('web1', onLan);
  const told = {
    status: 3,
    stderr: expect.stringMatching(/virtual functions of eth2 to root's VMs alone.*takes root[\s\S]*forward: macvtap/),
  };
  expect(await user.qrun(['run', 'web1', '-d'])).toMatchObject(told);
  await home.qrun(['net', 'up', 'lan0']);
  expect(await user.qrun(['run', 'web1', '-d'])).toMatchObject(told);
  expect((await user.qrun(['net', 'ls'])).stdout).toMatch(/lan0 .*hostdev/);
  await home.qrun(['net', 'down', 'lan0']);
  const bad = home.write('bad.yaml', `${onFunctions}dhcp: true\nports: 2\nowner: alice\nantiSpoof: true\n`, 0o644);
  expect(await home.qrun(['net', 'define', bad])).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/honour dhcp[\s\S]*honour ports: .*vfio[\s\S]*honour owner[\s\S]*honour antiSpoof/),
  });
  home.profile('web1', `${still}nics: [{ kind: network, network: lan0, model: e1000 }]\n`);
  expect(await home.qrun(['run', 'web1', '-d'])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('nics[0].model: on lan0 a NIC is a card itself'),
  });
  home.network('lan0', 'forward: hostdev\nbridge: { uplink: eth9 }\n');
  expect(await home.qrun(['run', 'web2', '-d'])).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('network lan0: there is no network card eth9'),
  });
  home.network('lan0', 'forward: hostdev\nbridge: { uplink: eth2-far }\n');
  expect(await home.qrun(['net', 'up', 'lan0'])).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('eth2-far has no virtual functions (SR-IOV)'),
  });
});

test('doctor looks at the card and its functions; show --shell takes one as qrun does', async (context) => {
  const host = await createPool(context);
  const { home } = host;
  const checks = JSON.parse((await home.qrun(['doctor', 'web1', '--json'])).stdout) as { id: string }[];
  expect(checks.find(({ id }) => id === 'cards')).toMatchObject({
    evidence: expect.stringContaining(`eth2 (${pf}) has 2 virtual functions of 8`),
  });
  expect(checks.find(({ id }) => id === 'nic-net0')).toMatchObject({
    evidence: expect.stringContaining('lan0 (eth2)'),
  });
  const script = home.write('web1.sh', (await home.qrun(['show', 'web1', '--shell'])).stdout, 0o700);
  const running = home.startProgram(['sh', script]);
  await eventually(() => Promise.resolve(host.driver(vfs[0] ?? '') === 'vfio-pci'));
  await eventually(async () => (await infoOf(home, 'lan0')).members.length === 1);
  running.kill('SIGTERM');
  await running.end;
  await eventually(() => isDown(home));
  expect(asBefore(host)).toEqual(given);
});
