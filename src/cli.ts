/**
 * The front door: argv → command → handler → exit status. Loaded by boot.ts, which has it compiled already if all is well.
 */
import { homeDirectory } from './home.ts';
import { ClosedOutput, exitStatusOf, QrunError } from './errors.ts';
import type { CommandContext } from './commands/command.ts';
import { renderHelp } from './commands/help.ts';
import { parseArguments, type ParsedArguments } from './commands/parse-arguments.ts';
import { refuseSlip } from './commands/slip.ts';
import { placesOf } from './places.ts';
import { bugOf, errorDocument, renderBug, renderError } from './report/error.ts';
import { writeAll } from './report/output.ts';
import { createReport, type Report } from './report/report.ts';
import { isTerminal, stylesFor } from './report/style.ts';
import { hostFailureOf } from './system/failure.ts';
import { createSystem } from './system/real.ts';
import type { System } from './system/system.ts';

/** Put in by the build; the help is that of 80 columns. */
declare const QRUN_VERSION: string;
declare const QRUN_HELP: string;

export interface MainOptions {
  /** The folder that the package is installed in. */
  readonly packageRoot: string;
}

export interface Outcome {
  readonly status: number;
  /** The command that ran; undefined if it did not come to that. */
  readonly command?: string;
}

/** Never throws: everything is said when it returns. */
export async function main(argv: readonly string[], options: MainOptions): Promise<Outcome> {
  try {
    const parsed = await parseArguments(argv);
    const command = parsed.help ? 'help' : parsed.command.name;
    return { status: await runCommand(parsed, options), command };
  } catch (error) {
    return { status: reportFailure(hostFailureOf(error), argv) };
  }
}

async function runCommand(parsed: ParsedArguments, options: MainOptions): Promise<number> {
  if (parsed.version) return print(`${QRUN_VERSION}\n`);
  if (parsed.help) return print(await helpFor(parsed.topic));
  const report = createReport({ ...parsed, env: process.env });
  if (parsed.command.hidden !== true) noteSudo(report);
  const context = contextOf(report, options);
  if (parsed.uncalled !== undefined) refuseSlip(parsed.uncalled, context.places);
  const { run } = await parsed.command.load();
  return run(parsed.args, context);
}

function contextOf(report: Report, { packageRoot }: MainOptions): CommandContext {
  let system: System | undefined;
  const uid = process.getuid?.() ?? 0;
  return {
    get system() {
      return (system ??= createSystem());
    },
    places: placesOf({ env: process.env, uid, home: homeDirectory(), packageRoot }),
    report,
    version: QRUN_VERSION,
  };
}

async function helpFor(topic: ParsedArguments['topic']): Promise<string> {
  const columns = columnsOf();
  return topic === undefined && (columns ?? 80) === 80 ? QRUN_HELP : await renderHelp(topic, columns);
}

function print(text: string): number {
  writeAll(1, text);
  return 0;
}

/** Making process.stdout takes time: only where there is a terminal. */
function columnsOf(): number | undefined {
  return isTerminal(1) ? process.stdout.columns : undefined;
}

function noteSudo(report: Report): void {
  const user = process.env['SUDO_USER'];
  if (process.env['SUDO_UID'] === undefined || process.getuid?.() !== 0) return;
  report.note(`qrun: running as root: profiles, VMs and addresses are root's, not ${user ?? 'those of the user'}'s`);
}

function reportFailure(error: unknown, argv: readonly string[]): number {
  if (error instanceof ClosedOutput) return 0;
  const words = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined);
  const stack = (process.env['QRUN_DEBUG'] ?? '') !== '' || verbosityOf(words) >= 2;
  const styles = stylesFor(2, process.env);
  if (words.includes('--json')) {
    const shown = error instanceof QrunError ? error : bugOf(error);
    writeAll(2, `${JSON.stringify(errorDocument(shown))}\n`);
  } else if (error instanceof QrunError) {
    writeAll(2, renderError(error, styles));
    if (stack && error.stack !== undefined) writeAll(2, `${error.stack}\n`);
  } else {
    writeAll(2, renderBug(error, { stack, styles }));
  }
  return exitStatusOf(error);
}

/** Counted by hand: the parser may be what failed. */
function verbosityOf(words: readonly string[]): number {
  return words
    .map((word) => (word === '--verbose' ? 1 : /^-[a-z]+$/.test(word) ? word.split('v').length - 1 : 0))
    .reduce((sum, count) => sum + count, 0);
}
