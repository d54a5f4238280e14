/**
 * Every way in which qrun can fail, in one closed union, and the exit status that each one means to a script.
 * Nothing else is thrown on purpose: whatever is not a QrunError is a bug and ends with 70.
 */

/** One fault of a file that a person wrote. Line and column count from 1. */
export interface Fault {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where in the document, such as `nics[0].mac`; empty for the document itself. */
  readonly path: string;
  readonly message: string;
  /** The text of that line, for the caret. */
  readonly source?: string;
  /** How many columns the caret underlines, at least 1. */
  readonly width?: number;
}

const exitStatus = {
  'qemu-failed': 1,
  'guest-crashed': 1,
  usage: 2,
  'unknown-name': 2,
  'invalid-name': 2,
  'invalid-profile': 2,
  'invalid-network': 2,
  'invalid-lab': 2,
  'unsafe-file': 2,
  'missing-tool': 3,
  permission: 3,
  'missing-feature': 3,
  'not-implemented': 3,
  'newer-state': 3,
  'unsafe-state': 3,
  'host-failed': 3,
  timeout: 3,
  'in-use': 4,
  'left-behind': 5,
  /** Ended by a signal before there was anything to keep: the status is 128+n, given with the error. */
  interrupted: 130,
  bug: 70,
} as const;

export type ErrorCode = keyof typeof exitStatus;

export interface QrunErrorOptions {
  /** The one command, or the one thing to do, that mends it. */
  readonly hint?: string;
  /** What lies behind it, outermost first: a command that failed with its last words, an errno. */
  readonly causes?: readonly string[];
  readonly faults?: readonly Fault[];
  readonly cause?: unknown;
  /** Instead of the status that the code means. */
  readonly status?: number;
}

export class QrunError extends Error {
  override readonly name = 'QrunError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly causes: readonly string[];
  readonly faults: readonly Fault[];
  readonly status: number;

  constructor(code: ErrorCode, message: string, options: QrunErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.causes = options.causes ?? [];
    this.faults = options.faults ?? [];
    this.status = options.status ?? exitStatus[code];
  }
}

/** The exit status that an error means, CONTRACT-wise: 1 QEMU, 2 the user, 3 the host, 4 in use, 5 leftovers, 70 a bug. */
export function exitStatusOf(error: unknown): number {
  return error instanceof QrunError ? error.status : exitStatus.bug;
}

/** The errno name (`ENOENT`, …) of an error of Node's, if it has one. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What a look gives; nothing where it is refused: for whoever the reason does not concern. */
export function orNone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof QrunError) return undefined;
    throw error;
  }
}

/** Nobody reads any more: not an error of ours, but nothing is left to do either. */
export class ClosedOutput extends Error {
  override readonly name = 'ClosedOutput';
}
