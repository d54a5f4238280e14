/** The record of the run that goes on, and of how the last one ended: small JSON files in the VM's state directory. */
import { rmSync } from 'node:fs';
import type { VmName } from '../names.ts';
import type { PlannedNic } from '../plan/launch-plan.ts';
import type { VmFiles } from '../plan/vm-files.ts';
import { readJson, writeDurable, writeQuick } from '../system/files.ts';

export interface RunRecord {
  readonly v: 1;
  readonly vm: VmName;
  readonly runId: string;
  readonly bootId: string;
  /** ISO 8601 */
  readonly startedAt: string;
  readonly profile: string;
  readonly accel: 'kvm' | 'tcg';
  readonly qemu: { readonly file: string; readonly version: string };
  /** QEMU's, with the start time in clock ticks since boot that tells it from a later process of that number. Unknown until QEMU is up. */
  readonly pid?: number;
  readonly startTime?: number;
  readonly sockets: { readonly qmp: string; readonly console: string; readonly vnc?: string };
  readonly nics: readonly PlannedNic[];
  readonly console: 'stdio' | 'none';
  readonly shutdownTimeoutS: number;
}

/** How a run ended. */
export interface EndRecord {
  readonly v: 1;
  readonly vm: VmName;
  readonly runId: string;
  readonly startedAt: string;
  readonly endedAt: string;
  /** QMP's shutdown reason (`guest-shutdown`, `host-qmp-quit`, `host-signal`, …), `killed` (by qrun kill), `crashed`, or `lost` (the host went down). */
  readonly reason: string;
  /** The status that a foreground run ends with: 0 or 1. */
  readonly status: 0 | 1;
  /** QEMU's own exit status, 128+n for a signal, where the waiter told it. */
  readonly qemuStatus?: number;
}

export async function writeRun(files: VmFiles, record: RunRecord): Promise<void> {
  writeQuick(files.run, JSON.stringify(record));
}

export function readRun(files: VmFiles): RunRecord | undefined {
  return readJson<RunRecord>(files.run, { maxVersion: 1 });
}

export function removeRun(files: VmFiles): void {
  rmSync(files.run, { force: true });
  rmSync(files.ending, { force: true });
}

export function writeEnd(files: VmFiles, record: EndRecord): void {
  writeDurable(files.last, JSON.stringify(record));
}

export function readEnd(files: VmFiles): EndRecord | undefined {
  return readJson<EndRecord>(files.last, { maxVersion: 1 });
}
