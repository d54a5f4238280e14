/**
 * A network and mount namespace of a test's own, for root: an empty network with loopback, a /dev/net/tun that everybody may open (as on an
 * ordinary Debian) and an /etc/qemu that may be written. The machine itself is not changed; all is gone when its one process is.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { isRoot } from './facts.ts';
import { killAll, readChildren, readProcessesNaming, waitUntil } from './processes.ts';
import { runMark, runName } from './run-mark.ts';
import { Running, type Result } from './running.ts';

export interface NamespaceOptions {
  /** Mode of /dev/net/tun in it. */
  readonly tunMode?: string;
  readonly disposeAtEnd?: boolean;
}

export class Namespace {
  /** A directory of its own, world-accessible; /etc/qemu inside is DIR/qemu. */
  readonly dir: string;
  readonly pid: number;
  readonly #holder: Running;

  private constructor(dir: string, holder: Running, pid: number) {
    this.dir = dir;
    this.#holder = holder;
    this.pid = pid;
  }

  static async create({ tunMode = '666' }: NamespaceOptions): Promise<Namespace> {
    if (!isRoot()) throw new Error('only root can make a namespace here: call needsRoot(context) first');
    const dir = mkdtempSync(`/tmp/qn${runName()}-`);
    chmodSync(dir, 0o755);
    for (const name of ['qemu', 'etc']) mkdirSync(`${dir}/${name}`);
    const script = [
      'set -e',
      'ip link set lo up',
      'mount -t sysfs none /sys',
      `mknod -m ${tunMode} ${dir}/tun c 10 200`,
      `chmod ${tunMode} ${dir}/tun`,
      `[ ! -e /dev/net/tun ] || mount --bind ${dir}/tun /dev/net/tun`,
      // where there is no /etc/qemu, it is made on a layer of the namespace's own
      `[ -d /etc/qemu ] || { mount -t tmpfs layer ${dir}/etc && mkdir ${dir}/etc/u ${dir}/etc/w &&`,
      `  mount -t overlay etc -o lowerdir=/etc,upperdir=${dir}/etc/u,workdir=${dir}/etc/w /etc && mkdir /etc/qemu; }`,
      `mount --bind ${dir}/qemu /etc/qemu`,
      'echo ready $$',
      'exec sleep infinity',
    ].join('\n');
    const argv = ['unshare', '--net', '--mount', '--propagation', 'private', '--', 'sh', '-c', script, dir];
    const path = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';
    const holder = new Running(argv, {
      env: { PATH: path, QRUN_NS: dir, ...runMark() },
      cwd: '/',
      timeoutMs: 3_600_000,
    });
    await holder.waitFor(/ready \d+/);
    return new Namespace(dir, holder, holder.pid);
  }

  /** The command that runs `argv` inside. Entering would otherwise lose the root directory of a chroot and the working directory. */
  wrap(argv: readonly string[], cwd = '/'): string[] {
    const enter = ['nsenter', `--target=${this.pid}`, '--net', '--mount', '--root'];
    return [...enter, '--', 'env', `--chdir=${cwd}`, ...argv];
  }

  /** Runs a command of root's inside, to its end. */
  run(argv: readonly string[], input?: string): Result {
    const [file = '', ...args] = this.wrap(argv);
    const { status, stdout, stderr } = spawnSync(file, args, { input: input ?? '', encoding: 'utf8' });
    return { status: status ?? 255, stdout, stderr };
  }

  async dispose(): Promise<void> {
    killAll([...readChildren(this.pid).map((pid) => ({ pid, command: '' }))]);
    this.#holder.kill('SIGKILL');
    await this.#holder.end;
    await waitUntil(() => readProcessesNaming(this.dir).length === 0, 1000);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Makes a namespace for the running test and ends it at the test's end. */
export async function createNamespace(options: NamespaceOptions = {}): Promise<Namespace> {
  const namespace = await Namespace.create(options);
  if (options.disposeAtEnd !== false) onTestFinished(() => namespace.dispose());
  return namespace;
}
