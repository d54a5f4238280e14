/**
 * The one door to root's rights. Root goes through as he is; anybody else only with sudo, and only when config.yaml says so. What goes through is what
 * the plan shows: `describe` of a step has the same words.
 */
import { QrunError } from '../errors.ts';
import { privilegedArgv, type Sudo } from '../privileged.ts';
import type { RunOptions, RunResult, System } from '../system/system.ts';

export interface PrivilegeOptions {
  readonly stdin?: string;
  /** Undefined: only root may. */
  readonly sudo?: Sudo | undefined;
}

const timeoutMs = 30_000;
/** Somebody types a password. */
const askMs = 300_000;

/** @throws QrunError `permission` when this user may not; a status of the command's own is in the result */
export function runPrivileged(
  system: Pick<System, 'uid' | 'runNow'>,
  argv: readonly string[],
  options: PrivilegeOptions = {},
): RunResult {
  const { tool, args, run } = callOf(system, argv, options);
  return checked(system, argv, system.runNow(tool, args, run));
}

/** The same, while others run. */
export async function runPrivilegedBeside(
  system: Pick<System, 'uid' | 'runNow' | 'runBeside'>,
  argv: readonly string[],
  options: PrivilegeOptions = {},
): Promise<RunResult> {
  if (system.runBeside === undefined) return runPrivileged(system, argv, options);
  const { tool, args, run } = callOf(system, argv, options);
  return checked(system, argv, await system.runBeside(tool, args, run));
}

interface Call {
  readonly tool: string;
  readonly args: readonly string[];
  readonly run: RunOptions;
}

function callOf(system: Pick<System, 'uid'>, argv: readonly string[], { stdin, sudo }: PrivilegeOptions): Call {
  const root = system.uid === 0;
  if (!root && sudo === undefined) {
    throw new QrunError('permission', `only root can: ${argv.join(' ')}`, {
      hint: 'run it by sudo, or let qrun do so: sudo: noninteractive in ~/.config/qrun/config.yaml',
    });
  }
  const [tool = '', ...args] = privilegedArgv(argv, root ? undefined : sudo);
  const run = {
    timeoutMs: sudo === 'ask' ? askMs : timeoutMs,
    env: { LC_ALL: 'C' },
    ...(stdin !== undefined && { stdin }),
  };
  return { tool, args, run };
}

function checked({ uid }: Pick<System, 'uid'>, argv: readonly string[], result: RunResult): RunResult {
  if (uid !== 0 && result.status !== 0 && /^sudo: /m.test(result.stderr)) throw refused(argv, result.stderr);
  return result;
}

function refused(argv: readonly string[], stderr: string): QrunError {
  return new QrunError('permission', `sudo does not let qrun run: ${argv.join(' ')}`, {
    causes: stderr.trim().split('\n').slice(-3),
    hint: 'sudo -v   # or a rule in sudoers (visudo) that needs no password',
  });
}
