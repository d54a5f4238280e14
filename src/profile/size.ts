/**
 * Sizes with a unit: `512M`, `1.5G`, `20G`. Binary units, as QEMU's own.
 */
import type { Parsed } from './address.ts';

const exponents = { K: 1, M: 2, G: 3, T: 4 } as const;

export const sizePattern = '^[0-9]+([.][0-9]+)?[KkMmGgTt]$';

const mib = 1024 ** 2;
/** More than any host has; beyond it a mistake of units is the likely reason. */
const maxMemoryMib = 16 * 1024 ** 2;
const maxDiskBytes = 4096 * 1024 ** 4;

/** `20G` → bytes. A bare number is a fault: to qemu-img it is bytes, to most people something else. */
export function parseSize(text: string): Parsed<number> {
  const match = /^([0-9]{1,15}(?:\.[0-9]{1,9})?)([KMGT])(i?B)?$/i.exec(text);
  if (match === null) return { fault: `${JSON.stringify(text)} is no size: a number with K, M, G or T, such as 20G` };
  if (match[3] !== undefined) return { fault: `write ${match[1]}${match[2]}, which is in binary units already` };
  const exponent = exponents[(match[2] ?? '').toUpperCase() as keyof typeof exponents];
  const bytes = Number(match[1]) * 1024 ** exponent;
  if (!Number.isSafeInteger(bytes)) return { fault: `${JSON.stringify(text)} is not a whole number of bytes` };
  if (bytes < 512 || bytes > maxDiskBytes) return { fault: `${text} is out of range: 512 bytes to 4096T` };
  return { value: bytes };
}

/** `1G`, or a number of MiB, → MiB. */
export function parseMemory(written: string | number): Parsed<number> {
  const counted = typeof written === 'number' || /^[0-9]{1,15}$/.test(written);
  const bytes = counted ? { value: Number(written) * mib } : parseSize(String(written));
  if ('fault' in bytes) {
    return {
      fault: bytes.fault.replace(/ is no size: .*/, ' is no size: a number of MiB, or with K, M, G or T, such as 512M'),
    };
  }
  const memoryMib = bytes.value / mib;
  if (!Number.isInteger(memoryMib)) return { fault: 'memory is counted in whole MiB' };
  if (memoryMib < 1 || memoryMib > maxMemoryMib) return { fault: `${written} is out of range: 1M to 16T` };
  return { value: memoryMib };
}
