/** What setup does, as a person would type or write it. The same lines for the dry run and while it happens. */
import { shellWord } from '../shell-word.ts';
import type { SetupAction } from './item.ts';

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');
const ownedBy = (group: string | undefined): string => (group === undefined ? '' : `, root:${group}`);

const withLines = (what: string, text: string): string[] =>
  text.includes('\n') ? [what, ...text.split('\n').map((line) => `    ${line}`)] : [`${what} ${text}`];

/** The first line says what; those after it are what a file holds. */
export function renderAction(action: SetupAction): string[] {
  switch (action.do) {
    case 'run':
      return [action.argv.map(shellWord).join(' ')];
    case 'write':
      return [
        `write ${shellWord(action.path)} (${octal(action.mode)}${ownedBy(action.group)}):`,
        ...action.content
          .replace(/\n$/, '')
          .split('\n')
          .map((line) => `    ${line}`.trimEnd()),
      ];
    case 'remove':
      return [`rm ${shellWord(action.path)}`];
    case 'add-line':
      return withLines(
        `add to ${shellWord(action.path)}${action.above === undefined ? '' : `, above the first ${action.above.join(', ')}`} (made ${octal(action.mode)}${ownedBy(action.group)} if there is none):`,
        action.line,
      );
    case 'remove-line':
      return withLines(`take out of ${shellWord(action.path)}:`, action.line);
    case 'mkdir':
      return [`mkdir -m ${octal(action.mode)} ${shellWord(action.path)}`];
    case 'rmdir':
      return [`rmdir ${shellWord(action.path)} (if nothing else is in it)`];
  }
}
