/** Which process has a tap open: the kernel says it in what it tells of descriptors. */
import { listPids, readArguments } from '../system/processes.ts';
import { readTapsOf } from './tap-of.ts';

/** `pid 4711 (qemu-system-x86_64)`; undefined: none that this user may look into. */
export function holderOfTap(name: string): string | undefined {
  for (const pid of listPids()) {
    if (!readTapsOf(pid).some((tap) => tap.name === name)) continue;
    const program = readArguments(pid)[0]?.split('/').at(-1) ?? '';
    return `pid ${pid}${program === '' ? '' : ` (${program})`}`;
  }
  return undefined;
}
