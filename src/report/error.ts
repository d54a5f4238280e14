/** An error for people: what, why (one indented line for each cause), and what mends it; or the same as JSON. */
import { QrunError, type Fault } from '../errors.ts';
import { workingDirectory } from '../system/working-directory.ts';
import { renderFaults } from './faults.ts';
import type { Styles } from './style.ts';
import { visible, visibleLines } from './visible.ts';

/** Lines, each with its end. */
export function renderError(error: QrunError, styles: Styles): string {
  const lines = [headOf(error, styles)];
  for (const cause of error.causes)
    lines.push(
      ...visibleLines(cause.trimEnd())
        .split('\n')
        .map((line) => `  ${line}`),
    );
  const cwd = workingDirectory();
  const options = { colour: styles.coloured, ...(cwd !== undefined && { cwd }) };
  if (error.faults.length > 0) lines.push(renderFaults(error.faults, options).trimEnd());
  if (error.hint !== undefined) lines.push(`${styles.strong('hint:')} ${visibleLines(error.hint)}`);
  return `${lines.join('\n')}\n`;
}

/** A message about the command line begins with the command itself. */
function headOf({ code, message }: QrunError, styles: Styles): string {
  const isNamed = (code === 'usage' || code === 'not-implemented') && message.startsWith('qrun ');
  return `${styles.bad('qrun:')} ${visibleLines(isNamed ? message.slice('qrun '.length) : message)}`;
}

export interface ErrorDocument {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
    readonly causes: readonly string[];
    readonly faults: readonly Omit<Fault, 'source' | 'width'>[];
  };
}

export function errorDocument(error: QrunError): ErrorDocument {
  return {
    error: {
      code: error.code,
      message: error.message,
      hint: error.hint ?? null,
      causes: error.causes,
      faults: error.faults.map(({ file, line, column, path, message }) => ({ file, line, column, path, message })),
    },
  };
}

/** A bug: one line and where to tell it; the stack only for who asked. */
export function renderBug(error: unknown, options: { readonly stack: boolean; readonly styles: Styles }): string {
  const lines = [`${options.styles.bad('qrun: bug:')} ${visible(summaryOf(error))}`];
  if (options.stack && error instanceof Error && error.stack !== undefined) lines.push(visibleLines(error.stack));
  else lines.push(`${options.styles.strong('hint:')} please report it, with what QRUN_DEBUG=1 adds to this message`);
  return `${lines.join('\n')}\n`;
}

export function bugOf(error: unknown): QrunError {
  return new QrunError('bug', summaryOf(error), { hint: 'please report it, with what QRUN_DEBUG=1 tells' });
}

function summaryOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${String(error)}`;
}
