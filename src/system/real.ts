/** The real System. Everything is read when it is first asked for: making one costs nothing. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { errnoOf, QrunError } from '../errors.ts';
import { readBootId } from './boot-id.ts';
import { failureOf } from './failure.ts';
import type { RunOptions, RunResult, System } from './system.ts';
import { spawnFailed, statusOf, timedOut } from './tool-ends.ts';
import { findTool } from './tools.ts';
import { runToolBeside } from './run-beside.ts';

/** nft and ip print a lot on a host with many links; more than this is nothing that qrun reads. */
const maxOutputBytes = 64 * 1024 * 1024;

export function createSystem(env: Readonly<Record<string, string | undefined>> = process.env): System {
  const uid = process.getuid?.() ?? 0;
  const found = new Map<string, string | undefined>();
  const seen = new Map<string, boolean>();
  const which = (tool: string): string | undefined => {
    if (!found.has(tool)) found.set(tool, findTool(tool, { env, uid, seen }));
    return found.get(tool);
  };
  const resolve = (tool: string): string => {
    const file = which(tool);
    if (file !== undefined) return file;
    throw missingTool(tool, uid);
  };
  return {
    env,
    uid,
    gid: process.getgid?.() ?? 0,
    bootId: () => readBootId(env),
    which,
    run: async (tool, args, options = {}) => runTool(resolve(tool), args, { ...options, env: merge(env, options.env) }),
    runBeside: (tool, args, options = {}) =>
      runToolBeside(resolve(tool), args, { ...options, env: merge(env, options.env) }),
    runNow: (tool, args, options = {}) => runToolNow(resolve(tool), args, { ...options, env: merge(env, options.env) }),
  };
}

function merge(
  env: Readonly<Record<string, string | undefined>>,
  more: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...env, ...more })) if (value !== undefined) merged[name] = value;
  return merged;
}

async function runTool(file: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const { execa } = await import('execa');
  requireDescriptors(file);
  const child = execa(file, [...args], {
    reject: false,
    extendEnv: false,
    stripFinalNewline: false,
    maxBuffer: maxOutputBytes,
    killSignal: 'SIGKILL',
    ...inputOf(options),
    ...(options.env !== undefined && { env: options.env }),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.timeoutMs !== undefined && { timeout: options.timeoutMs }),
  });
  typeLast(child, options);
  const result = await child;
  if (result.timedOut) throw timedOut(file, options);
  if (result.exitCode === undefined && result.signal === undefined)
    throw spawnFailed(file, { errno: result.code, reason: result.originalMessage ?? '' });
  const { stdout, stderr } = result;
  return {
    status: statusOf(result.exitCode, result.signal),
    stdout: typeof stdout === 'string' ? stdout : '',
    stderr: typeof stderr === 'string' ? stderr : '',
  };
}

function inputOf({ stdin, lastInput }: RunOptions): { stdin: 'ignore' | 'pipe' } | { input: string } {
  if (lastInput !== undefined) return { stdin: 'pipe' };
  return stdin === undefined ? { stdin: 'ignore' } : { input: stdin };
}

/** More than what `after` may match. */
const tailLength = 200;

function typeLast(
  child: { readonly stdin: Writable | null; readonly stdout: Readable | null },
  { stdin, lastInput }: RunOptions,
): void {
  if (lastInput === undefined || child.stdin === null || child.stdout === null) return;
  const { stdin: input, stdout: output } = child;
  // one that does not read it has ended, and its status says why
  input.on('error', () => {});
  if (stdin !== undefined) input.write(stdin);
  let tail = '';
  output.on('data', (chunk: Buffer | string) => {
    const text = tail + String(chunk);
    tail = text.slice(-tailLength);
    if (!input.writableEnded && lastInput.after.test(text)) input.end(lastInput.text);
  });
}

/** Two for each of a child's three pipes, and two by which libuv hears whether exec worked. */
const descriptorsOfSpawn = 8;

/** Without descriptors left execa breaks in the middle (its child has no stdio), and the process with it: so look before. */
function requireDescriptors(file: string): void {
  const held: number[] = [];
  try {
    while (held.length < descriptorsOfSpawn) held.push(openSync('/dev/null', 'r'));
  } catch (error) {
    throw failureOf(file, error, 'cannot start it');
  } finally {
    for (const fd of held) closeSync(fd);
  }
}

function runToolNow(
  file: string,
  args: readonly string[],
  options: RunOptions & { readonly fds?: readonly number[] },
): RunResult {
  const result = spawnSync(file, args, {
    stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(options.fds ?? [])],
    encoding: 'utf8',
    maxBuffer: maxOutputBytes,
    ...(options.stdin !== undefined && { input: options.stdin }),
    ...(options.env !== undefined && { env: { ...options.env } }),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.timeoutMs !== undefined && { timeout: options.timeoutMs }),
  });
  const errno = errnoOf(result.error);
  if (errno === 'ETIMEDOUT') throw timedOut(file, options);
  // EPIPE: the tool did not read all that it was given; its status says whether that matters
  if (result.error !== undefined && errno !== 'EPIPE') throw spawnFailed(file, { errno, reason: result.error.message });
  return {
    status: statusOf(result.status, result.signal),
    stdout: result.stdout ?? '',
    stderr: result.stderr ?? '',
  };
}

function missingTool(tool: string, uid: number): QrunError {
  const root = uid === 0 ? ' (as root only directories that root alone can write are searched)' : '';
  return new QrunError('missing-tool', `${tool} was not found${tool.includes('/') ? '' : ' on PATH'}${root}`, {
    hint: `install the package that has ${tool}, then: qrun doctor`,
  });
}
