/** Root's part of a measure: a process of its own in namespaces of its own, started before the bench becomes an ordinary user; it waits for its turn. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { rootsEnv } from '../setup/places.mjs';

/** Whatever comes of the rest, $1 is removed. */
const around = `dir=$1
shift
"$@"
status=$?
rm -rf -- "$dir"
exit "$status"`;

/** @param {{script: string, part: string, rounds: number}} options `script` is given a directory and a command, which it executes at last */
export function startHostPart({ script, part, rounds }) {
  const dir = mkdtempSync('/tmp/qbn-');
  chmodSync(dir, 0o755);
  const child = spawn(
    'sh',
    [
      ...['-c', around, 'qrun-bench', dir],
      ...['unshare', '--net', '--mount', '--propagation', 'private', '--', 'sh', '-c', script, 'qrun-bench', dir],
      ...[process.execPath, path.join(import.meta.dirname, part), String(rounds)],
    ],
    { env: rootsEnv(), stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const end = new Promise((resolve) => child.on('error', () => resolve(1)).on('close', resolve));
  child.stdin.on('error', () => {});
  return { part, child, end, found: text(child.stdout) };
}

/** Lets it measure. @returns its document @throws Error */
export async function endHostPart({ part, child, end, found }) {
  child.stdin.write('go\n');
  const status = await end;
  if (status !== 0) throw new Error(`${part} ended with status ${status}`);
  return JSON.parse(await found);
}
