/** A first word that is no command and no profile, but nearly a command: nothing is started for the words behind it. */
import { QrunError } from '../errors.ts';
import { findProfileFile, listProfiles } from '../host/profile-files.ts';
import type { Places } from '../places.ts';
import { closestOf } from '../profile/closest.ts';
import { groupOf } from './command.ts';
import { commands, groups } from './list.ts';

/** @throws QrunError `unknown-name`, and `invalid-name` as for any profile */
export function refuseSlip(word: string, places: Places): void {
  const words = commands.filter(({ name, hidden }) => hidden !== true && groupOf(name) === undefined);
  const meant = closestOf(
    word,
    [...words, ...groups].map(({ name }) => name),
  );
  if (meant === undefined || findProfileFile(word, { places }) !== undefined) return;
  const names = listProfiles(places).map(({ name }) => name);
  if (closestOf(word, names) !== undefined) return;
  throw new QrunError('unknown-name', `there is no command and no profile ${word} (did you mean qrun ${meant}?)`, {
    hint: `qrun ${meant} --help`,
  });
}
