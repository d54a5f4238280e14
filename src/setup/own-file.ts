/** The text of a file of qrun's: its mark, then its lines. */
import type { FileItem } from './item.ts';

/** The first line of whatever qrun writes, so that it is known again when the record is lost. */
export const fileMark = '# Written by qrun setup; qrun setup --undo removes it.';

export interface OwnFile {
  readonly what: string;
  readonly path: string;
  readonly lines: readonly string[];
  /** Default 0644. */
  readonly mode?: number;
  readonly group?: string;
  readonly reload?: readonly (readonly string[])[];
}

export const ownFile = ({ what, path, lines, mode = 0o644, group, reload = [] }: OwnFile): FileItem => ({
  kind: 'file',
  what,
  path,
  content: `${[fileMark, ...lines].join('\n')}\n`,
  mode,
  ...(group !== undefined && { group }),
  reload,
});
