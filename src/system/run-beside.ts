/** Runs a tool to its end while this process does something else. Its own file: `real.ts` is what every command needs. */
import { spawn } from 'node:child_process';
import { errnoOf } from '../errors.ts';
import { spawnFailed, statusOf, timedOut } from './tool-ends.ts';
import type { RunOptions, RunResult } from './system.ts';

/** @throws QrunError when it cannot be started, `timeout` */
export function runToolBeside(
  file: string,
  args: readonly string[],
  { stdin, timeoutMs, env }: Pick<RunOptions, 'stdin' | 'timeoutMs' | 'env'>,
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(env !== undefined && { env }),
      ...(timeoutMs !== undefined && { timeout: timeoutMs, killSignal: 'SIGKILL' }),
    });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8');
      child[name]?.on('data', (text: string) => void (said[name] += text));
    }
    // one that does not read all that it is given: its status says whether that matters
    child.stdin?.on('error', () => {});
    child.stdin?.end(stdin);
    child.once('error', (error) => reject(spawnFailed(file, { errno: errnoOf(error), reason: error.message })));
    child.once('close', (status, signal) => {
      if (child.killed && signal === 'SIGKILL') reject(timedOut(file, { timeoutMs }));
      else resolve({ status: statusOf(status, signal), ...said });
    });
  });
}
