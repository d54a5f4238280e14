/** Which file a lab's name means. A path is the caller's own business. */
import path from 'node:path';
import type { VmName } from '../names.ts';
import type { Places } from '../places.ts';
import type { System } from '../system/system.ts';
import { listDefinitions, readTrusted } from './definition-files.ts';

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
export const listLabNames = (places: Places): VmName[] =>
  listDefinitions(places, { folder: 'labs' }).map(({ name }) => name);

/** The package's own are looked in last. */
export const directoriesOf = ({ config, examples }: Places): string[] => [
  ...config.map((directory) => path.join(directory, 'labs')),
  path.join(path.dirname(examples), 'labs'),
];
