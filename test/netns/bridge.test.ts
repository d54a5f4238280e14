/** `kind: bridge` with the real helper in a network of the test's own. */
import { chmodSync, chownSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  bothQemus,
  createHome,
  needsEitherQemu,
  needsQemu,
  testFacts,
  waitUntil,
  type Home,
} from '../harness/harness.ts';
import { argvOf, detach, leftOf, ps, rowOf, statusOf, still } from '../cli/a-vm.ts';
import { createBridgeHost } from './a-bridge-host.ts';

test.for(bothQemus)(
  'an ordinary user has a guest on the bridge; its tap is told, and gone with it, with the %s QEMU',
  async (which, context) => {
    const qemu = needsEitherQemu(context, which);
    const host = await createBridgeHost(context);
    const before = host.links();
    const home = createHome({ qemu, namespace: host.namespace });
    home.profile('web1', `${still}nics: [bridge:br0, { kind: bridge, bridge: br0 }]\n`);
    await detach(home, 'web1');
    expect(host.links().filter((row) => row.includes(' br0 '))).toEqual(['tap0 1500 br0 up', 'tap1 1500 br0 up']);
    const row = await rowOf(home, 'web1');
    expect(row).toMatchObject({
      nics: [
        { kind: 'bridge', source: 'br0', hostInterface: 'tap0' },
        { kind: 'bridge', hostInterface: 'tap1' },
      ],
    });
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect(await host.linksAgain(before)).toEqual(before);
  },
);

test.for(['capability', 'setuid'] as const)(
  'root’s QEMU is nobody’s, has no right itself, and has its guest on the bridge all the same, with a helper by %s',
  async (rights, context) => {
    needsQemu(context);
    const host = await createBridgeHost(context, { rights });
    const before = host.links();
    const home = createHome({ as: 'root', namespace: host.namespace });
    home.profile('web1', `${still}nics: [bridge:br0]\n`);
    const { pid } = await detach(home, 'web1');
    expect(await hostInterfaces(home, 'web1')).toEqual(['tap0']);
    expect(statusOf(pid, 'Uid')).not.toMatch(/\b0\b/);
    for (const set of ['CapEff', 'CapPrm', 'CapInh', 'CapAmb']) expect(statusOf(pid, set)).toMatch(/^0+$/);
    // all that is left of the bounding set is what the helper needs
    expect(BigInt(`0x${statusOf(pid, 'CapBnd')}`)).toBe(
      rights === 'capability' ? 1n << 12n : (1n << 12n) | 0b1_1100_0000n,
    );
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect(await host.linksAgain(before)).toEqual(before);
  },
);

test('for root the rights of the account count that QEMU runs as', async (context) => {
  needsQemu(context);
  const host = await createBridgeHost(context);
  host.conf('allow br0\n', 0o600);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [bridge:br0]\n`);
  const { status, stderr } = await home.qrun(['run', 'web1', '-d']);
  expect({ status, stderr }).toEqual({
    status: 3,
    stderr: expect.stringContaining('nobody may not read /etc/qemu/bridge.conf'),
  });
});

const hostInterfaces = async (home: Home, vm: string): Promise<(string | null)[]> =>
  (JSON.parse((await home.qrun(['nics', vm, '--json'])).stdout) as { hostInterface: string | null }[]).map(
    ({ hostInterface }) => hostInterface,
  );

test('two bridges and two NICs on one: each is told its own tap', async (context) => {
  needsQemu(context);
  const host = await createBridgeHost(context, { conf: 'allow all\n' });
  host.must('ip', 'link', 'add', 'br1', 'type', 'bridge');
  host.must('ip', 'link', 'set', 'br1', 'up');
  const home = createHome({ namespace: host.namespace });
  home.profile('web1', `${still}nics: [bridge:br0, user, bridge:br1, bridge:br0]\n`);
  await detach(home, 'web1');
  expect(await hostInterfaces(home, 'web1')).toEqual(['tap0', null, 'tap1', 'tap2']);
  expect(host.links().filter((row) => row.startsWith('tap'))).toEqual([
    'tap0 1500 br0 up',
    'tap1 1500 br1 up',
    'tap2 1500 br0 up',
  ]);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});

test('what QEMU is told is what one would write by hand; an MTU of the bridge is told to the guest', async (context) => {
  needsQemu(context);
  const host = await createBridgeHost(context, { mtu: 1400 });
  const home = createHome({ namespace: host.namespace });
  home.profile(
    'web1',
    `${still}nics: [bridge:br0, { kind: bridge, bridge: br0, model: e1000 }, { kind: bridge, bridge: br0, mtu: 1450 }]\n`,
  );
  const { stderr } = await home.qrun(['run', 'web1', '-d']);
  expect(stderr).toContain('net1: br0 has an MTU of 1400, which a e1000 does not tell the guest');
  expect(stderr).toContain('net2: br0 has an MTU of 1400: of the 1450');
  const argv = argvOf((await rowOf(home, 'web1')).pid);
  expect(JSON.parse(argv[argv.indexOf('-netdev') + 1] ?? '')).toEqual({ type: 'bridge', id: 'net0', br: 'br0' });
  const cards = argv.flatMap((word) => (word.includes('"netdev"') ? [JSON.parse(word) as { host_mtu?: number }] : []));
  expect(cards.map(({ host_mtu: mtu }) => mtu)).toEqual([1400, undefined, 1450]);
  expect(argv).not.toContain('-sandbox');
  expect(stderr).toContain('QEMU runs without its sandbox: net0: ');
  expect(host.links().filter((row) => row.startsWith('tap0'))).toEqual(['tap0 1400 br0 up']);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});

test('a bridge that is down is told, and does not keep the VM from starting', async (context) => {
  needsQemu(context);
  const host = await createBridgeHost(context);
  host.must('ip', 'link', 'set', 'br0', 'down');
  const home = createHome({ namespace: host.namespace });
  home.profile('web1', `${still}nics: [bridge:br0]\n`);
  const { status, stderr } = await home.qrun(['run', 'web1', '-d']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('sudo ip link set br0 up') });
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});

test('a bridge without a MAC of its own changes it with its guests: told, until it is given one', async (context) => {
  needsQemu(context);
  const host = await createBridgeHost(context, { conf: 'allow br1\n' });
  host.must('ip', 'link', 'add', 'br1', 'type', 'bridge');
  host.must('ip', 'link', 'set', 'br1', 'up');
  const home = createHome({ namespace: host.namespace });
  home.profile('web1', `${still}nics: [bridge:br1]\n`);
  const mendOf = async (): Promise<string | undefined> =>
    /br1 has no MAC of its own.*for good: sudo (.*?)\)/s.exec(
      (await home.qrun(['show', 'web1'])).stdout.replaceAll(/\s+/g, ' '),
    )?.[1];
  const macOf = (): string => host.must('cat', '/sys/class/net/br1/address').trim();
  const before = macOf();
  expect(await mendOf()).toBe(`ip link set dev br1 address ${before}`);
  await detach(home, 'web1');
  expect(macOf()).toMatch(/^fe:/);
  expect(await mendOf()).toMatch(/ address 02:/);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(await waitUntil(() => macOf() === '00:00:00:00:00:00', 30_000)).toBe(true);
  const mend = (await mendOf()) ?? '';
  host.must(...mend.split(' '));
  expect(await mendOf()).toBeUndefined();
  const lasting = macOf();
  await detach(home, 'web1');
  expect(macOf()).toBe(lasting);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  // a card's MAC is lower than any tap's
  host.must('ip', 'link', 'add', 'br2', 'type', 'bridge');
  host.must('ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  host.must('ip', 'link', 'set', 'v0', 'master', 'br2');
  host.conf('allow all\n');
  home.profile('web1', `${still}nics: [bridge:br2]\n`);
  expect((await home.qrun(['show', 'web1'])).stdout).not.toContain('no MAC of its own');
});

test('kill -9 of QEMU leaves no tap, and of qrun’s waiter none either when the VM is ended', async (context) => {
  needsQemu(context);
  const host = await createBridgeHost(context);
  const before = host.links();
  const home = createHome({ namespace: host.namespace });
  home.profile('web1', `${still}nics: [bridge:br0]\n`);
  const { pid } = await detach(home, 'web1');
  process.kill(pid, 'SIGKILL');
  expect(await waitUntil(() => host.taps().length === 0, 30_000)).toBe(true);
  expect(await waitUntil(() => leftOf(home, 'web1').length === 0, 30_000)).toBe(true);
  const again = await detach(home, 'web1');
  process.kill(Number(statusOf(again.pid, 'PPid')), 'SIGKILL');
  expect(host.taps()).toEqual(await hostInterfaces(home, 'web1'));
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(await host.linksAgain(before)).toEqual(before);
});

test('ABUSE 18: twenty VMs at once on one bridge have twenty taps and MACs, and leave none', async (context) => {
  needsQemu(context);
  const host = await createBridgeHost(context);
  const before = host.links();
  const home = createHome({ namespace: host.namespace });
  const names = Array.from({ length: 20 }, (_, index) => `web${index}`);
  for (const name of names) home.profile(name, `${still}nics: [bridge:br0]\n`);
  const { status, stderr } = await home.qrun(['run', '-d', ...names], { timeoutMs: 120_000 });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const rows = (await ps(home)).flatMap(({ nics }) => nics as readonly { mac: string; hostInterface?: string }[]);
  expect(new Set(rows.map(({ mac }) => mac)).size).toBe(20);
  const taps = rows.map(({ hostInterface }) => hostInterface);
  expect(new Set(taps)).toEqual(new Set(host.taps()));
  expect(new Set(taps).size).toBe(20);
  expect((await home.qrun(['kill', ...names], { timeoutMs: 120_000 })).status).toBe(0);
  expect(await host.linksAgain(before)).toEqual(before);
});

test('a bridge that goes between the look and the start is named, in the words of qrun', async (context) => {
  needsQemu(context);
  const host = await createBridgeHost(context);
  const home = createHome({ namespace: host.namespace });
  const hook = home.write('go', '#!/bin/sh\necho "deny br0" > /etc/qemu/bridge.conf\n', 0o755);
  host.must('chmod', '666', '/etc/qemu/bridge.conf');
  home.profile('web1', `${still}nics: [bridge:br0]\nhooks: { beforeStart: [${hook}] }\n`);
  const { status, stderr } = await home.qrun(['run', 'web1', '-d']);
  expect({ status, stderr }).toEqual({
    status: 3,
    stderr: expect.stringContaining('bridge.conf does not allow this bridge'),
  });
  expect(stderr).toContain('access denied by acl file');
  expect(leftOf(home, 'web1')).toEqual([]);
});

test('doctor tells the helper, the bridges with the host’s addresses, and a bridge.conf that others can write', async (context) => {
  needsQemu(context);
  const host = await createBridgeHost(context, { address: '10.9.0.1/24' });
  const home = createHome({ namespace: host.namespace });
  const checks = async (): Promise<{ id: string; state: string; evidence: string; mend: string | null }[]> =>
    JSON.parse((await home.qrun(['doctor', '--json'])).stdout);
  expect(await checks()).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        id: 'bridge',
        state: 'ok',
        evidence: expect.stringMatching(/lets \S+ on br0 \(10\.9\.0\.1\)$/),
      }),
    ]),
  );
  // a tap of the helper's goes with its QEMU, and is nobody's to use
  home.profile('web0', `${still}nics: [bridge:br0]\n`);
  await detach(home, 'web0');
  expect(host.taps()).toEqual(['tap0']);
  expect(await checks()).toContainEqual(
    expect.objectContaining({ id: 'taps', state: 'ok', evidence: 'there is none' }),
  );
  expect((await home.qrun(['kill', 'web0'])).status).toBe(0);
  host.conf('allow br1\n', 0o666);
  expect(await checks()).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ id: 'bridge', state: 'warn', mend: 'sudo qrun setup --bridge br0' }),
      expect.objectContaining({ id: 'bridge-conf', state: 'warn', mend: expect.stringContaining('chmod go-w') }),
    ]),
  );
  home.profile('web1', `${still}nics: [bridge:br0]\n`);
  const { status, stdout } = await home.qrun(['doctor', 'web1', '--json']);
  expect({ status, stdout: JSON.parse(stdout) }).toEqual({
    status: 3,
    stdout: expect.arrayContaining([
      expect.objectContaining({ id: 'profile', state: 'fail', mend: 'sudo qrun setup --bridge br0' }),
    ]),
  });
});

test('the script of show --shell runs by itself', async (context) => {
  needsQemu(context);
  const host = await createBridgeHost(context);
  const before = host.links();
  const home = createHome({ namespace: host.namespace });
  home.profile('web1', `${still}nics: [bridge:br0]\n`);
  const { stdout } = await home.qrun(['show', 'web1', '--shell']);
  const script = home.startProgram(['sh', '-c', stdout]);
  expect(await waitUntil(() => host.taps().length === 1, 30_000)).toBe(true);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  await script.end;
  expect(await host.linksAgain(before)).toEqual(before);
});

test('everything for one group alone: who has it among the supplementary ones gets in, and the others are told which', async (context) => {
  needsQemu(context);
  const { user, node, bin } = testFacts();
  const host = await createBridgeHost(context, { tunMode: '660' });
  const home = createHome({ namespace: host.namespace });
  const gid = 54_321;
  chownSync(host.conf('allow br0\n', 0o640), 0, gid);
  chownSync(`${host.namespace.dir}/tun`, 0, gid);
  chownSync(`${host.namespace.dir}/helper`, 0, gid);
  chmodSync(`${host.namespace.dir}/helper`, 0o750);
  host.must('setcap', 'cap_net_admin=ep', `${host.namespace.dir}/helper`);
  home.profile('web1', `${still}nics: [bridge:br0]\n`);
  const as = (groups: string, ...args: string[]) =>
    home.run(
      ['setpriv', `--reuid=${user?.uid}`, `--regid=${user?.gid}`, groups, '--inh-caps=-all', '--', node, bin, ...args],
      { as: 'root' },
    );
  const refused = await as('--clear-groups', 'run', 'web1', '-d');
  expect({ status: refused.status, stderr: refused.stderr }).toEqual({
    status: 3,
    stderr: expect.stringMatching(
      /may not run [^]*also: \S+ may not read [^]*also: \S+ may not open [^]*usermod -aG 54321/,
    ),
  });
  const { status, stderr } = await as(`--groups=${gid}`, 'run', 'web1', '-d');
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(host.taps()).toEqual(['tap0']);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});

test.for(['spawn', 'spawned', 'running'])(
  'ABUSE 64: kill -9 of qrun at %s leaves nothing that an end and gc do not take',
  async (name, context) => {
    needsQemu(context);
    const host = await createBridgeHost(context);
    const before = host.links();
    const home = createHome({ namespace: host.namespace });
    home.profile('web1', `${still}nics: [bridge:br0]\n`);
    const { status } = await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${name}:kill` } });
    expect(status).toBe(137);
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    for (const _ of [1, 2]) expect((await home.qrun(['gc'])).status).toBe(0);
    expect(await host.linksAgain(before)).toEqual(before);
    expect(leftOf(home, 'web1')).toEqual([]);
    // and it starts again
    await detach(home, 'web1');
    expect(await hostInterfaces(home, 'web1')).toEqual(host.taps());
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  },
);
