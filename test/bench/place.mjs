/**
 * Where everything happens: a temporary directory of an ordinary user's, and homes in it, each with qrun directories of its own. Root becomes that
 * user for good before anything is measured.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { runTool } from '../setup/apt.mjs';
import { nodeFor, repository, testUser } from '../setup/places.mjs';
import { killProcessesOf } from './processes.mjs';

const searchPath = '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin';
/** No single command takes so long, a hundred VMs on a slow machine included. */
const commandTimeoutMs = 180_000;

/**
 * @param {{stayRoot?: boolean}} options with `stayRoot` this process stays who it is, and its homes are told whose they are
 * @returns {{dir: string, node: string, bin: string, user: {name: string, uid: number, gid: number} | undefined, dispose: () => void}}
 */
export function createPlace({ stayRoot = false } = {}) {
  process.umask(0o022);
  const user = testUser();
  const dir = mkdtempSync('/tmp/qb-');
  try {
    const node = nodeFor(user, dir);
    const bin = path.join(copyPackage(dir), 'bin/qrun.js');
    if (stayRoot) chmodSync(dir, 0o755);
    else if (user !== undefined) runTool('chown', ['-R', `${user.uid}:${user.gid}`, dir]);
    if (user !== undefined && !stayRoot) becomeUser(user);
    process.chdir(dir);
    return { dir, node, bin, user, dispose: () => dispose(dir) };
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

/** The clone may lie where that user cannot go, and a build in the middle of a bench must not change what is measured. */
function copyPackage(dir) {
  const target = path.join(dir, 'package');
  for (const part of ['bin', 'dist', 'profiles', 'schema', 'package.json'])
    cpSync(path.join(repository, part), path.join(target, part), { recursive: true });
  return target;
}

function becomeUser({ name, uid, gid }) {
  process.initgroups(name, gid);
  process.setgid(gid);
  process.setuid(uid);
}

function dispose(dir) {
  killProcessesOf(dir);
  process.chdir('/');
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
}

export class Home {
  /** @param {{as?: {uid: number, gid: number}, env?: Record<string, string>}} options `as`: for root, who else has it */
  constructor(place, name, { as, env } = {}) {
    this.place = place;
    this.as = as;
    this.dir = path.join(place.dir, name);
    for (const [key, short] of Object.entries({
      config: 'c',
      state: 's',
      runtime: 'r',
      cache: 'k',
      home: 'h',
      bare: 'b',
    }))
      this[key] = this.mkdir(short);
    for (const name of ['.', 'c/profiles']) this.mkdir(name);
    // nothing of the caller's: NODE_EXTRA_CA_CERTS alone doubles the time that node takes to start
    this.env = {
      PATH: `${path.dirname(place.node)}:${searchPath}`,
      HOME: this.home,
      LANG: 'C.UTF-8',
      QRUN_CONFIG_DIR: this.config,
      QRUN_STATE_DIR: this.state,
      QRUN_RUNTIME_DIR: this.runtime,
      QRUN_CACHE_DIR: this.cache,
      ...(process.env.QRUN_QEMU ? { QRUN_QEMU: process.env.QRUN_QEMU } : {}),
      ...env,
    };
  }

  mkdir(name) {
    const directory = path.join(this.dir, name);
    // QEMU of root's runs as somebody else, and must get through
    mkdirSync(directory, { recursive: true, mode: process.getuid() === 0 && this.as === undefined ? 0o711 : 0o700 });
    this.#own(directory);
    return directory;
  }

  #own(file) {
    if (this.as !== undefined) chownSync(file, this.as.uid, this.as.gid);
  }

  write(name, text) {
    const file = path.join(this.dir, name);
    writeFileSync(file, text, { mode: 0o600 });
    this.#own(file);
    return file;
  }

  profile(name, yaml) {
    return this.write(`c/profiles/${name}.yaml`, yaml);
  }

  /** Forgets everything but profiles and caches. */
  reset() {
    for (const directory of [this.state, this.runtime]) {
      rmSync(directory, { recursive: true, force: true });
      mkdirSync(directory, { mode: 0o700 });
      this.#own(directory);
    }
  }

  qrunArgv(...args) {
    return [this.place.node, this.place.bin, ...args];
  }

  /** Runs it and gives its standard output. @throws Error when it fails */
  read(argv, env = {}) {
    const { status, signal, error, stdout, stderr } = spawnSync(argv[0], argv.slice(1), {
      ...this.#options(env),
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    if (error !== undefined || status !== 0) throw failed(argv, { status, signal, error, stderr });
    return stdout;
  }

  qrun(...args) {
    return this.read(this.qrunArgv(...args));
  }

  /** Runs it and gives the milliseconds until it has ended. @throws Error when it fails */
  time(argv, env = {}) {
    const stderr = openSync(path.join(this.dir, 'stderr'), 'w+');
    try {
      const options = { ...this.#options(env), stdio: ['ignore', 'ignore', stderr] };
      const begin = performance.now();
      const { status, signal, error } = spawnSync(argv[0], argv.slice(1), options);
      const ms = performance.now() - begin;
      if (error === undefined && status === 0) return ms;
      throw failed(argv, { status, signal, error, stderr: readFileSync(path.join(this.dir, 'stderr'), 'utf8') });
    } finally {
      closeSync(stderr);
    }
  }

  timeQrun(...args) {
    return this.time(this.qrunArgv(...args));
  }

  timeNode() {
    return this.time([this.place.node, '-e', '0']);
  }

  /** Runs them, so many at a time, and gives the milliseconds until all have ended. @throws Error when one fails */
  async timeAll(argvs, atOnce) {
    const begin = performance.now();
    let next = 0;
    const work = async () => {
      while (next < argvs.length) await this.#end(argvs[next++]);
    };
    const results = await Promise.allSettled(Array.from({ length: Math.min(atOnce, argvs.length) }, work));
    const broken = results.find(({ status }) => status === 'rejected');
    if (broken !== undefined) throw broken.reason;
    return performance.now() - begin;
  }

  #end(argv) {
    return new Promise((resolve, reject) => {
      const child = spawn(argv[0], argv.slice(1), { ...this.#options({}), stdio: ['ignore', 'ignore', 'pipe'] });
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
      child.on('error', reject);
      child.on('close', (status, signal) => {
        if (status === 0) resolve();
        else reject(failed(argv, { status, signal, stderr }));
      });
    });
  }

  #options(env) {
    const limits = { timeout: commandTimeoutMs, killSignal: 'SIGKILL' };
    return {
      env: { ...this.env, ...env },
      cwd: this.dir,
      ...limits,
      ...(this.as && { uid: this.as.uid, gid: this.as.gid }),
    };
  }
}

function failed(argv, { status, signal, error, stderr }) {
  const why = error?.message ?? `ended with ${signal ?? status}`;
  return new Error(
    `${argv
      .slice(0, 4)
      .map((word) => path.basename(word))
      .join(' ')} … ${why}: ${gistOf(String(stderr))}`,
  );
}

/** Node prints the whole bundle, one line, before it says what is wrong. */
const gistOf = (stderr) =>
  stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && line.length < 500)
    .slice(0, 4)
    .join(' | ');
