/** `qrun logs`: what QEMU said, what came over the console, and how the run ended. */
import { parseVmName } from '../names.ts';
import { vmFiles, type VmFiles } from '../plan/vm-files.ts';
import { followFile } from '../system/follow-file.ts';
import { delay } from '../system/delay.ts';
import { readTailBytes } from '../system/tail.ts';
import type { Terminal } from '../system/terminal.ts';
import type { LaunchContext } from './prepare.ts';
import type { EndRecord } from './run-record.ts';
import { readVm, requireKnown } from './vms.ts';

export interface LogsOptions {
  readonly vm: string;
  readonly follow: boolean;
  readonly console: boolean;
  readonly qemu: boolean;
  readonly previous: boolean;
  readonly lines?: number;
}

const maxBytes = 64 * 1024 * 1024;

/** @returns how the run ended, unless it goes on */
export async function showLogs(
  options: LogsOptions,
  context: LaunchContext & { readonly terminal: Terminal },
): Promise<EndRecord | undefined> {
  const vm = requireKnown(context, options.vm);
  const files = logFiles(options, vmFiles(context.places, vm));
  const offsets: number[] = [];
  for (const file of files) {
    const bytes = readTailBytes(file, maxBytes);
    offsets.push(bytes.length);
    await context.terminal.write(lastLines(bytes, options.lines));
  }
  const running = readVm(context, vm);
  if (!options.follow || running.pid === undefined)
    return running.pid === undefined && !options.previous ? running.end : undefined;
  const over = new AbortController();
  const watch = (async () => {
    while (readVm(context, vm).pid !== undefined) await delay(200);
    over.abort();
  })();
  await Promise.all(
    files.map(async (log, index) => {
      for await (const chunk of followFile(log, { offset: offsets[index] ?? 0, signal: over.signal }))
        await context.terminal.write(chunk);
    }),
  );
  await watch;
  return readVm(context, parseVmName(vm)).end;
}

function logFiles({ console: onlyConsole, qemu: onlyQemu, previous }: LogsOptions, files: VmFiles): string[] {
  const both = onlyConsole === onlyQemu;
  const wanted = [...(both || onlyQemu ? [files.qemuLog] : []), ...(both || onlyConsole ? [files.consoleLog] : [])];
  return wanted.map((file) => (previous ? `${file}.1` : file));
}

function lastLines(bytes: Buffer, lines: number | undefined): Buffer {
  if (lines === undefined) return bytes;
  let at = bytes.length;
  for (let count = 0; at > 0; at -= 1) if (bytes[at - 1] === 0x0a && at !== bytes.length && ++count === lines) break;
  return lines === 0 ? Buffer.alloc(0) : bytes.subarray(at);
}
