/**
 * Glances at files that may be missing or closed to this user: what cannot be seen counts as not there. Whoever owes people the reason reads by
 * `files.ts` instead.
 */
import { readdirSync, readFileSync, realpathSync } from 'node:fs';

export function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

export const textOf = (file: string): string => contentOf(file) ?? '';

export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Where links lead; the path itself where they lead nowhere. */
export function realPathOf(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}
