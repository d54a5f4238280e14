/** Texts of definitions, parsed as if they lay in a directory of somebody's. */
import { QrunError, type Fault } from '../../../src/errors.ts';
import { parseVmName } from '../../../src/names.ts';
import type { Network } from '../../../src/network/network.ts';
import { parseNetwork } from '../../../src/network/parse.ts';

export const directory = '/srv/networks';
export const home = '/home/somebody';

export interface TextOptions {
  readonly name?: string;
  readonly uid?: number;
}

export function networkOf(text: string, { name = 'lab', uid }: TextOptions = {}): Network {
  return parseNetwork(text, {
    file: `${directory}/${name}.yaml`,
    name: parseVmName(name),
    home,
    ...(uid !== undefined && { uid }),
  });
}

/** The faults of a text; none when it is valid. Anything but a QrunError is thrown on. */
export function faultsOf(text: string, options?: TextOptions): readonly Fault[] {
  return errorOf(text, options)?.faults ?? [];
}

export function errorOf(text: string, options?: TextOptions): QrunError | undefined {
  try {
    networkOf(text, options);
    return undefined;
  } catch (error) {
    if (error instanceof QrunError && error.code === 'invalid-network') return error;
    throw error;
  }
}

/** `LINE:COLUMN PATH: MESSAGE` */
export function saidOf(text: string, options?: TextOptions): string[] {
  return faultsOf(text, options).map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
}
