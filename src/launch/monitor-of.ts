/** Commands to the monitor of a running VM. */
import { createInterface } from 'node:readline/promises';
import { QrunError } from '../errors.ts';
import { withMonitor, type MonitorOf } from '../supervise/monitor.ts';
import { requireRunning, type Where } from './vms.ts';

function monitorOf(where: Where, name: string): MonitorOf {
  const { vm, record, files } = requireRunning(where, name);
  return { vm, qmp: record.sockets.qmp, lock: files.monitorLock };
}

/** One QMP command without arguments. @throws QrunError */
export async function sendCommand(name: string, command: string, where: Where): Promise<void> {
  await withMonitor(monitorOf(where, name), (client) => client.execute(command));
}

/**
 * The human monitor: one command, or, without words, lines from standard input until it ends.
 * Each line takes the monitor for itself and lets it go, so that `qrun stop` works meanwhile.
 */
export async function runMonitor(
  name: string,
  words: readonly string[],
  where: Where & { readonly out: (text: string) => void },
): Promise<void> {
  const monitor = monitorOf(where, name);
  const send = async (line: string): Promise<void> => {
    const text = await withMonitor(monitor, (client) => client.hmp(line));
    if (text.startsWith('unknown command: '))
      throw new QrunError('usage', `${name}: ${text.trim()}`, { hint: `qrun monitor ${name} help` });
    if (text !== '') where.out(text.replaceAll('\r\n', '\n'));
  };
  if (words.length > 0) return await send(words.join(' '));
  const lines = createInterface({
    input: process.stdin,
    output: process.stdin.isTTY ? process.stderr : undefined,
    prompt: `(${name}) `,
  });
  lines.prompt();
  for await (const line of lines) {
    if (line.trim() === 'exit') break;
    if (line.trim() !== '') await send(line);
    lines.prompt();
  }
  lines.close();
}
