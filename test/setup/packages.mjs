/**
 * Debian packages: which are missing, the one command that installs them, and installing them as root.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { rootsEnv } from './places.mjs';

/** @type {{name: string, file: string, for: string}[]} */
const wanted = JSON.parse(readFileSync(path.join(import.meta.dirname, 'debian-packages.json'), 'utf8')).packages;

/** Names of packages whose proving file is not there; `demo`: only of those that the demo needs. */
export const missingPackages = (demo = false) =>
  wanted.filter((one) => (one.demo || !demo) && !existsSync(one.file)).map(({ name }) => name);

/** The one command. */
export const installCommand = (names) => `sudo apt-get install --no-install-recommends ${names.join(' ')}`;

/**
 * Installs what is missing if this is root. Returns the names that are still missing.
 * @returns {string[]}
 */
export function installMissing({ say = () => {}, demo = false } = {}) {
  const missing = missingPackages(demo);
  if (missing.length === 0 || process.getuid() !== 0) return missing;
  say(`installing ${missing.join(' ')}`);
  // a lists directory that is there may be old: refresh only when the install fails without
  if (!install(missing).ok) {
    aptGet(['-qq', 'update']);
    const { ok, text } = install(missing);
    // one package that cannot be had must not cost all the others
    if (!ok) {
      say(text);
      for (const name of missingPackages(demo)) install([name]);
    }
  }
  return missingPackages(demo);
}

const install = (names) => aptGet(['-qq', '-y', '--no-install-recommends', 'install', ...names]);

function aptGet(args) {
  const env = { ...rootsEnv(), DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  const { status, stdout, stderr, error } = spawnSync('apt-get', args, {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 << 20,
  });
  return { ok: status === 0, text: error?.message ?? `${stdout}${stderr}`.trim() };
}
