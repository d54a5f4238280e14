/** `kind: macvtap` on one end of a veth, in a network of the test's own. */
import { existsSync, lstatSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  bothQemus,
  createHome,
  needsEitherQemu,
  needsQemu,
  ownerFor,
  refused,
  testFacts,
  type Home,
} from '../harness/harness.ts';
import { parseDocument } from '../harness/document.ts';
import { argvOf, detach, leftOf, nothingLeft, rowOf, statusOf, still } from '../cli/a-vm.ts';
import { createSudo } from './a-sudo.ts';
import { createLinkHost, type LinkHost } from './a-link-host.ts';

interface Shown {
  readonly qemu: { readonly fds: readonly { readonly fd: number; readonly path: string }[] };
  readonly nics: readonly { readonly hostInterface: string; readonly mac: string }[];
  readonly notes: readonly string[];
}

const show = async (home: Home, vm: string): Promise<Shown> =>
  parseDocument('show', (await home.qrun(['show', vm, '--json'])).stdout) as Shown;

const nodeOf = ({ qemu }: Shown): string => qemu.fds.find(({ fd }) => fd === 5)?.path ?? '';
const deviceOf = (pid: number, fd: number): number => statSync(`/proc/${pid}/fd/${fd}`).rdev;

/** As the interface itself says it: the numbers of its device. */
function deviceOfLink(host: LinkHost, { nics, qemu }: Shown): number {
  const index = nodeOf({ nics, qemu, notes: [] }).slice('/dev/tap'.length);
  const [major = 0, minor = 0] = host
    .must(`cat /sys/class/net/${nics[0]?.hostInterface}/tap${index}/dev`)
    .trim()
    .split(':')
    .map(Number);
  return major * 256 + minor;
}

test.for(['bridge', 'private', 'vepa', 'passthru'] as const)(
  'mode %s: made with the MAC of the NIC, opened for QEMU, taken away; the card is as it was',
  async (mode, context) => {
    needsQemu(context);
    const host = await createLinkHost(context);
    const before = host.state();
    const home = createHome({ as: 'root', namespace: host.namespace });
    home.profile('web1', `${still}nics: [{ kind: macvtap, parent: v0, mode: ${mode} }]\n`);
    const shown = await show(home, 'web1');
    const [nic] = shown.nics;
    expect(shown.notes).toContainEqual(expect.stringContaining('this host and the guest cannot reach one another'));
    const { pid } = await detach(home, 'web1');
    expect(host.row(nic?.hostInterface ?? '')).toMatchObject({
      address: nic?.mac,
      link: 'v0',
      flags: expect.arrayContaining(['UP', 'ALLMULTI']),
      ifalias: expect.stringMatching(/^qrun:web1\/net0:/),
      linkinfo: { info_kind: 'macvtap', info_data: { mode } },
    });
    // the guest's own address of IPv6 is not the host's as well
    expect(host.must(`ip -6 address show dev ${nic?.hostInterface}`)).toBe('');
    const argv = argvOf(pid);
    expect(JSON.parse(argv[argv.indexOf('-netdev') + 1] ?? '')).toEqual({ type: 'tap', id: 'net0', fd: '5' });
    expect(deviceOf(pid, 5)).toBe(deviceOfLink(host, shown));
    // ABUSE 56: its user's and nobody else's
    const node = statSync(nodeOf(shown));
    expect({ mode: node.mode & 0o777, uid: node.uid }).toEqual({
      mode: 0o600,
      uid: Number(statusOf(pid, 'Uid').split('\t')[0]),
    });
    expect(node.uid).not.toBe(0);
    expect(host.namespace.run(['flock', '-n', nodeOf(shown), 'true']).status).toBe(1);
    expect((await rowOf(home, 'web1')).nics).toMatchObject([{ source: 'v0', hostInterface: nic?.hostInterface }]);
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect(existsSync(nodeOf(shown))).toBe(false);
    expect(host.state()).toEqual(before);
  },
);

test.for(bothQemus)(
  'ten queues and several NICs: each is a descriptor of its own, with the %s QEMU',
  async (which, context) => {
    const qemu = needsEitherQemu(context, which);
    const host = await createLinkHost(context);
    const before = host.state();
    const home = createHome({ as: 'root', qemu, namespace: host.namespace });
    home.profile('web1', `${still}nics: [{ kind: macvtap, parent: v0, queues: 10 }, macvtap:v0]\n`);
    const shown = await show(home, 'web1');
    const { pid } = await detach(home, 'web1');
    const fds = shown.qemu.fds.filter(({ fd }) => fd > 4);
    expect(fds.map(({ fd }) => fd)).toEqual([5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17]);
    const argv = argvOf(pid);
    expect(JSON.parse(argv[argv.indexOf('-netdev') + 1] ?? '')).toMatchObject({ fds: '5:6:7:10:11:12:13:14:15:16' });
    for (const { fd } of fds.slice(0, 10)) expect(deviceOf(pid, fd)).toBe(deviceOf(pid, 5));
    expect(deviceOf(pid, 17)).not.toBe(deviceOf(pid, 5));
    process.kill(pid, 'SIGKILL');
    expect(await nothingLeft(home, 'web1')).toBe(true);
    expect(host.state()).toEqual(before);
  },
);

test('ABUSE 52: the node of another network’s macvtap is not opened, and left as it is', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const other = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [macvtap:v0]\n`);
  const shown = await show(home, 'web1');
  const node = nodeOf(shown);
  other.must(`ip link add link v0 name mine index ${node.slice('/dev/tap'.length)} type macvtap mode bridge`);
  const theirs = lstatSync(node);
  const { pid } = await detach(home, 'web1');
  expect(deviceOf(pid, 5)).toBe(deviceOfLink(host, shown));
  expect(deviceOf(pid, 5)).not.toBe(theirs.rdev);
  const after = lstatSync(node);
  expect([after.rdev, after.uid, after.mode]).toEqual([theirs.rdev, theirs.uid, theirs.mode]);
  expect(existsSync(`/dev/${shown.nics[0]?.hostInterface}`)).toBe(false);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(host.made()).toEqual([]);
  other.must('ip link delete dev mine');
  expect(existsSync(node)).toBe(false);
});

test('parents that cannot be: a port of a bridge, none, the loopback, one that is down', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  host.must('ip link set dev v1 master br0');
  const home = createHome({ as: 'root', namespace: host.namespace });
  for (const name of ['v1', 'nope0', 'lo', 'v0']) home.profile(name, `${still}nics: [macvtap:${name}]\n`);
  expect(await refused(home, 'run', 'v1', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('kind: bridge, bridge: br0'),
  });
  expect(await refused(home, 'run', 'nope0', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('no network card nope0'),
  });
  expect(await refused(home, 'run', 'lo', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('the loopback'),
  });
  host.must('ip link set dev v0 down');
  expect(await refused(home, 'run', 'v0', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('sudo ip link set dev v0 up'),
  });
  expect(host.made()).toEqual([]);
});

test('a MAC that the card has already, and a card that somebody has for himself alone', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [{ kind: macvtap, parent: v0, mac: "52:54:00:aa:00:01" }]\n`);
  home.profile('web2', `${still}nics: [{ kind: macvtap, parent: v0, mode: passthru }]\n`);
  host.must('ip link add link v0 name mine address 52:54:00:aa:00:01 type macvtap mode bridge');
  host.must('ip link set dev mine up');
  const same = await refused(home, 'run', 'web1', '-d');
  expect(same.status).toBe(4);
  expect(same.stderr).toContain('hint: sudo ip link delete dev mine, if nothing needs it');
  expect(await refused(home, 'run', 'web2', '-d')).toEqual({
    status: 4,
    stderr: expect.stringMatching(/passthru[^]*mine/),
  });
  // the card's own is told by all, before anything is made, and the card is not to be deleted
  home.profile('web3', `${still}nics: [{ kind: macvtap, parent: v0, mac: "52:54:00:ff:00:02" }]\n`);
  const own = `v0's own MAC`;
  for (const [command, expected] of [
    [['run', 'web3', '-d'], 4],
    [['show', 'web3'], 4],
    [['doctor', 'web3'], 3],
  ] as const) {
    const { status, stdout, stderr } = await home.qrun(command);
    expect(`${stdout}${stderr}`).toContain(own);
    expect(`${stdout}${stderr}`).toContain('leave "mac" out');
    expect(`${stdout}${stderr}`).not.toContain('delete');
    expect(status).toBe(expected);
  }
  expect(host.made()).toEqual([]);
  expect(host.row('mine')).toBeDefined();
  expect(leftOf(home, 'web1')).toEqual([]);
});

test('the card goes while the guest runs: the end is an end all the same', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [{ kind: macvtap, parent: v0, hostAccess: true }]\n`);
  await detach(home, 'web1');
  host.must('ip link delete dev v0');
  expect(host.made()).toEqual([]);
  expect(await home.qrun(['kill', 'web1'])).toMatchObject({ status: 0 });
  expect(leftOf(home, 'web1')).toEqual([]);
});

test('an ordinary user is told that it takes root, with the one command', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ namespace: host.namespace });
  const file = home.profile('web1', `${still}nics: [macvtap:v0]\n`);
  expect(await refused(home, 'run', 'web1', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining(`hint: sudo qrun run ${file}`),
  });
});

test('config.yaml: sudo is used when it says so, and never else; a file that others can write is not believed', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ namespace: host.namespace });
  home.profile('web1', `${still}nics: [macvtap:v0, { kind: tap, bridge: br0 }]\n`);
  const settings = home.write('c/config.yaml', 'sudo: noninteractive\n', 0o644);
  const shown = JSON.parse((await home.qrun(['show', 'web1', '--json'])).stdout) as {
    steps: { needsRoot: boolean; actions: { argv?: string[] }[] }[];
  };
  const privileged = shown.steps.filter(({ needsRoot }) => needsRoot).flatMap(({ actions }) => actions);
  expect(privileged.flatMap(({ argv }) => (argv === undefined ? [] : [argv.slice(0, 3).join(' ')]))).toEqual([
    'sudo -n --',
    'sudo -n --',
    'sudo -n --',
    'sudo -n --',
  ]);
  home.write('c/config.yaml', 'sudo: yes please\n', 0o644);
  expect(await refused(home, 'run', 'web1', '-d')).toEqual({
    status: 2,
    stderr: expect.stringContaining('noninteractive'),
  });
  home.write('c/config.yaml', 'sodo: never\n', 0o644);
  expect(await refused(home, 'run', 'web1', '-d')).toEqual({ status: 2, stderr: expect.stringContaining('sodo') });
  host.namespace.run(['chmod', '666', settings]);
  expect(await refused(home, 'run', 'web1', '-d')).toEqual({
    status: 2,
    stderr: expect.stringContaining('written by others'),
  });
});

test('left in a network that gc does not run in: told, and nothing of another network is touched', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const other = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [macvtap:v0]\n`);
  await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: 'spawn:kill' } });
  expect(host.made()).toHaveLength(1);
  const before = other.state();
  const variables = Object.entries(home.env).map(([name, value]) => `${name}=${value}`);
  const gc = other.namespace.run(['env', ...variables, testFacts().node, testFacts().bin, 'gc']);
  expect(gc).toMatchObject({ status: 5 });
  expect(`${gc.stdout}${gc.stderr}`).toContain('another network namespace');
  expect(other.state()).toEqual(before);
  expect((await home.qrun(['gc'])).status).toBe(0);
  expect(host.made()).toEqual([]);
});

test('an ordinary user with sudo: noninteractive has a tap and a macvtap made, used as himself, and taken away', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const before = host.state();
  const sudo = createSudo(host.namespace);
  const home = createHome({ namespace: host.namespace, env: sudo.env });
  home.profile('web1', `${still}nics: [{ kind: macvtap, parent: v0, hostAccess: true }, { kind: tap, bridge: br0 }]\n`);
  home.write('c/config.yaml', 'sudo: noninteractive\n', 0o644);
  const shown = await show(home, 'web1');
  const { pid } = await detach(home, 'web1');
  expect(statusOf(pid, 'Uid')).not.toMatch(/\b0\b/);
  expect(deviceOf(pid, 5)).toBe(deviceOfLink(host, shown));
  expect(statSync(nodeOf(shown)).mode & 0o777).toBe(0o600);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(host.state()).toEqual(before);
  const node = nodeOf(shown);
  const owner = `${ownerFor('user').uid}:${ownerFor('user').gid}`;
  const [tap, macvtap] = [shown.nics[1]?.hostInterface, shown.nics[0]?.hostInterface];
  expect(sudo.calls()).toEqual([
    'ip -batch -',
    `chown ${owner} ${node}`,
    `chmod 0600 ${node}`,
    'ip -batch -',
    expect.stringMatching(/^sysctl -q -w net\/ipv6\/conf\/qr-\S+\/accept_ra=0$/),
    'ip -batch -',
    'ip -batch -',
    `ip link delete dev ${tap}`,
    expect.stringMatching(/^ip link delete dev qr-/),
    `ip link delete dev ${macvtap}`,
  ]);
});

test('a card that a VM has, in mode passthru or not: show and doctor tell it before, the refusal names what frees it', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('p1', `${still}nics: [{ kind: macvtap, parent: v0, mode: passthru }]\n`);
  home.profile('s1', `${still}nics: [macvtap:v0]\n`);
  const notesOf = async (vm: string) =>
    (await show(home, vm)).notes.filter((note) => note.includes('a run is refused'));
  const doctor = async (vm: string) =>
    JSON.parse((await home.qrun(['doctor', vm, '--json'])).stdout) as { id: string; state: string; evidence: string }[];
  for (const [holder, other, why] of [
    ['p1', 's1', 'v0 cannot be shared'],
    ['s1', 'p1', 'v0 cannot be had alone'],
  ] as const) {
    expect(await notesOf(other)).toEqual([]);
    await detach(home, holder);
    expect(await notesOf(holder)).toEqual([]);
    expect(await notesOf(other)).toEqual([expect.stringContaining(`${why}: `)]);
    expect(await notesOf(other)).toEqual([
      expect.stringMatching(new RegExp(`qr-\\w+ of ${holder} .*qrun stop ${holder}`)),
    ]);
    for (const id of ['nic-net0', 'profile'])
      expect((await doctor(other)).find((check) => check.id === id)).toMatchObject({
        state: 'warn',
        evidence: expect.stringContaining(why),
      });
    const answer = await refused(home, 'run', other, '-d');
    expect(answer).toEqual({ status: 4, stderr: expect.stringContaining(`hint: qrun stop ${holder}\n`) });
    expect(answer.stderr).toMatch(new RegExp(`passthru.*: qr-\\w+ of ${holder}\n`));
    expect((await home.qrun(['kill', holder])).status).toBe(0);
  }
});

test('an interface that goes from under a VM is told by ps, nics and doctor, and the VM ends as ever', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [macvtap:v0, { kind: tap, bridge: br0 }, { kind: tap, bridge: br0 }]\n`);
  await detach(home, 'web1');
  const nicsOf = async () =>
    (await rowOf(home, 'web1')).nics as readonly unknown[] as readonly { link?: string; hostInterface: string }[];
  const linksOf = async () => (await nicsOf()).map(({ link }) => link);
  const check = async (): Promise<unknown> =>
    (JSON.parse((await home.qrun(['doctor', 'web1', '--json'])).stdout) as { id: string }[]).find(
      ({ id }) => id === 'running',
    );
  expect(await linksOf()).toEqual([undefined, undefined, undefined]);
  expect(await check()).toMatchObject({ state: 'ok', mend: null });
  const [macvtap = '', tap = ''] = (await nicsOf()).map(({ hostInterface }) => hostInterface);
  // another network knows nothing of them, whatever it has of those names
  const other = await createLinkHost(context);
  other.must(`ip tuntap add dev ${tap} mode tap`);
  other.must(`ip link set dev ${tap} up`);
  const variables = Object.entries(home.env).map(([name, value]) => `${name}=${value}`);
  const elsewhere = other.namespace.run(['env', ...variables, testFacts().node, testFacts().bin, 'ps']);
  expect(elsewhere).toMatchObject({ status: 0, stdout: expect.stringContaining('web1') });
  expect(elsewhere.stdout).not.toContain('(lost)');
  // the macvtap goes with its card; somebody else's tap has the name of ours
  for (const line of ['ip link delete dev v0', `ip link delete dev ${tap}`, `ip tuntap add dev ${tap} mode tap`])
    host.must(line);
  host.must(`ip link set dev ${tap} up`);
  expect(await linksOf()).toEqual(['lost', 'lost', undefined]);
  for (const command of [['ps'], ['nics', 'web1']]) {
    const { status, stdout, stderr } = await home.qrun(command);
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('(lost)') });
    expect(stderr).toContain(`net0: its interface ${macvtap} is gone`);
    expect(stderr).toContain('to have that back: qrun stop web1; then start it again');
  }
  expect(await check()).toMatchObject({
    state: 'warn',
    evidence: expect.stringContaining(`net0: its interface ${macvtap} is gone; net1: its interface ${tap} is gone`),
    mend: 'qrun stop web1; then start it again',
  });
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(host.made()).toEqual([tap]);
});
