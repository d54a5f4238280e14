/** A file of qrun's alone, with its name in it. One that somebody has changed since is theirs. */
import { lstatSync } from 'node:fs';
import { QrunError } from '../../errors.ts';
import { shellWord } from '../../shell-word.ts';
import { contentOf } from '../../system/glance.ts';
import type { FileItem } from '../item.ts';
import type { SetupKind } from '../kind.ts';
import { fileMark } from '../own-file.ts';
import { groupNamed } from './accounts.ts';
import { makeParents, missingParents, removeParents } from './missing-parents.ts';

export const file: SetupKind<FileItem> = {
  isDone: (item) => contentOf(item.path) === item.content && modeOf(item.path) === item.mode && isOfGroup(item),
  // its reader may not have been told yet
  resumes: true,
  before: (item) => {
    const text = contentOf(item.path);
    if (text !== undefined && text !== item.content && !text.startsWith(fileMark))
      throw new QrunError('in-use', `${item.path} is there already, and is not qrun's`, {
        hint: `sudo mv ${shellWord(item.path)} ${shellWord(`${item.path}.old`)}`,
      });
    return { parents: missingParents(item.path) };
  },
  actions: (item, before) => [
    ...makeParents(before),
    {
      do: 'write',
      path: item.path,
      content: item.content,
      mode: item.mode,
      ...(item.group !== undefined && { group: item.group }),
    },
    ...reloads(item),
  ],
  whyKept: (item) => {
    const text = contentOf(item.path);
    if (text === undefined || text === item.content) return undefined;
    return { why: `${item.path} was changed since: remove it yourself`, forget: true };
  },
  undo: (item, before) => [
    ...(contentOf(item.path) === undefined ? [] : [{ do: 'remove', path: item.path } as const]),
    ...removeParents(before),
    ...reloads(item),
  ],
};

const reloads = ({ reload }: FileItem) => reload.map((argv) => ({ do: 'run', argv, mayFail: true }) as const);

const isOfGroup = ({ path, group }: FileItem): boolean =>
  group === undefined || lstatSync(path, { throwIfNoEntry: false })?.gid === groupNamed(group)?.gid;

const modeOf = (path: string): number => (lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o7777;
