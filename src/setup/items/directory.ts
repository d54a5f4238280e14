/** A directory of the host-wide registry. */
import { lstatSync, readdirSync } from 'node:fs';
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
    const count = entriesOf(path).length;
    if (count === 0) return undefined;
    return {
      why: `${path} has ${count === 1 ? 'an address' : `${count} addresses`} of VMs or ports (qrun rm and qrun net rm free them)`,
    };
  },
  undo: ({ path }, { existed }) =>
    existed === true || lstatSync(path, { throwIfNoEntry: false }) === undefined ? [] : [{ do: 'rmdir', path }],
};

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
