/** Networks of root's that a VDE switch carries for ordinary users: made, joined, cut off, mended, down. In a network of the test's own. */
import { lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import { isAlive, must, needsFile, needsQemu, ownerFor, refused } from '../harness/harness.ts';
import { networkProcesses, stateOf } from '../cli/a-network.ts';
import { argvOf, detach, eventually, rowOf, still } from '../cli/a-vm.ts';
import { createBridgedHost, everything, everythingAgain, hostDir, type BridgedHost } from './a-bridged-host.ts';
import type { PortUser } from './a-port-host.ts';

const four = 'addresses: [10.10.120.1/24]\n';
const onLan = `${still}nics: ["network:lan0"]\n`;
/** A group that every Debian has. */
const usersGid = 100;

async function createVdeHost(context: Parameters<typeof createBridgedHost>[0]): Promise<BridgedHost> {
  needsFile(context, '/usr/bin/vde_switch');
  return await createBridgedHost(context);
}

const define = ({ root }: BridgedHost, who: string, more = ''): void => {
  root.network('lan0', `forward: nat\ntransport: vde\n${four}ports: 2\n${who}\n${more}`);
};

const directoryOf = ({ root }: BridgedHost): string => path.join(hostDir(root), 'vde/lan0');
const switchPid = ({ root }: BridgedHost): number =>
  networkProcesses(root).find(({ program, keeper }) => program === 'vde_switch' && !keeper)?.pid ?? 0;
/** Somebody is at the number that the first port has. */
const hasFirstPort = ({ host }: BridgedHost): boolean => host.must('cat /proc/net/unix').includes('/vde/lan0/002.');
const linkOf = (nics: unknown): unknown => (nics as { link?: string }[])[0]?.link;

test('a group’s: the switch is not root’s, members join it and nobody else, all ports taken is 4, a VM keeps its port', async (context) => {
  needsQemu(context);
  const vde = await createVdeHost(context);
  const { host, root, another } = vde;
  const before = everything(vde);
  define(vde, 'group: users');
  await must(root, 'net', 'up', 'lan0');
  expect(await stateOf(root, 'lan0')).toBe('pinned');
  const status = readFileSync(`/proc/${switchPid(vde)}/status`, 'utf8');
  expect(status).not.toMatch(/^Uid:\t0|^Uid:.*\t0\t/m);
  expect(status).toMatch(/^CapEff:\t0+$/m);
  const environment = readFileSync(`/proc/${switchPid(vde)}/environ`, 'utf8').split('\0');
  expect(environment.filter((one) => one !== '' && !one.startsWith('QRUN_SERVICE'))).toEqual([]);
  const { mode, gid, uid } = lstatSync(directoryOf(vde));
  expect({ mode: mode & 0o7777, gid, isRoot: uid === 0 }).toEqual({ mode: 0o3770, gid: usersGid, isRoot: false });
  const [tap] = host.made().filter((name) => name !== 'qr-lan0');
  expect(host.row(tap ?? '')).toMatchObject({ master: 'qr-lan0', flags: expect.arrayContaining(['LOWER_UP']) });

  const users = [54_321, 54_322, 54_323].map((each) => another(each, usersGid)) as [PortUser, PortUser, PortUser];
  for (const user of users) user.profile('web1', onLan);
  const [alice, bob, carol] = users;
  expect(await alice.qrun('run', 'web1', '-d')).toMatchObject({ status: 0 });
  expect(await bob.qrun('run', 'web1', '-d')).toMatchObject({ status: 0 });
  const nicOf = async (user: PortUser): Promise<{ mac: string; source: string; ips: string[] }> => {
    const [row] = JSON.parse((await user.qrun('ps', '--json')).stdout) as {
      nics: [{ mac: string; source: string; ips: string[] }];
    }[];
    return row?.nics[0] ?? { mac: '', source: '', ips: [] };
  };
  const first = await nicOf(alice);
  expect(first).toMatchObject({ hostInterface: tap, ips: [expect.stringMatching(/^10\.10\.120\./)] });
  const third = await carol.qrun('run', 'web1', '-d');
  expect(third).toMatchObject({
    status: 4,
    stderr: expect.stringMatching(/all of its 2 ports are taken, by a VM of uid 5432/),
  });
  const info = parseDocument('net-info', await must(root, 'net', 'info', 'lan0', '--json')) as {
    transport: string;
    switch: string;
    members: { vm: string; mac: string; state: string }[];
  };
  expect(info).toMatchObject({ transport: 'vde', switch: directoryOf(vde) });
  expect(info.members.map(({ vm, state }) => `${vm} ${state}`)).toEqual(['54321/web1 running', '54322/web1 running']);
  expect(await refused(root, 'net', 'down', 'lan0')).toMatchObject({
    status: 4,
    stderr: expect.stringMatching(/port 2 of its switch by web1 of uid 5432/),
  });

  // whoever is in the group but is no VM of qrun's has a port that nobody is given
  await alice.qrun('kill', 'web1');
  expect(await alice.qrun('run', 'web1', '-d')).toMatchObject({ status: 0 });
  expect(await nicOf(alice)).toEqual(first);
  await alice.qrun('kill', 'web1');
  const plug = root.startProgram([
    'setpriv',
    '--reuid=54323',
    '--regid=54323',
    `--groups=${usersGid}`,
    '--',
    'vde_plug',
    '-p',
    '2',
    directoryOf(vde),
  ]);
  await eventually(async () => hasFirstPort(vde));
  expect(await alice.qrun('run', 'web1', '-d')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('no VM of qrun'),
  });
  plug.kill('SIGKILL');

  const stranger = another(54_324, 54_324);
  stranger.profile('web1', onLan);
  expect(await stranger.qrun('run', 'web1', '-d')).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('usermod -aG users'),
  });
  await bob.qrun('kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
  expect(await everythingAgain(vde, before)).toEqual([]);
});

test('an owner’s: a switch that is killed loses its guests and not root’s; what is taken away or altered is broken, and net up mends it', async (context) => {
  needsQemu(context);
  const vde = await createVdeHost(context);
  const { host, root, home } = vde;
  const before = everything(vde);
  const { name: owner } = ownerFor('user');
  define(vde, `owner: ${owner}`, `dhcp: { hosts: [{ vm: ${owner}/web1, ip: 10.10.120.77 }] }\n`);
  for (const one of [root, home]) for (const name of ['web1', 'web2']) one.profile(name, onLan);
  await must(root, 'net', 'up', 'lan0');
  const { mode, uid } = lstatSync(directoryOf(vde));
  expect({ mode: mode & 0o7777, uid }).toEqual({ mode: 0o700, uid: ownerFor('user').uid });
  const { pid } = await detach(home, 'web1');
  expect(argvOf(pid).join(' ')).toContain(directoryOf(vde));
  expect((await rowOf(home, 'web1')).nics).toMatchObject([{ ips: ['10.10.120.77'] }]);
  await detach(root, 'web1');
  const lost = async (): Promise<unknown[]> => [
    linkOf((await rowOf(home, 'web1')).nics),
    linkOf((await rowOf(root, 'web1')).nics),
  ];
  expect(await lost()).toEqual([undefined, undefined]);

  process.kill(switchPid(vde), 'SIGKILL');
  await eventually(async () => (await stateOf(root, 'lan0')) === 'broken');
  expect(await lost()).toEqual(['lost', undefined]);
  expect(await must(root, 'net', 'info', 'lan0')).toMatch(/! vde_switch does not run/);
  expect(await refused(home, 'run', 'web2', '-d')).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('sudo qrun net up lan0'),
  });
  expect(await must(root, 'net', 'up', 'lan0')).toMatch(/vde_switch did not run, and was started again/);
  expect(await stateOf(root, 'lan0')).toBe('pinned');
  expect(await lost()).toEqual(['lost', undefined]);
  await must(home, 'kill', 'web1');
  await detach(home, 'web1');
  expect(await lost()).toEqual([undefined, undefined]);

  const [tap = ''] = host.made().filter((name) => argvOf(switchPid(vde)).includes(name));
  for (const [lines, said] of [
    [
      [`ip link set dev ${tap} nomaster`, `ip link set dev ${tap} down`, `chmod 0777 ${directoryOf(vde)}`],
      [`${tap} had left qr-lan0, and is on it again`, 'is up again', 'was changed, and is as it was'],
    ],
    [
      [`ip link delete dev ${tap}`, `rm -r ${directoryOf(vde)}`],
      [`${tap} had gone, and was made again`, 'vde_switch had lost its keeper or its socket, and was started anew'],
    ],
  ] as const) {
    for (const line of lines) host.must(line);
    expect({ lines, state: await stateOf(root, 'lan0') }).toEqual({ lines, state: 'broken' });
    const mended = await must(root, 'net', 'up', 'lan0');
    for (const words of said) expect(mended).toContain(words);
    expect({ lines, state: await stateOf(root, 'lan0') }).toEqual({ lines, state: 'pinned' });
  }
  await must(home, 'kill', 'web1');
  const again = await detach(home, 'web1');
  expect(await refused(root, 'net', 'down', 'lan0')).toMatchObject({ status: 4 });
  await must(root, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0', '--force');
  expect(isAlive(again.pid)).toBe(true);
  expect(linkOf((await rowOf(home, 'web1')).nics)).toBe('lost');
  await must(home, 'kill', 'web1');
  expect(await everythingAgain(vde, before)).toEqual([]);
});

test('on a bridge of the host’s: its guests are on it, and it is left as it was', async (context) => {
  needsQemu(context);
  const vde = await createVdeHost(context);
  const { host, root, home } = vde;
  const before = everything(vde);
  root.network(
    'lan0',
    `forward: bridge\nbridge: { name: br0 }\ntransport: vde\nports: 1\nowner: ${ownerFor('user').name}\n`,
  );
  home.profile('web1', onLan);
  await must(root, 'net', 'up', 'lan0');
  await detach(home, 'web1');
  const [tap = ''] = host.made();
  expect(host.row(tap)).toMatchObject({ master: 'br0' });
  expect(await must(home, 'doctor', 'web1')).toMatch(/1 port for \S+, none of them free|lan0 on br0: 1 port/);
  expect(await must(home, 'nics', 'web1')).toContain(tap);
  process.kill(switchPid(vde), 'SIGKILL');
  await eventually(async () => (await stateOf(home, 'lan0')) === 'broken');
  await must(home, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
  expect(await everythingAgain(vde, before)).toEqual([]);
});

test('show --shell: a user’s script joins it, root’s takes it up, and each gives all of it back', async (context) => {
  needsQemu(context);
  const vde = await createVdeHost(context);
  const { root, home } = vde;
  const before = everything(vde);
  define(vde, `owner: ${ownerFor('user').name}`);
  for (const one of [root, home]) one.profile('web1', onLan);
  const scriptOf = async (one: typeof root): Promise<string> =>
    one.write('web1.sh', await must(one, 'show', 'web1', '--shell'), 0o700);
  const script = await scriptOf(root);
  await must(root, 'net', 'up', 'lan0');
  const theirs = home.startProgram(['sh', await scriptOf(home)]);
  await eventually(async () => hasFirstPort(vde));
  expect(await refused(root, 'net', 'down', 'lan0')).toMatchObject({ status: 4 });
  theirs.kill('SIGTERM');
  expect(await theirs.end).toMatchObject({ status: 143 });
  await must(root, 'net', 'down', 'lan0');
  const running = root.startProgram(['sh', script]);
  await eventually(async () => (await stateOf(root, 'lan0')) === 'up');
  expect(switchPid(vde)).not.toBe(0);
  // users are told of it as of one that qrun took up
  await must(home, 'run', '-d', 'web1');
  expect(hasFirstPort(vde)).toBe(true);
  await must(home, 'kill', 'web1');
  running.kill('SIGTERM');
  expect(await running.end).toMatchObject({ status: 143 });
  expect(await everythingAgain(vde, before)).toEqual([]);
});

const points = ['acquired:switch-tap', 'acquired:directory:switch', 'acquire:switch', 'acquired:switch'];

test('killed at each step of its up, or with a link or another’s file in its place: nothing is left, and nothing else is touched', async (context) => {
  const vde = await createVdeHost(context);
  const { root } = vde;
  const before = everything(vde);
  define(vde, 'group: users');
  for (const [at, point] of points.entries()) {
    const killed = await root.qrun(['net', 'up', 'lan0'], { env: { QRUN_FAILPOINT: `${point}:kill` } });
    expect({ point, status: killed.status }).toEqual({ point, status: 137 });
    await must(root, ...(at % 2 === 0 ? ['gc'] : ['net', 'down', 'lan0']));
    expect({ point, left: everything(vde) }).toEqual({ point, left: before });
  }
  await must(root, 'net', 'up', 'lan0');
  await root.qrun(['net', 'down', 'lan0'], { env: { QRUN_FAILPOINT: 'released:directory:switch:kill' } });
  await must(root, 'net', 'down', 'lan0');
  expect(everything(vde)).toEqual(before);
  vde.host.must('chmod 0600 /dev/net/tun');
  expect(await refused(root, 'net', 'up', 'lan0')).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/may not open \/dev\/net\/tun[^]*sudo chmod 0666/),
  });
  vde.host.must('chmod 0666 /dev/net/tun');
  // what members left in it goes with it, links as links
  const [directory, elsewhere] = [directoryOf(vde), root.mkdir('elsewhere')];
  writeFileSync(path.join(elsewhere, 'kept'), '');
  mkdirSync(path.join(directory, 'deep/er'), { recursive: true });
  symlinkSync(elsewhere, path.join(directory, 'link'));
  symlinkSync(elsewhere, path.join(directory, 'deep/link'));
  await must(root, 'net', 'up', 'lan0');
  await must(root, 'net', 'down', 'lan0');
  expect(readFileSync(path.join(elsewhere, 'kept'), 'utf8')).toBe('');
  symlinkSync(elsewhere, directory);
  const { mode } = lstatSync(elsewhere);
  expect(await refused(root, 'net', 'up', 'lan0')).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('symbolic link'),
  });
  expect(lstatSync(elsewhere).mode).toBe(mode);
  rmSync(directory);
  root.network('lan0', `forward: nat\ntransport: vde\n${four}ports: 2\ngroup: users\nmtu: 1501\n`);
  expect(await refused(root, 'net', 'up', 'lan0')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('1500 bytes at most'),
  });
  expect(everything(vde)).toEqual(before);
});
