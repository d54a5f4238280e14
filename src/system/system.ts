/**
 * The only door to the operating system. Everything that reads or changes the machine goes through a `System`, so that a test can hand in another.
 */
export interface RunOptions {
  readonly stdin?: string;
  /** `run` alone: typed when stdout matches, for a tool that would end before all that it wrote is read. Its stdin ends with it. */
  readonly lastInput?: { readonly after: RegExp; readonly text: string };
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface RunResult {
  /** 128+n when a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface System {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly gid: number;
  /** The kernel's random id of this boot. */
  readonly bootId: () => string;
  /** Absolute path of a tool on PATH, resolved once; as root only from directories that root alone can write. */
  readonly which: (tool: string) => string | undefined;
  /** Runs a tool to its end; never throws for its exit status. @throws QrunError `missing-tool` */
  readonly run: (tool: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>;
  /** The same without the library that `run` takes 10 ms to load, for tools that may run side by side. Absent: they run one after the other. */
  readonly runBeside?: (
    tool: string,
    args: readonly string[],
    options?: Pick<RunOptions, 'stdin' | 'timeoutMs' | 'env'>,
  ) => Promise<RunResult>;
  /** The same for the hot path of a launch: node:child_process, synchronous, a few ms. */
  readonly runNow: (
    tool: string,
    args: readonly string[],
    options?: RunOptions & { readonly fds?: readonly number[] },
  ) => RunResult;
}
