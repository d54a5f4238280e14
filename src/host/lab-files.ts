/** Which file a lab's name means. A path is the caller's own business. */
import path from 'node:path';
import { readdirSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { isVmName, type VmName } from '../names.ts';
import type { Places } from '../places.ts';
import type { System } from '../system/system.ts';
import { readTrusted } from './profile-files.ts';

export interface LabFile {
  /** Absolute. */
  readonly file: string;
  readonly text: string;
}

export interface LabFileOptions {
  readonly places: Places;
  readonly system: Pick<System, 'uid' | 'env'>;
}

/** @throws QrunError `unsafe-file`, `permission`, `invalid-lab` (not text) */
export function readLabNamed(name: VmName, { places, system }: LabFileOptions): LabFile | undefined {
  for (const directory of directoriesOf(places)) {
    const file = path.join(directory, `${name}.yaml`);
    const text = readTrusted(file, system, 'invalid-lab');
    if (text !== undefined) return { file, text };
  }
  return undefined;
}

/** Names that can be given to `up` and `down`, sorted. Nothing is opened. */
export function listLabNames(places: Places): VmName[] {
  const names = directoriesOf(places)
    .flatMap(namesIn)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.slice(0, -'.yaml'.length))
    .filter(isVmName);
  return [...new Set(names)].toSorted();
}

/** The package's own are looked in last. */
export const directoriesOf = ({ config, examples }: Places): string[] => [
  ...config.map((directory) => path.join(directory, 'labs')),
  path.join(path.dirname(examples), 'labs'),
];

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}
