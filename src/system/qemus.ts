/** Every QEMU on the host, qrun's, another tool's, another user's: /proc/PID/cmdline can be read by all. */
import path from 'node:path';
import { type Mac, parseMac } from '../names.ts';
import { listPids, readArguments } from './processes.ts';

export interface RunningQemu {
  readonly pid: number;
  readonly argv: readonly string[];
  /** From `-name`, if it has one. */
  readonly name?: string;
  readonly macs: readonly Mac[];
}

export function listQemus(): RunningQemu[] {
  const found: RunningQemu[] = [];
  for (const pid of listPids()) {
    const argv = readArguments(pid);
    if (!isQemu(argv)) continue;
    const name = nameOfQemu(argv);
    found.push({ pid, argv, macs: macsOf(argv), ...(name !== undefined && { name }) });
  }
  return found;
}

/** By the name it was started under; a wrapper such as setpriv is replaced by QEMU when it execs. */
export function isQemu(argv: readonly string[]): boolean {
  return /^(qemu-system-[a-z0-9_]+|qemu-kvm|qemu|kvm)$/.test(path.basename(argv[0] ?? ''));
}

/** `mac=…` and `macaddr=…` of keyval, `"mac":"…"` of JSON. */
export function macsOf(argv: readonly string[]): Mac[] {
  const macs = new Set<Mac>();
  for (const argument of argv) {
    for (const [, , text = ''] of argument.matchAll(
      /(^|[,"'{\s])mac(?:addr)?["']?\s*[=:]\s*["']?([0-9a-f]{2}(?:[:-][0-9a-f]{2}){5})/gi,
    )) {
      const parsed = parseMac(text);
      if ('mac' in parsed) macs.add(parsed.mac);
    }
  }
  return [...macs];
}

/** The name that it was given with `-name`: qrun's QEMUs have their VM's. */
export function nameOfQemu(argv: readonly string[]): string | undefined {
  const at = argv.indexOf('-name');
  const value = at < 0 ? undefined : argv[at + 1];
  if (value === undefined) return undefined;
  const guest = /(?:^|,)guest=([^,]*)/.exec(value)?.[1];
  return guest ?? value.split(',')[0];
}
