/** The kernel's random id of this boot. A test may play a reboot, but only on a state directory of its own. */
import { readFileSync } from 'node:fs';

let real: string | undefined;

export function readBootId(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const played = env['QRUN_TEST_BOOT_ID'];
  if (played !== undefined && played !== '' && env['QRUN_STATE_DIR']) return played;
  return (real ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
}
