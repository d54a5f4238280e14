/** Texts of lab files, parsed as if they lay in a directory of somebody's. */
import { QrunError } from '../../../src/errors.ts';
import type { Lab } from '../../../src/lab/lab.ts';
import { parseLab } from '../../../src/lab/parse.ts';

export const directory = '/srv/labs';

export const labOf = (text: string): Lab => parseLab(text, { file: `${directory}/lab.yaml`, home: '/home/somebody' });

/** `LINE:COLUMN PATH: MESSAGE`; none when it is valid. */
export function saidOf(text: string): string[] {
  try {
    labOf(text);
    return [];
  } catch (error) {
    if (!(error instanceof QrunError) || error.code !== 'invalid-lab') throw error;
    return error.faults.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
  }
}
