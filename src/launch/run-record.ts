/** The record of the run that goes on, and of how the last one ended: small JSON files in the VM's state directory. */
import { rmSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import type { VmName } from '../names.ts';
import type { PlannedNic } from '../plan/launch-plan.ts';
import type { VmFiles } from '../plan/vm-files.ts';
import type { Nic } from '../profile/profile.ts';
import { writeDurable, writeQuick } from '../system/files.ts';
import { readStateFile } from '../system/state-files.ts';

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
  /** The same as its profile said them, which may have been edited since. */
  readonly written?: readonly Nic[];
  readonly console: 'stdio' | 'none';
  /** QEMU was told to wait (`-S`): it stands still until its first RESUME. */
  readonly startsPaused: boolean;
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
  /** What its release could not give back, or a hook that failed: whoever ended the run tells it, whoever's release it was. */
  readonly problems?: readonly string[];
}

export function writeRun(files: VmFiles, record: RunRecord): void {
  writeQuick(files.run, JSON.stringify(record));
}

export function readRun(files: VmFiles): RunRecord | undefined {
  return readRecord<RunRecord>(files.run);
}

export function removeRun(files: VmFiles): void {
  rmSync(files.run, { force: true });
  rmSync(files.ending, { force: true });
}

/** @throws QrunError `newer-state`: one of a newer qrun is kept */
export function writeEnd(files: VmFiles, record: EndRecord): void {
  readEnd(files);
  writeDurable(files.last, JSON.stringify(record));
}

export function readEnd(files: VmFiles): EndRecord | undefined {
  return readRecord<EndRecord>(files.last);
}

/** Broken is as good as absent: what runs is proven by the VM lock, and these are replaced as a whole. */
function readRecord<R>(file: string): R | undefined {
  try {
    const read = readStateFile(file, { leave: true });
    return read.state === 'read' ? (read.value as unknown as R) : undefined;
  } catch (error) {
    // a link or a FIFO in its place is not followed, and must not keep a VM from being stopped
    if (error instanceof QrunError && error.code === 'unsafe-state') return undefined;
    throw error;
  }
}

/** How a run ended, in documents; null: it goes on, or nobody knows. */
export const lastRunOf = (end: EndRecord | undefined): Record<string, unknown> | null =>
  end === undefined ? null : { startedAt: end.startedAt, endedAt: end.endedAt, reason: end.reason, status: end.status };

/** For people: `powered off 2026-01-01 12:00`, … */
export function describeEnd({ reason, endedAt, qemuStatus }: EndRecord): string {
  const words = reasons[reason] ?? reason;
  const signal = reason === 'crashed' && qemuStatus !== undefined ? ` (QEMU's status ${qemuStatus})` : '';
  return `${words}${signal} ${endedAt.slice(0, 16).replace('T', ' ')} UTC`;
}

const reasons: Readonly<Record<string, string>> = {
  'guest-shutdown': 'powered off',
  'guest-reset': 'ended by its reset',
  'guest-panic': 'the guest panicked',
  'host-qmp-quit': 'ended by qrun',
  'host-qmp-system-reset': 'ended by its reset',
  'host-signal': 'ended by a signal',
  'host-ui': 'its window was closed',
  killed: 'killed by qrun',
  crashed: 'QEMU crashed or was killed',
  lost: 'the host went down',
};
