/** Directories that a file needs and that are not there: made with it, and gone with it. */
import { lstatSync } from 'node:fs';
import path from 'node:path';
import type { Before, SetupAction } from '../item.ts';

/** The outermost first. */
export function missingParents(file: string): string[] {
  const directory = path.dirname(file);
  if (lstatSync(directory, { throwIfNoEntry: false }) !== undefined) return [];
  return [...missingParents(directory), directory];
}

const parentsIn = ({ parents }: Before): string[] =>
  Array.isArray(parents) ? parents.filter((one) => typeof one === 'string') : [];

export const makeParents = (before: Before): SetupAction[] =>
  parentsIn(before).map((path) => ({ do: 'mkdir', path, mode: 0o755 }));

export const removeParents = (before: Before): SetupAction[] =>
  parentsIn(before)
    .toReversed()
    .map((path) => ({ do: 'rmdir', path }));
