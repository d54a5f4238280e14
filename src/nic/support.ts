/** What a kind says when this QEMU has not got its back end. */
import { QrunError } from '../errors.ts';
import type { Nic } from '../profile/profile.ts';
import { renderVersion, type QemuCapabilities } from '../qemu/capabilities.ts';
import type { NicContext } from './nic-kind.ts';

export const indexOfNic = (nic: Nic, { profile }: NicContext): number => Math.max(0, profile.nics.indexOf(nic));

/** The version that brought a type. */
const since: Readonly<Record<string, string>> = { stream: '7.2', dgram: '7.2' };

export function missingBackEnd(at: string, type: string, { file, version }: QemuCapabilities): QrunError {
  const from = since[type];
  const old = from === undefined ? '' : `, which QEMU has from ${from} on`;
  return new QrunError('missing-feature', `${at}: ${file} (${renderVersion(version)}) has no back end ${type}${old}`, {
    hint: 'use another kind of NIC, or a QEMU that has it (QRUN_QEMU)',
  });
}
