/**
 * A program that a test has started: what it wrote so far, a way to type, to signal and to wait.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';

export interface Result {
  /** 128+n when a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Written to stdin, which is then closed. Without it stdin is empty (or, with `interactive`, stays open). */
  readonly input?: string | undefined;
  readonly interactive?: boolean | undefined;
  /** SIGKILL after so long; the status is then 137. Default: for what is interactive longer than any test may take. */
  readonly timeoutMs?: number | undefined;
}

export class Running {
  readonly child: ChildProcess;
  readonly argv: readonly string[];
  /** Resolves when it has ended and its output is complete. */
  readonly end: Promise<Result>;
  #stdout = '';
  #stderr = '';
  readonly #wake = new Set<() => void>();

  constructor(argv: readonly string[], options: StartOptions) {
    this.argv = argv;
    const [file = '', ...args] = argv;
    const timeoutMs = options.timeoutMs ?? (options.interactive === true ? 900_000 : 200_000);
    this.child = spawn(file, args, { env: options.env, cwd: options.cwd, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#wakeAll();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#wakeAll();
    });
    // a program that has ended does not read what is still typed
    this.child.stdin?.on('error', () => {});
    if (options.input !== undefined || options.interactive !== true) this.child.stdin?.end(options.input ?? '');
    this.end = this.#wait(timeoutMs);
    // a test that never awaits the end must not fail by an unhandled rejection
    this.end.catch(() => {});
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.argv[0]} did not start`);
    return this.child.pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.child.kill(signal);
  }

  /** Waits for text on stdout or stderr. @throws Error with all that was written, when it ends or `timeoutMs` pass without it */
  async waitFor(pattern: RegExp, timeoutMs = 100_000): Promise<RegExpMatchArray> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const match = this.#stdout.match(pattern) ?? this.#stderr.match(pattern);
      if (match !== null) return match;
      const ended = this.child.exitCode !== null || this.child.signalCode !== null;
      if (ended || performance.now() > deadline)
        throw new Error(`${ended ? 'ended' : 'waited'} without ${pattern}\n${this.#stdout}\n${this.#stderr}`);
      await this.#change(deadline - performance.now());
    }
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, Math.max(1, timeoutMs));
      const wake = this.#wake;
      function done(): void {
        clearTimeout(timer);
        wake.delete(done);
        resolve();
      }
      wake.add(done);
    });
  }

  #wakeAll(): void {
    for (const wake of [...this.#wake]) wake();
  }

  #wait(timeoutMs: number): Promise<Result> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.child.kill('SIGKILL'), timeoutMs);
      // a detached VM's processes keep no pipe of ours open, so `close` comes with the end of the program itself
      this.child.once('close', (code, signal) => {
        clearTimeout(timer);
        this.#wakeAll();
        const status = signal === null ? (code ?? 255) : 128 + constants.signals[signal];
        resolve({ status, stdout: this.#stdout, stderr: this.#stderr });
      });
      this.child.once('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
    });
  }
}
