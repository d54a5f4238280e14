/** Small looks at /sys: what is not there, or not told, is empty. */
import { readlinkSync } from 'node:fs';
import path from 'node:path';
import { textOf } from '../system/glance.ts';

/** The last component of where a link leads. */
export function linkTarget(file: string): string | undefined {
  try {
    return path.basename(readlinkSync(file));
  } catch {
    return undefined;
  }
}

/** The bridge that an interface is a port of, by the interface's directory. */
export const bridgeOfPort = (directory: string): string | undefined =>
  linkTarget(path.join(directory, 'brport', 'bridge'));

/** One that this kind of device has not got, or does not tell while it is down, is empty. */
export const attributeOf = (file: string): string => textOf(file).trim();
