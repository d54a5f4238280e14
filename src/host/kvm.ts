/** Whether KVM is there, may be opened, and works: the last from a verdict that `doctor` wrote after it ran a smoke guest. */
import { closeSync, constants, existsSync, openSync, statSync, type Stats } from 'node:fs';
import { release } from 'node:os';
import path from 'node:path';
import { type QemuCapabilities, renderVersion } from '../qemu/capabilities.ts';
import { writeQuick } from '../system/files.ts';
import { readStateFile } from '../system/state-files.ts';
import { accessOf } from './file-access.ts';
import type { HostFacts, RunAs } from './facts.ts';

const device = '/dev/kvm';

export type KvmVerdict = 'works' | 'broken';
type QemuIdentity = Pick<QemuCapabilities, 'realFile' | 'version'>;

export interface KvmOptions {
  readonly cacheDir: string;
  readonly qemu: QemuIdentity;
  readonly runAs?: RunAs | undefined;
}

export function readKvm({ cacheDir, qemu, runAs }: KvmOptions): HostFacts['kvm'] {
  if (!existsSync(device)) return { present: false, openable: false };
  const openable = canOpen() && (runAs === undefined || accessOf(runAs).mayWrite(device));
  const verdict = readKvmVerdict(cacheDir, qemu);
  const groupless = !openable && isGroupless(statSync(device));
  return { present: true, openable, ...(groupless && { groupless }), ...(verdict !== undefined && { verdict }) };
}

/** udev gives it to the group kvm, and everybody on some systems; in a container it may be root's alone. */
export const isGroupless = ({ gid, mode }: Pick<Stats, 'gid' | 'mode'>): boolean =>
  (mode & 0o006) !== 0o006 && (gid === 0 || (mode & 0o060) !== 0o060);

/** Only an open tells: a device node without a driver behind it is there and says ENODEV. */
function canOpen(): boolean {
  try {
    closeSync(openSync(device, constants.O_RDWR | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}

const verdictFile = (cacheDir: string): string => path.join(cacheDir, 'kvm-verdict.json');
const keyOf = ({ realFile, version }: QemuIdentity): string => `${realFile} ${renderVersion(version)}`;

/** Holds for this kernel and this QEMU only. A cache: whatever is wrong with it, there is just no verdict. */
export function readKvmVerdict(cacheDir: string, qemu: QemuIdentity): KvmVerdict | undefined {
  try {
    const read = readStateFile(verdictFile(cacheDir), { leave: true, maxBytes: 64 * 1024 });
    if (read.state !== 'read' || read.value['kernel'] !== release() || read.value['qemu'] !== keyOf(qemu))
      return undefined;
    const { verdict } = read.value;
    return verdict === 'works' || verdict === 'broken' ? verdict : undefined;
  } catch {
    return undefined;
  }
}

export interface FoundVerdict {
  readonly verdict: KvmVerdict;
  /** What went wrong, for whoever reads the file. */
  readonly why?: string;
}

/** The directory must be there. @throws QrunError `host-failed`, `permission` */
export function writeKvmVerdict(cacheDir: string, qemu: QemuIdentity, found: FoundVerdict): void {
  writeQuick(verdictFile(cacheDir), `${JSON.stringify({ v: 1, kernel: release(), qemu: keyOf(qemu), ...found })}\n`);
}
