/**
 * Where the set-up keeps what is costly to make (guest, second QEMU), and whom the tests run qrun as.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, lstatSync, mkdirSync } from 'node:fs';
import path from 'node:path';

export const repository = path.resolve(import.meta.dirname, '../..');
export const isRoot = () => process.getuid() === 0;
const userName = 'qrun-test';

/** The environment with root's directories on PATH, where `su` without a dash does not put them. */
export const rootsEnv = () => ({ ...process.env, PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin` });

/**
 * The ordinary user of root's tests, made if it is missing; undefined when this is not root.
 * @returns {{name: string, uid: number, gid: number} | undefined}
 */
export function testUser() {
  if (!isRoot()) return undefined;
  const found = readUser(userName);
  if (found !== undefined) return found;
  const made = spawnSync('useradd', ['--create-home', '--user-group', '--shell', '/bin/sh', userName], {
    env: rootsEnv(),
    encoding: 'utf8',
  });
  const user = readUser(userName);
  if (user === undefined) throw new Error(`cannot make the user ${userName}: ${made.stderr ?? made.error?.message}`);
  return user;
}

function readUser(name) {
  const entry = spawnSync('getent', ['passwd', name], { encoding: 'utf8' }).stdout?.trim();
  if (!entry) return undefined;
  const [, , uid, gid] = entry.split(':');
  return { name, uid: Number(uid), gid: Number(gid) };
}

/** The prefix that runs a command as that user with nothing of root's left. */
export const asUser = (user) =>
  user === undefined
    ? []
    : ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--inh-caps=-all', '--'];

/** Whether that user can read `file` (a directory: enter and list it). */
export function canRead(user, file) {
  const [command, ...args] = [
    ...asUser(user),
    'sh',
    '-c',
    'test -r "$1" && { test ! -d "$1" || test -x "$1"; }',
    'sh',
    file,
  ];
  return spawnSync(command, args, { cwd: '/', stdio: 'ignore' }).status === 0;
}

/** `.cache` of the clone, or root's own place when the test user cannot enter the clone. */
export function cacheDir(user) {
  const named = process.env.QRUN_TEST_CACHE;
  const inClone = path.join(repository, '.cache');
  const directory = named
    ? path.resolve(named)
    : user === undefined || canRead(user, repository)
      ? inClone
      : '/var/cache/qrun-test';
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  if (lstatSync(directory).uid !== process.getuid()) throw new Error(`${directory} is not this user's: remove it`);
  return directory;
}

/** A node that the user can run: this one, or a copy of it in `directory` (node may live in root's home). */
export function nodeFor(user, directory) {
  if (canRead(user, process.execPath)) return process.execPath;
  const copy = path.join(directory, 'node');
  copyFileSync(process.execPath, copy);
  chmodSync(copy, 0o755);
  return copy;
}
