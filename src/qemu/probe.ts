/**
 * Asks a QEMU binary what it can do. One QEMU without a machine answers over QMP on its own standard streams; the back ends that are really
 * built in are only told by `-netdev help` (the schema lists types that are not), and the bridge helper's path by `-help`.
 */
import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { shellWord } from '../shell-word.ts';
import type { System } from '../system/system.ts';
import type { QemuCapabilities } from './capabilities.ts';
import {
  capabilityCacheFile,
  readCachedCapabilities,
  readCapabilityKey,
  writeCachedCapabilities,
} from './capability-cache.ts';
import type { Asker } from './probe-questions.ts';

export interface ProbeOptions {
  /** A path, or a name on PATH. */
  readonly file: string;
  readonly cacheDir: string;
  /** How long QEMU may take to answer. Default 30 000. */
  readonly timeoutMs?: number;
}

/**
 * From the cache when nothing changed since: no process is started then.
 * @throws QrunError `missing-tool`, `permission`, `qemu-failed` (no QEMU, or a broken one), `timeout`
 */
export async function readCapabilities(system: System, options: ProbeOptions): Promise<QemuCapabilities> {
  const file = locate(system, options.file);
  const key = readCapabilityKey(file, system.env);
  const cacheFile = capabilityCacheFile(options.cacheDir, file);
  const cached = readCachedCapabilities(cacheFile, key);
  if (cached !== undefined && cached.file === file) return cached;
  const known = underWay.get(cacheFile);
  if (known !== undefined) return await known;
  const asking = ask(system, file, options.timeoutMs ?? 30_000);
  underWay.set(cacheFile, asking);
  try {
    const capabilities = await asking;
    writeCachedCapabilities(cacheFile, key, capabilities);
    return capabilities;
  } finally {
    underWay.delete(cacheFile);
  }
}

/** By their cache's file: several VMs that are started at once ask once. */
const underWay = new Map<string, Promise<QemuCapabilities>>();

async function ask(system: System, file: string, timeoutMs: number): Promise<QemuCapabilities> {
  const { askCapabilities } = await import('./probe-questions.ts');
  return await askCapabilities(asker(system, file, timeoutMs), { file, realFile: realpathSync(file) });
}

function locate(system: System, named: string): string {
  const file = named.includes('/') ? path.resolve(named) : system.which(named);
  if (file === undefined) throw missing(named, 'was not found on PATH');
  try {
    const stat = statSync(file);
    if (!stat.isFile())
      throw new QrunError('missing-tool', `${file} is no program`, { hint: 'QRUN_QEMU must name a QEMU binary' });
    if ((stat.mode & 0o111) === 0)
      throw new QrunError('permission', `${file} may not be executed`, { hint: `chmod +x ${shellWord(file)}` });
  } catch (error) {
    throw error instanceof QrunError ? error : missing(file, `cannot be used: ${errnoOf(error) ?? String(error)}`);
  }
  return file;
}

/** What is not called like a QEMU comes with no package. */
function missing(file: string, why: string): QrunError {
  const name = path.basename(file);
  return new QrunError('missing-tool', `${file} ${why}`, {
    hint: name.startsWith('qemu-system-')
      ? `sudo apt-get install ${packageOf(name)}`
      : 'unset QRUN_QEMU   # or name a QEMU binary by it, such as qemu-system-x86_64',
  });
}

/** Debian's package of a binary. */
function packageOf(name: string): string {
  const architecture = /^qemu-system-(.+)$/.exec(name)?.[1] ?? 'x86_64';
  const known: Readonly<Record<string, string>> = {
    x86_64: 'x86',
    i386: 'x86',
    aarch64: 'arm',
    arm: 'arm',
    ppc: 'ppc',
    ppc64: 'ppc',
    s390x: 's390x',
    sparc: 'sparc',
    sparc64: 'sparc',
    mips: 'mips',
    mips64: 'mips',
  };
  return `qemu-system-${known[architecture] ?? 'misc'}`;
}

function asker(system: System, file: string, timeoutMs: number): Asker {
  return async (args, input) => {
    try {
      return await system.run(file, args, { timeoutMs, ...input });
    } catch (error) {
      if (!(error instanceof QrunError) || error.code !== 'timeout') throw error;
      throw new QrunError('timeout', `${file} did not say within ${timeoutMs / 1000} s what it can do`, {
        hint: `is it a QEMU? Try: ${shellWord(file)} --version`,
        cause: error,
      });
    }
  };
}
