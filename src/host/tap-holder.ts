/** Which process has a tap open: the kernel says it in what it tells of descriptors. */
import { readlinkSync } from 'node:fs';
import { listPids, readArguments } from '../system/processes.ts';
import { readTapsOf } from './tap-of.ts';

/** `pid 4711 (qemu-system-x86_64)`; undefined: none that this user may look into. */
export function holderOfTap(name: string): string | undefined {
  const network = networkOf('self');
  for (const pid of listPids()) {
    // a name says nothing in another network namespace; if QEMU was started there with a tap of here, the kernel refuses the second one
    if (networkOf(pid) !== network) continue;
    if (!readTapsOf(pid).some((tap) => tap.name === name)) continue;
    const program = readArguments(pid)[0]?.split('/').at(-1) ?? '';
    return `pid ${pid}${program === '' ? '' : ` (${program})`}`;
  }
  return undefined;
}

function networkOf(pid: number | 'self'): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return '';
  }
}
