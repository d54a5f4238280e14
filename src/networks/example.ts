import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { Places } from '../places.ts';

/** Whether a definition is one of the package's. The package may be reached by a link. */
export function isExample(file: string, { places }: { readonly places: Pick<Places, 'examples'> }): boolean {
  try {
    return path.dirname(realpathSync(file)) === realpathSync(path.join(places.examples, '../networks'));
  } catch {
    return false;
  }
}
