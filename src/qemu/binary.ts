/** Which QEMU, and where what it can do is remembered. */
import type { Places } from '../places.ts';
import type { System } from '../system/system.ts';

export function qemuOf({ system, places }: { readonly system: System; readonly places: Places }): {
  readonly file: string;
  readonly cacheDir: string;
} {
  return { file: system.env['QRUN_QEMU'] || 'qemu-system-x86_64', cacheDir: places.cache };
}
