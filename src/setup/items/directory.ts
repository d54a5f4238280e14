/** A directory of the host-wide registry. */
import { lstatSync } from 'node:fs';
import { basename, join } from 'node:path';
import { userNameOf } from '../../host/accounts.ts';
import { parseMac } from '../../names.ts';
import { shellWord, shellWords } from '../../shell-word.ts';
import { namesIn } from '../../system/glance.ts';
import type { DirectoryItem } from '../item.ts';
import type { SetupKind } from '../kind.ts';

export const directory: SetupKind<DirectoryItem> = {
  isDone: ({ path, mode }) => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat?.isDirectory() === true && stat.uid === 0 && (stat.mode & 0o7777) === mode;
  },
  before: ({ path }) => ({ existed: lstatSync(path, { throwIfNoEntry: false }) !== undefined }),
  actions: ({ path, mode }) => [{ do: 'mkdir', path, mode }],
  whyKept: ({ path }, { existed }) => {
    if (existed === true) return undefined;
    const all = namesIn(path);
    const rubbish = all.filter((name) => !isClaim(join(path, name)));
    if (rubbish.length > 0) return { why: whyRubbish(path, rubbish) };
    if (all.length === 0) return undefined;
    const count = all.length === 1 ? 'an address' : `${all.length} addresses`;
    return {
      why: `${path} has ${count} of VMs or ports of ${ownersOf(path, all)} (qrun rm and qrun net rm free them)`,
    };
  },
  undo: ({ path }, { existed }) =>
    existed === true || lstatSync(path, { throwIfNoEntry: false }) === undefined ? [] : [{ do: 'rmdir', path }],
};

const maxBytes = 64 * 1024;

/** By its name, and what it is: anybody may put anything there. */
function isClaim(file: string): boolean {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  return stat === undefined || (stat.isFile() && stat.size <= maxBytes && 'mac' in parseMac(basename(file)));
}

const mostNamed = 3;

function whyRubbish(path: string, names: readonly string[]): string {
  const some = names.slice(0, mostNamed);
  const more = names.length > mostNamed ? `, and ${names.length - mostNamed} more` : '';
  // a name may hold anything, and would be given to a shell
  const canBeShown = some.every((name) => /^[\x20-\x7e]+$/.test(name));
  const mend = canBeShown
    ? `sudo rm -r -- ${shellWords(some.map((name) => join(path, name)))}${more}`
    : `ls -lab ${shellWord(path)}; remove them first`;
  return `${path} has what is no address of a VM's, of ${ownersOf(path, names)} (${mend})`;
}

function ownersOf(path: string, names: readonly string[]): string {
  const uids = names.flatMap((name) => lstatSync(join(path, name), { throwIfNoEntry: false })?.uid ?? []);
  return [...new Set(uids)].map((uid) => userNameOf(uid) ?? `uid ${uid}`).join(', ');
}
