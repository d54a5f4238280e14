/**
 * A home of its own for a test: directories for every place of qrun's, owned by the user that runs it, and an end that proves that nothing is left.
 */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { ownerFor, prefixFor, type As } from './as.ts';
import { testFacts } from './facts.ts';
import type { Namespace } from './namespace.ts';
import { killAll, readChildren, readProcessesNaming, waitUntil } from './processes.ts';
import { runMark, runName } from './run-mark.ts';
import { Running, type Result } from './running.ts';
import { keepCache, keptCache } from './warm-cache.ts';

export interface HomeOptions {
  /** Who owns the home and runs qrun in it. */
  readonly as?: As;
  /** QEMU for QRUN_QEMU. Default: what PATH has. */
  readonly qemu?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Everything runs in this network and mount namespace. */
  readonly namespace?: Namespace;
  /** True: processes that are left at the end are killed without failing the test. */
  readonly mayLeave?: boolean;
  /** How long what ends by itself has for it at the end. */
  readonly graceMs?: number;
  /** True: nothing is known yet of QEMU, and nothing is compiled. Default: what earlier homes of the test file have learnt is there. */
  readonly cold?: boolean;
  /** False: the caller calls `dispose` itself (for `beforeAll`). Default: at the end of the running test. */
  readonly disposeAtEnd?: boolean;
}

export interface CallOptions {
  /** Default: the home's. */
  readonly as?: As;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly cwd?: string;
}

/** A busy machine takes its time with processes that are ending; one that nobody ends is left after any time. */
const usualGraceMs = 30_000;

export class Home {
  /** Short, because a unix socket's path has at most 107 bytes. */
  readonly dir: string;
  readonly as: As;
  readonly config: string;
  readonly state: string;
  readonly runtime: string;
  readonly cache: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #options: HomeOptions;
  #disposed = false;

  constructor(options: HomeOptions) {
    this.#options = options;
    this.as = options.as ?? 'user';
    this.dir = mkdtempSync(`/tmp/qt${runName()}-`);
    // QEMU of root's runs as somebody else and must get through
    chmodSync(this.dir, this.as === 'root' ? 0o755 : 0o700);
    this.#own(this.dir);
    this.config = this.mkdir('c');
    this.state = this.mkdir('s');
    this.runtime = this.mkdir('r');
    this.cache = this.mkdir('k');
    this.mkdir('c/profiles');
    if (options.cold !== true) for (const [name, bytes] of keptCache()) this.write(`k/${name}`, bytes);
    const { qemu } = options;
    this.env = {
      PATH: [path.dirname(testFacts().node), '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'].join(':'),
      HOME: this.mkdir('home'),
      USER: ownerFor(this.as).name,
      LANG: 'C.UTF-8',
      QRUN_CONFIG_DIR: this.config,
      QRUN_STATE_DIR: this.state,
      QRUN_RUNTIME_DIR: this.runtime,
      QRUN_CACHE_DIR: this.cache,
      QRUN_HOST_DIR: path.join(this.dir, 'h'),
      ...(qemu === undefined ? {} : { QRUN_QEMU: qemu }),
      ...runMark(),
      ...options.env,
    };
  }

  /** Makes a directory of the home's user in the home, mode 0700. */
  mkdir(name: string): string {
    const directory = path.join(this.dir, name);
    mkdirSync(directory, { recursive: true, mode: this.as === 'root' ? 0o711 : 0o700 });
    this.#own(directory);
    return directory;
  }

  /** Writes a file of the home's user, with a relative name in the home. */
  write(name: string, content: string | Buffer, mode = 0o600): string {
    const file = path.resolve(this.dir, name);
    writeFileSync(file, content, { mode });
    chmodSync(file, mode);
    this.#own(file);
    return file;
  }

  /** Writes `profiles/NAME.yaml`. */
  profile(name: string, yaml: string): string {
    return this.write(`c/profiles/${name}.yaml`, yaml);
  }

  /** The definition of a managed network. */
  network(name: string, yaml: string): string {
    this.mkdir('c/networks');
    return this.write(`c/networks/${name}.yaml`, yaml);
  }

  /** Runs `qrun ARGS` to its end. stdin is empty unless `input` is given. */
  qrun(args: readonly string[], options: CallOptions = {}): Promise<Result> {
    return this.run([testFacts().node, testFacts().bin, ...args], options);
  }

  /** Starts `qrun ARGS` and leaves stdin open. */
  start(args: readonly string[], options: CallOptions = {}): Running {
    return this.#start([testFacts().node, testFacts().bin, ...args], options, true);
  }

  /** The same for any other program; its pid is `running.pid`. */
  startProgram(argv: readonly string[], options: CallOptions = {}): Running {
    return this.#start(argv, options, true);
  }

  /** Starts `qrun ARGS` on a terminal of its own (80 by 24), through script(1). All output is on `stdout`. See `pidBehindPty`. */
  pty(args: readonly string[], options: CallOptions = {}): Running {
    return this.ptyOf([testFacts().node, testFacts().bin, ...args], options);
  }

  /** The same for any other program. */
  ptyOf(argv: readonly string[], options: CallOptions = {}): Running {
    const command = argv.map(quote).join(' ');
    const script = ['script', '-qefc', `stty cols 80 rows 24; exec ${command}`, '/dev/null'];
    return this.#start(script, { ...options, env: { TERM: 'xterm', SHELL: '/bin/sh', ...options.env } }, true);
  }

  /** Any other program, as the same user in the same environment and namespace. */
  run(argv: readonly string[], options: CallOptions = {}): Promise<Result> {
    return this.#start(argv, options, false).end;
  }

  /** Kills what is left of this home, removes it, and throws if there was anything. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    const { mayLeave = false, graceMs = usualGraceMs } = this.#options;
    await waitUntil(() => readProcessesNaming(this.dir).length === 0, mayLeave ? 0 : graceMs);
    const left = readProcessesNaming(this.dir);
    // again and again: what keeps others going may start one more before it is killed itself
    await waitUntil(() => {
      const living = readProcessesNaming(this.dir);
      killAll(living);
      return living.length === 0;
    }, usualGraceMs);
    if (this.#options.cold !== true) keepCache(this.cache);
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
    if (left.length > 0 && !mayLeave)
      throw new Error(`left behind: ${left.map(({ pid, command }) => `${pid} ${command}`).join('\n')}`);
  }

  #start(argv: readonly string[], options: CallOptions, interactive: boolean): Running {
    // a test that timed out goes on until something fails
    if (this.#disposed) throw new Error('the test has ended, and its home is gone');
    const inside = [...prefixFor(options.as ?? this.as), ...argv];
    const cwd = options.cwd ?? this.dir;
    return new Running(this.#options.namespace?.wrap(inside, cwd) ?? inside, {
      env: { ...this.env, ...options.env },
      cwd,
      input: options.input,
      timeoutMs: options.timeoutMs,
      interactive,
    });
  }

  #own(file: string): void {
    const { uid, gid } = ownerFor(this.as);
    if (process.getuid?.() === 0) chownSync(file, uid, gid);
  }
}

/** Makes a home for the running test and disposes of it at the test's end, which fails if a process was left. */
export function createHome(options: HomeOptions = {}): Home {
  const home = new Home(options);
  if (options.disposeAtEnd !== false) onTestFinished(() => home.dispose());
  return home;
}

/** The pid of the program behind script(1), for signals. */
export async function pidBehindPty(running: Running): Promise<number> {
  await waitUntil(() => readChildren(running.pid).length > 0, usualGraceMs);
  const [pid] = readChildren(running.pid);
  if (pid === undefined) throw new Error(`nothing runs behind the terminal\n${running.stdout}`);
  return pid;
}

const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
