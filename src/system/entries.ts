import { readdirSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

/** The names in a directory; none where there is no such directory. @throws Error of Node's for one that cannot be read */
export function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
