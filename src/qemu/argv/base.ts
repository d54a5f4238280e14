/** What every QEMU of qrun's is told first: bring nothing of your own, read no configuration of the host's. */
import { escapeComma } from '../option.ts';
import type { ArgvInput } from './input.ts';

export function baseArgs({ profile }: ArgvInput): string[] {
  return ['-nodefaults', '-no-user-config', '-name', `guest=${escapeComma(profile.name)}`];
}
