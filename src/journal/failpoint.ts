/**
 * Places where a test can make qrun die, throw, hang or stop until SIGCONT: one before and one after everything that changes the host.
 * `QRUN_FAILPOINT=NAME:kill|throw|hang|stop` arms one; `QRUN_FAILPOINT_LIST=FILE` writes down the names that a run passes.
 * Both only ever harm the process whose environment says so.
 */
import { appendFileSync } from 'node:fs';
import { QrunError } from '../errors.ts';

export function failpoint(name: string): void {
  const list = process.env['QRUN_FAILPOINT_LIST'];
  if (list !== undefined && list !== '') appendFileSync(list, `${name}\n`);
  const armed = process.env['QRUN_FAILPOINT'];
  if (armed === undefined || armed === '') return;
  const split = armed.lastIndexOf(':');
  if (armed.slice(0, split) !== name) return;
  const how = armed.slice(split + 1);
  if (how === 'kill') process.kill(process.pid, 'SIGKILL');
  if (how === 'hang') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600_000);
  if (how === 'stop') process.kill(process.pid, 'SIGSTOP');
  if (how === 'throw') throw new QrunError('host-failed', `failpoint ${name}`);
}
