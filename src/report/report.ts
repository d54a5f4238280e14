/**
 * The one voice of qrun: results on stdout, everything else on stderr, colour only where a person looks.
 * Written with plain synchronous writes: process.stdout costs milliseconds to make, and a pipe must be complete when the process ends.
 */
import { writeAll } from './output.ts';
import { startProgressList, type ProgressList } from './progress-list.ts';
import { startProgress, type Progress } from './progress.ts';
import { isTerminal, stylesFor, type Styles } from './style.ts';
import { renderTable, type Column } from './table.ts';
import { visibleLines } from './visible.ts';

export interface ReportOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  /** How many times `-v` was given. */
  readonly verbose: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Report extends Omit<ReportOptions, 'env'> {
  /** Styles for what goes to stdout, and to stderr: plain text where there is no colour. */
  readonly styles: { readonly stdout: Styles; readonly stderr: Styles };
  /** A result: one or more lines on stdout, as they are. The line end is added if it is missing. */
  readonly out: (text: string) => void;
  /** What happened, on stderr: not with --quiet, not with --json. */
  readonly note: (text: string) => void;
  /** What a person should know, on stderr: not with --json, unless --verbose. */
  readonly warn: (text: string) => void;
  /** More than most want to know, on stderr: with --verbose. */
  readonly detail: (text: string) => void;
  /** One JSON document on stdout. */
  readonly document: (value: unknown) => void;
  /** Rows on stdout; with none at all only `empty`, on stderr. */
  readonly table: <Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty?: string) => void;
  /** One line that changes, while something is waited for; only where stderr is a terminal. */
  readonly progress: (label: string) => Progress;
  /** Rows that change, one for each of these; elsewhere than on a terminal, notes. */
  readonly progressList: (names: readonly string[]) => ProgressList;
}

export function createReport({ json, quiet, verbose, env }: ReportOptions): Report {
  const styles = { stdout: stylesFor(1, env), stderr: stylesFor(2, env) };
  const out = (text: string): void => writeAll(1, withLineEnd(text));
  const say = (text: string): void => writeAll(2, withLineEnd(visibleLines(text)));
  const note = (text: string): void => {
    if (!quiet && !json) say(text);
  };
  return {
    json,
    quiet,
    verbose,
    styles,
    out,
    note,
    warn: (text) => {
      if (!json || verbose > 0) writeAll(2, `${styles.stderr.warning('warning:')} ${withLineEnd(visibleLines(text))}`);
    },
    detail: (text) => {
      if (verbose > 0) say(text);
    },
    document: (value) => out(JSON.stringify(value, null, 2)),
    table: (rows, columns, empty) => {
      if (rows.length > 0) out(renderTable(rows, columns, styles.stdout));
      else if (empty !== undefined) note(empty);
    },
    progress: (label) => startProgress(label, !quiet && !json && isTerminal(2)),
    progressList: (names) =>
      startProgressList({
        names,
        styles: styles.stderr,
        note,
        terminal: !quiet && !json && isTerminal(2) ? terminalOfStderr : undefined,
      }),
  };
}

const terminalOfStderr = {
  size: () => ({ columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 }),
  write: (text: string) => writeAll(2, text),
};

const withLineEnd = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);
