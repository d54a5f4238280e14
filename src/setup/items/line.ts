/** One line in a file of somebody else's. */
import { readFileSync } from 'node:fs';
import type { LineItem } from '../item.ts';
import type { SetupKind } from '../kind.ts';
import { endOf, hasLine } from '../line-edit.ts';
import { readSafe } from '../perform.ts';
import { makeParents, missingParents, removeParents } from './missing-parents.ts';

export const line: SetupKind<LineItem> = {
  isDone: (item) => hasLine(textOf(item.path) ?? '', item.line, item.above),
  // refuses a file that is not root's alone before anything of it is done
  before: (item) => ({ end: endOf(readSafe(item.path)?.text), parents: missingParents(item.path) }),
  actions: (item, before) => [
    ...makeParents(before),
    {
      do: 'add-line',
      path: item.path,
      line: item.line,
      mode: item.mode,
      ...(item.above !== undefined && { above: item.above }),
      ...(item.group !== undefined && { group: item.group }),
    },
    ...reloads(item.reload?.made),
  ],
  whyKept: () => undefined,
  undo: (item, before) => {
    const { end } = before;
    const was = end === 'absent' || end === 'open-end' ? end : 'whole';
    const above = item.above === undefined ? {} : { above: item.above };
    const there = textOf(item.path) !== undefined;
    return [
      ...(there ? [{ do: 'remove-line', path: item.path, line: item.line, before: was, ...above } as const] : []),
      ...removeParents(before),
      ...reloads(item.reload?.undone),
    ];
  },
};

const reloads = (commands: readonly (readonly string[])[] = []) =>
  commands.map((argv) => ({ do: 'run', argv, mayFail: true }) as const);

/** As latin1: a foreign file may hold any bytes. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
