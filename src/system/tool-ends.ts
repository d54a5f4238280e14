/** How a tool's end is told. */
import { constants } from 'node:os';
import { QrunError } from '../errors.ts';

export function statusOf(status: number | null | undefined, signal: NodeJS.Signals | null | undefined): number {
  if (typeof status === 'number') return status;
  return 128 + (signal === null || signal === undefined ? 0 : constants.signals[signal]);
}

export function timedOut(file: string, { timeoutMs }: { readonly timeoutMs?: number | undefined }): QrunError {
  return new QrunError('timeout', `${file} did not end within ${(timeoutMs ?? 0) / 1000} s`);
}

export function spawnFailed(file: string, { errno, reason }: { errno: string | undefined; reason: string }): QrunError {
  const code = errno === 'EACCES' || errno === 'EPERM' ? 'permission' : 'host-failed';
  return new QrunError(code, `${file} could not be started`, { causes: [reason === '' ? (errno ?? '') : reason] });
}
