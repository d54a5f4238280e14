/** Texts of profiles, parsed as if they lay in a directory of somebody's. */
import { QrunError, type Fault } from '../../../src/errors.ts';
import { parseVmName } from '../../../src/names.ts';
import { parseProfile } from '../../../src/profile/parse.ts';
import type { Profile } from '../../../src/profile/profile.ts';

export const directory = '/srv/machines';
export const home = '/home/somebody';

export function profileOf(text: string): Profile {
  return parseProfile(text, { file: `${directory}/web1.yaml`, name: parseVmName('web1'), home });
}

/** The faults of a text; none when it is valid. Anything but a QrunError is thrown on. */
export function faultsOf(text: string): readonly Fault[] {
  return errorOf(text)?.faults ?? [];
}

export function errorOf(text: string): QrunError | undefined {
  try {
    profileOf(text);
    return undefined;
  } catch (error) {
    if (error instanceof QrunError && error.code === 'invalid-profile') return error;
    throw error;
  }
}

/** `LINE:COLUMN PATH: MESSAGE` */
export function saidOf(text: string): string[] {
  return faultsOf(text).map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
}
