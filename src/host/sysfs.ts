/** Small looks at /sys: what is not there, or not told, is empty. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';

/** The last component of where a link leads. */
export function linkTarget(file: string): string | undefined {
  try {
    return path.basename(readlinkSync(file));
  } catch {
    return undefined;
  }
}

export function listed(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** An attribute that this kind of device has not got, or does not tell while it is down, is empty. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
