/**
 * Does KVM run a guest? A device that opens says little: on nested machines QEMU may die on it, or the guest may crawl or stop at its first
 * exception. So a guest of a few hundred bytes is booted, 3 s at most, and what became of it is kept for `accel: auto`.
 */
import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { QemuCapabilities } from '../qemu/capabilities.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import type { RunResult, System } from '../system/system.ts';
import type { RunAs } from './facts.ts';
import { type KvmVerdict, writeKvmVerdict } from './kvm.ts';
import { buildSmokeSector, smokeDiskBytes, smokeExitStatus } from './smoke-sector.ts';

const defaultTimeoutS = 3;

export interface KvmSmokeOptions {
  readonly qemu: Pick<QemuCapabilities, 'file' | 'realFile' | 'version' | 'options'>;
  readonly cacheDir: string;
  /** Who QEMU is when root asks. */
  readonly runAs?: RunAs | undefined;
}

/** Boots the smoke guest under KVM and keeps the verdict. @throws QrunError when the guest cannot be tried at all */
export async function runKvmSmoke(system: System, { qemu, cacheDir, runAs }: KvmSmokeOptions): Promise<KvmVerdict> {
  const { fault } = await runSmokeGuest(system, { qemu, cacheDir, runAs, accel: 'kvm', cpu: 'host' });
  const verdict = fault === undefined ? 'works' : 'broken';
  writeKvmVerdict(cacheDir, qemu, { verdict, ...(fault !== undefined && { why: fault }) });
  return verdict;
}

export interface SmokeGuestOptions extends KvmSmokeOptions {
  readonly accel: 'kvm' | 'tcg';
  readonly cpu: string;
  /** Default 3. */
  readonly timeoutS?: number;
}

/** `fault`: what went wrong, in a few words; undefined when the guest came to its end. */
export interface SmokeResult {
  readonly fault?: string;
}

export async function runSmokeGuest(system: System, options: SmokeGuestOptions): Promise<SmokeResult> {
  const { timeoutS = defaultTimeoutS } = options;
  ensurePrivateDirectory(options.cacheDir, { uid: system.uid });
  const directory = mkdtempSync(path.join(options.cacheDir, 'kvm-smoke-'));
  try {
    const disk = path.join(directory, 'disk');
    writeFileSync(disk, buildSmokeSector());
    truncateSync(disk, smokeDiskBytes);
    if (options.runAs !== undefined) chmodSync(directory, 0o711);
    // timeout(1) ends QEMU in time even when qrun is killed meanwhile
    const args = ['-s', 'KILL', String(timeoutS), ...dropTo(options.runAs), ...smokeArgv(options, disk)];
    return judge(await system.run('timeout', args, { cwd: '/' }), timeoutS);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function dropTo(runAs: RunAs | undefined): string[] {
  if (runAs === undefined) return [];
  const ids = [`--reuid=${runAs.uid}`, `--regid=${runAs.gid}`];
  return ['setpriv', ...ids, '--init-groups', '--inh-caps=-all', '--no-new-privs', '--'];
}

function smokeArgv({ qemu, accel, cpu }: SmokeGuestOptions, disk: string): string[] {
  const drive = { driver: 'raw', 'node-name': 'disk', 'read-only': true, file: { driver: 'file', filename: disk } };
  const lockdown = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';
  return [
    qemu.file,
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...['-machine', 'q35', '-accel', accel, '-cpu', cpu, '-m', '64'],
    ...(qemu.options.includes('sandbox') ? ['-sandbox', lockdown] : []),
    ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
    ...['-blockdev', JSON.stringify(drive), '-device', 'virtio-blk-pci,drive=disk,bootindex=0'],
  ];
}

function judge({ status, stderr }: RunResult, timeoutS: number): SmokeResult {
  if (status === smokeExitStatus) return {};
  // what timeout(1) says when it could not start QEMU: that is no verdict about KVM
  if (status === 126 || status === 127)
    throw new QrunError('host-failed', 'the smoke guest could not be started', { causes: [stderr.trim()] });
  const words = stderr
    .split('\n')
    .find((line) => /internal error|emulation failure|assertion|error:|failed/i.test(line));
  const how = status === 137 ? `it did not come to its end within ${timeoutS} s` : `QEMU ended with ${status}`;
  return { fault: words === undefined ? how : `${how}: ${words.trim().slice(0, 200)}` };
}
