/** The user's `config.yaml`: the first that there is in the config directories. */
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { Places } from '../places.ts';
import type { Settings } from '../profile/settings.ts';
import { shellWord } from '../shell-word.ts';
import { readOwned } from '../system/regular-file.ts';
import type { System } from '../system/system.ts';

const maxBytes = 64 * 1024;
const writableByOthers = 0o022;

/** @throws QrunError `invalid-profile` with all faults, `unsafe-file` for one that others can write */
export async function readSettings(
  { config }: Pick<Places, 'config'>,
  { uid }: Pick<System, 'uid'>,
): Promise<Settings> {
  for (const directory of config) {
    const file = path.join(directory, 'config.yaml');
    const found = readOwned(file, { maxBytes });
    if (found === undefined) continue;
    const { mode, uid: owner } = found.stat;
    if ((mode & writableByOthers) !== 0 || (owner !== uid && owner !== 0)) {
      throw new QrunError('unsafe-file', `${file} can be written by others: what it allows is not believed`, {
        hint: `chmod go-w ${shellWord(file)}`,
      });
    }
    return (await import('../profile/settings.ts')).parseSettings(found.text, file);
  }
  return { sudo: 'never' };
}
