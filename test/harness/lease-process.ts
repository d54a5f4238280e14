/** Starts lease-worker.ts as a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import type { Mac } from '../../src/names.ts';
import type { LeaseOrder } from './lease-worker.ts';

export interface LeaseEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly macs: Readonly<Record<string, Mac>>;
  readonly stderr: string;
}

export interface LeaseRun {
  readonly child: ChildProcess;
  readonly end: Promise<LeaseEnd>;
}

export interface LeaseRunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Put in front: to enter a namespace, to be another user. */
  readonly prefix?: readonly string[];
}

export class LeaseProcess {
  readonly #bundle: string;
  readonly #env: Readonly<Record<string, string>>;

  private constructor(bundle: string, env: Readonly<Record<string, string>>) {
    this.#bundle = bundle;
    this.#env = env;
  }

  /** Bundles the worker into `dir`; state, configuration and registry are directories of it. */
  static async create(dir: string): Promise<LeaseProcess> {
    const bundle = path.join(dir, 'lease-worker.cjs');
    const source = path.join(import.meta.dirname, 'lease-worker.ts');
    await build({
      entryPoints: [source],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      logLevel: 'silent',
    });
    chmodSync(bundle, 0o644);
    const places = {
      QRUN_STATE_DIR: 'state',
      QRUN_CONFIG_DIR: 'config',
      QRUN_HOST_DIR: 'host',
      QRUN_CACHE_DIR: 'cache',
      QRUN_RUNTIME_DIR: 'run',
    };
    const env = Object.fromEntries(Object.entries(places).map(([name, sub]) => [name, path.join(dir, sub)]));
    return new LeaseProcess(bundle, { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', ...env });
  }

  start(order: LeaseOrder, { env = {}, prefix = [] }: LeaseRunOptions = {}): LeaseRun {
    const [file, ...args] = [...prefix, process.execPath, this.#bundle, JSON.stringify(order)];
    const child = spawn(file, args, { env: { ...this.#env, ...env }, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => (stdout += String(text)));
    child.stderr.on('data', (text) => (stderr += String(text)));
    const end = new Promise<LeaseEnd>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, signal) => {
        const macs = stdout === '' ? {} : (JSON.parse(stdout) as { macs: Record<string, Mac> }).macs;
        resolve({ status, signal, macs, stderr });
      });
    });
    return { child, end };
  }

  run(order: LeaseOrder, options: LeaseRunOptions = {}): Promise<LeaseEnd> {
    return this.start(order, options).end;
  }
}
