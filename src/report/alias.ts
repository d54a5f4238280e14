/** Aliases as a shell reads them, and what was left out as comments. */
import { shellWord, shellWords } from '../shell-word.ts';
import type { AliasShell } from './shell-names.ts';
import { visible } from './visible.ts';

export interface AliasLines {
  readonly shell: AliasShell;
  readonly aliases: readonly { readonly name: string; readonly command: readonly string[] }[];
  readonly skipped: readonly { readonly name: string; readonly hides: string }[];
}

/** Comments come last: an `eval` without quotes makes one line of it all. */
export function renderAliases({ shell, aliases, skipped }: AliasLines): string {
  const lines = [
    ...aliases.map(({ name, command }) => aliasLine(shell, name, command)),
    ...skipped.map((one) => `# ${describeSkipped(one)}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** One line, whatever PATH has in it. */
export const describeSkipped = ({ name, hides }: AliasLines['skipped'][number]): string =>
  `${name} gets no alias: it would hide ${visible(hides)}; qrun run ${name}`;

function aliasLine(shell: AliasShell, name: string, command: readonly string[]): string {
  if (shell === 'fish') return `alias ${fishWord(name)} ${fishWord(command.map(fishWord).join(' '))}`;
  return `alias ${shellWord(name)}=${quoted(shellWords(command))}`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** In fish a backslash is one inside single quotes too. */
function fishWord(text: string): string {
  if (/^[A-Za-z0-9_./-]+$/.test(text)) return text;
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
