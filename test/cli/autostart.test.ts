/** Networks and VMs that start with the host: units written, told to systemd, run as it would run them, taken away. */
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import { createHome, needsFile, needsQemu, type Home } from '../harness/harness.ts';
import { hub, noNetworkLeft } from './a-network.ts';
import { analyze, createUnitUser, runOfUnit, verifyUnit, type UnitUser } from './a-unit.ts';
import { nothingLeft, ps, still } from './a-vm.ts';

interface UserHome {
  readonly home: Home;
  readonly user: UnitUser;
  readonly qrun: (...args: string[]) => ReturnType<Home['qrun']>;
  readonly fileOf: (unit: string) => string;
}

function createUser(options: Parameters<typeof createHome>[0] = {}): UserHome {
  const home = createHome(options);
  const user = createUnitUser(home);
  return {
    home,
    user,
    qrun: (...args) => home.qrun(args, { env: user.env }),
    fileOf: (unit) => path.join(user.directory, unit),
  };
}

async function rowOf({ qrun }: UserHome, name: string, ...words: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await qrun(...words, '--json');
  const rows = parseDocument(words.join('-'), stdout) as Record<string, unknown>[];
  return rows.find((row) => row['name'] === name) ?? {};
}

const isLink = (file: string): boolean => lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true;

test('net autostart: a unit that systemd takes, whose commands bring the network up and down', async (context) => {
  const at = createUser({ qemu: needsQemu(context) });
  const { home, user, qrun } = at;
  home.network('lab-1', hub);
  const file = at.fileOf(String.raw`qrun-net-lab\x2d1.service`);
  const on = await qrun('net', 'autostart', 'lab-1');
  expect(on).toMatchObject({
    status: 0,
    stderr: expect.stringContaining(String.raw`now: systemctl --user start 'qrun-net-lab\x2d1.service'`),
  });
  expect(on.stderr).toMatch(/logs in first; with the host after: loginctl enable-linger \S/);
  expect(user.told()).toEqual([
    '--quiet --user daemon-reload',
    String.raw`--quiet --user enable qrun-net-lab\x2d1.service`,
  ]);
  expect(await rowOf(at, 'lab-1', 'net', 'ls')).toMatchObject({ autostart: true, state: 'defined' });
  const info = (await qrun('net', 'info', 'lab-1', '--json')).stdout;
  expect(parseDocument('net-info', info)).toMatchObject({ autostart: true });
  expect(await runOfUnit(home, file, 'ExecStart')).toMatchObject({ status: 0 });
  expect(await rowOf(at, 'lab-1', 'net', 'ls')).toMatchObject({ autostart: true, state: 'pinned' });
  expect(await runOfUnit(home, file, 'ExecStop')).toMatchObject({ status: 0 });
  expect(await noNetworkLeft(home)).toBe(true);
  expect(await qrun('net', 'autostart', 'lab-1', '--off')).toMatchObject({ status: 0 });
  expect([existsSync(file), await rowOf(at, 'lab-1', 'net', 'ls')]).toMatchObject([false, { autostart: false }]);
  const again = await qrun('net', 'autostart', 'lab-1', '--off');
  expect(again).toMatchObject({ status: 0, stderr: expect.stringContaining('does not start by itself') });
});

test('systemd finds no fault in what a user has', async (context) => {
  needsFile(context, analyze);
  const at = createUser({ qemu: needsQemu(context) });
  at.home.network('lab', hub);
  at.home.profile('web1', `${still}nics: ["network:lab"]\n`);
  await at.qrun('net', 'autostart', 'lab');
  await at.qrun('autostart', 'web1');
  for (const unit of ['qrun-net-lab.service', 'qrun-vm-web1.service'])
    expect(await verifyUnit(at.home, at.fileOf(unit), 'user')).toEqual([]);
});

test('autostart: a VM after its networks, run and stopped by its unit', async (context) => {
  const at = createUser({ qemu: needsQemu(context) });
  const { home, qrun } = at;
  home.network('lab', hub);
  home.profile('web1', `${still}nics: ["network:lab"]\n`);
  const file = at.fileOf('qrun-vm-web1.service');
  expect(await qrun('autostart', 'web1')).toMatchObject({ status: 0, stdout: '' });
  const text = readFileSync(file, 'utf8');
  expect(text).toContain('After=qrun-net-lab.service\nWants=qrun-net-lab.service\n');
  expect(text).toContain(`Environment=QRUN_STATE_DIR=${home.state}\n`);
  expect(await rowOf(at, 'web1', 'ls')).toMatchObject({ autostart: true, state: 'stopped' });
  expect(await runOfUnit(home, file, 'ExecStart')).toMatchObject({ status: 0 });
  expect(await ps(home)).toMatchObject([{ vm: 'web1' }]);
  const off = await qrun('autostart', 'web1', '--off');
  expect(off).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/runs, and systemd will not .*: qrun stop web1/),
  });
  expect(await ps(home)).toMatchObject([{ vm: 'web1' }]);
  expect(await qrun('autostart', 'web1')).toMatchObject({ status: 0 });
  expect(await runOfUnit(home, file, 'ExecStop')).toMatchObject({ status: 0 });
  expect(await nothingLeft(home, 'web1')).toBe(true);
  expect(await noNetworkLeft(home)).toBe(true);
  expect(await qrun('rm', 'web1')).toMatchObject({ status: 0 });
  expect([existsSync(file), await rowOf(at, 'web1', 'ls')]).toMatchObject([false, { autostart: false }]);
});

test('the key of a definition: define and edit do what it says, and leave alone what it does not say', async () => {
  const at = createUser();
  const { home, qrun } = at;
  const unit = at.fileOf('qrun-net-lab.service');
  const define = async (more: string): Promise<boolean> => {
    home.write('lab.yaml', `${hub}${more}`);
    expect(await qrun('net', 'define', `${home.dir}/lab.yaml`, '--force')).toMatchObject({ status: 0 });
    return existsSync(unit);
  };
  expect(await define('')).toBe(false);
  expect(await define('autostart: true\n')).toBe(true);
  expect(await define('autostart: false\n')).toBe(false);
  await qrun('net', 'autostart', 'lab');
  expect(await define('description: other\n')).toBe(true);
  const edit = (script: string) =>
    home.qrun(['net', 'edit', 'lab'], {
      env: { ...at.user.env, EDITOR: home.write('editor', `#!/bin/sh\n${script}\n`, 0o755) },
    });
  expect(await edit('echo autostart: true >>"$1"')).toMatchObject({ status: 0 });
  expect(existsSync(unit)).toBe(true);
  expect(await edit('sed -i /autostart/d "$1"')).toMatchObject({ status: 0 });
  expect(existsSync(unit)).toBe(false);
  expect(await define('autostart: true\n')).toBe(true);
  expect(await qrun('net', 'rm', 'lab')).toMatchObject({ status: 0 });
  expect([existsSync(unit), isLink(path.join(at.user.directory, 'default.target.wants/qrun-net-lab.service'))]).toEqual(
    [false, false],
  );
});

describe('refused', () => {
  test('somebody else’s unit stays, also when the network goes', async () => {
    const at = createUser();
    at.home.network('lab', hub);
    for (const name of ['home/.config', 'home/.config/systemd', 'home/.config/systemd/user']) at.home.mkdir(name);
    const text = '[Service]\nExecStart=/bin/true\n';
    const file = at.home.write('home/.config/systemd/user/qrun-net-lab.service', text);
    for (const off of [[], ['--off']])
      expect(await at.qrun('net', 'autostart', 'lab', ...off)).toMatchObject({
        status: 4,
        stderr: expect.stringContaining('is not of this qrun'),
      });
    expect(await at.qrun('net', 'rm', 'lab')).toMatchObject({ status: 0 });
    expect([readFileSync(file, 'utf8'), at.user.told()]).toEqual([text, []]);
  });

  test('without systemd, with the line that does it by hand', async (context) => {
    if (existsSync('/run/systemd/system')) context.skip('systemd runs here');
    const home = createHome();
    home.network('lab', hub);
    home.profile('web1', still);
    for (const words of [
      ['net', 'autostart', 'lab'],
      ['autostart', 'web1'],
    ]) {
      const { status, stderr } = await home.qrun(words);
      expect({ status, stderr }).toMatchObject({
        status: 3,
        stderr: expect.stringContaining('@reboot QRUN_CONFIG_DIR='),
      });
    }
    home.write('new.yaml', `${hub}autostart: true\n`);
    expect(await home.qrun(['net', 'define', `${home.dir}/new.yaml`])).toMatchObject({ status: 3 });
    expect(existsSync(`${home.config}/networks/new.yaml`)).toBe(true);
  });

  test('what systemd has none of is not there afterwards', async () => {
    const at = createUser();
    at.home.network('lab', hub);
    at.home.write('systemctl.log.fail', '');
    const { status, stderr } = await at.qrun('net', 'autostart', 'lab');
    expect({ status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining('No medium found') });
    expect(existsSync(at.fileOf('qrun-net-lab.service'))).toBe(false);
  });

  test.for<[string, number, string]>([
    ['net autostart nobody', 2, 'nobody'],
    ['net autostart ./lab.yaml', 2, 'lab.yaml'],
    ['net autostart nobody --off', 2, 'there is no network nobody'],
    ['net autostart sys', 3, 'sudo qrun net autostart sys'],
    ['autostart nobody', 2, 'nobody'],
    ['autostart ./web1.yaml', 2, 'web1.yaml'],
    ['autostart nobody --off', 2, 'nobody'],
    ['autostart', 2, 'autostart'],
  ])('%s: %i', async ([words, status, said]) => {
    const at = createUser();
    at.home.network('sys', 'scope: system\nforward: nat\n');
    const ended = await at.qrun(...words.split(' '));
    expect(ended).toMatchObject({ status, stderr: expect.stringContaining(said) });
    expect(existsSync(at.user.directory)).toBe(false);
  });
});

test('doctor tells of a unit whose program is gone', async () => {
  const at = createUser();
  at.home.network('lab', hub);
  await at.qrun('net', 'autostart', 'lab');
  const file = at.fileOf('qrun-net-lab.service');
  const checkOf = async (): Promise<unknown> => {
    const checks = parseDocument('doctor', (await at.qrun('doctor', '--json')).stdout) as { id: string }[];
    return checks.find(({ id }) => id === 'autostart');
  };
  expect(await checkOf()).toMatchObject({ state: 'ok', evidence: 'qrun-net-lab.service' });
  at.home.write(file, readFileSync(file, 'utf8').replaceAll('qrun.js', 'gone.js'));
  expect(await checkOf()).toMatchObject({
    state: 'warn',
    evidence: expect.stringContaining('gone.js any more'),
    mend: 'qrun net autostart lab',
  });
});
