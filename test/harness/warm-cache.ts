/**
 * What runs of this test file's homes have learnt: what QEMU can do, and the bundle's compiled code. A home that has to learn it anew pays a third of a
 * second of processor for it, and there are thousands. qrun believes of it what is its own and of this very QEMU and build.
 */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const kept = new Map<string, Buffer>();

/** Whole files only: a draft has another name. */
const worthKeeping = /^(?:code-.*\.bin|qemu-[0-9a-f]+\.json)$/;

export function keepCache(directory: string): void {
  try {
    for (const name of readdirSync(directory).filter((one) => worthKeeping.test(one))) {
      const file = path.join(directory, name);
      const { size } = lstatSync(file);
      // of compiled code, the one that knows more commands
      if (size > (kept.get(name)?.length ?? 0) && lstatSync(file).isFile()) kept.set(name, readFileSync(file));
    }
  } catch {
    // the test took it away
  }
}

export const keptCache = (): ReadonlyMap<string, Buffer> => kept;
