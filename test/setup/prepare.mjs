/**
 * All set-up of a fresh clone, each part only if it is needed: node_modules, the build, Debian packages, the test user, the guest, the second QEMU.
 * What was found is written as one JSON file, which test/harness/facts.ts describes.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runTool } from './apt.mjs';
import { installCommand, installMissing } from './packages.mjs';
import { cacheDir, canRead, nodeFor, repository, testUser } from './places.mjs';

const say = (text) => process.stderr.write(`set-up: ${text}\n`);

/** `npm ci` when node_modules is missing or older than the lock file, and the bundle. */
export function prepareClone() {
  const lock = path.join(repository, 'package-lock.json');
  const installed = path.join(repository, 'node_modules/.package-lock.json');
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
    say('npm ci');
    runShown('npm', ['ci', '--no-audit', '--no-fund']);
  }
  say('npm run build');
  runShown('npm', ['run', '--silent', 'build']);
}

function runShown(file, args) {
  const { status, error } = spawnSync(file, args, { cwd: repository, stdio: ['ignore', 2, 2] });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${status}`);
}

/**
 * The machine's part. `install`: whether the tests run qrun from an unpacked npm package, as users have it, or from the clone.
 * @returns {Promise<{facts: object, missing: string[], temporary: string | undefined}>}
 */
export async function prepareMachine({ install = false } = {}) {
  // what is made here is read by the test user
  process.umask(0o022);
  const missing = installMissing({ say });
  if (missing.length > 0) say(`missing packages, install them with: ${installCommand(missing)}`);
  const user = testUser();
  const cache = cacheDir(user);
  const { bin, node, temporary } = placeQrun({ user, cache, install });
  const facts = {
    v: 1,
    bin,
    node,
    ...(user === undefined ? {} : { user }),
    qemu: existsSync('/usr/bin/qemu-system-x86_64')
      ? { file: '/usr/bin/qemu-system-x86_64' }
      : { why: `no QEMU: ${installCommand(['qemu-system-x86'])}` },
    guest: await provide('the guest', async () =>
      (await import('../guest/build.mjs')).buildGuest({ cacheDir: cache, say }),
    ),
    secondQemu: await provide('the second QEMU', async () =>
      (await import('./second-qemu.mjs')).buildSecondQemu({ cacheDir: cache, say }),
    ),
    resolvers: await provide('the resolvers', async () =>
      (await import('./resolvers.mjs')).buildResolvers({ cacheDir: cache, say }),
    ),
  };
  return { facts, missing, temporary };
}

async function provide(name, make) {
  try {
    return await make();
  } catch (error) {
    const [why] = String(error.message).split('\n');
    say(`without ${name}: ${error.message}`);
    return { why: `without ${name}: ${why}` };
  }
}

/**
 * A qrun and a node that the user can run: those of the clone, or the unpacked npm package in a temporary directory that the caller removes.
 * @returns {{bin: string, node: string, temporary: string | undefined}}
 */
export function placeQrun({ user, cache, install }) {
  const apart =
    install || !canRead(user, path.join(repository, 'bin')) || !canRead(user, path.join(repository, 'dist'));
  if (!apart) return { bin: path.join(repository, 'bin/qrun.js'), node: nodeFor(user, cache), temporary: undefined };
  const temporary = mkdtempSync('/tmp/qrun-test-');
  chmodSync(temporary, 0o755);
  return { bin: unpackInto(temporary), node: nodeFor(user, temporary), temporary };
}

/** The package as npm would publish it, unpacked where everybody can read it. Returns its bin/qrun.js. */
function unpackInto(directory) {
  const packed = JSON.parse(
    runTool('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', directory], { cwd: repository }),
  );
  runTool('tar', ['-xf', path.join(directory, packed[0].filename), '-C', directory, '--no-same-owner']);
  const root = path.join(directory, 'package');
  runTool('chmod', ['-R', 'a+rX', root]);
  return path.join(root, 'bin/qrun.js');
}

/** Writes the facts where the harness looks by default. */
export function writeFacts(facts, file = path.join(repository, '.cache/test-facts.json')) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(facts, null, 2)}\n`, { mode: 0o644 });
  return file;
}
