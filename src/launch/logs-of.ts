/** `qrun logs`: what QEMU said, what came over the console, and how the run ended. */
import { parseVmName } from '../names.ts';
import { vmFiles, type VmFiles } from '../plan/vm-files.ts';
import { followFile } from '../system/follow-file.ts';
import { delay } from '../system/delay.ts';
import { readTailBytes } from '../system/tail.ts';
import type { Terminal } from '../system/terminal.ts';
import type { LaunchContext } from './prepare.ts';
import type { EndRecord } from './run-record.ts';
import { readVm, requireKnown, type VmState } from './vms.ts';

export interface LogsOptions {
  readonly vm: string;
  readonly follow: boolean;
  readonly console: boolean;
  readonly qemu: boolean;
  readonly previous: boolean;
  readonly lines?: number;
}

const maxBytes = 64 * 1024 * 1024;
/** Escaped, a byte may take six: a text that Node can hold. */
const maxDocumentBytes = 16 * 1024 * 1024;

export interface LogsDocument {
  readonly vm: string;
  readonly state: VmState;
  readonly logs: readonly { readonly of: 'qemu' | 'console'; readonly file: string; readonly text: string }[];
  /** Undefined: it goes on, nobody knows, or it was the run before. */
  readonly end?: EndRecord;
}

/** What `--json` gives: bytes that are no UTF-8 are marked as such. */
export function readLogs(options: LogsOptions, context: LaunchContext): LogsDocument {
  const vm = requireKnown(context, options.vm);
  const { state, pid, end, files } = readVm(context, vm);
  const logs = logFiles(options, files).map(({ of, file }) => {
    const text = lastLines(readTailBytes(file, maxDocumentBytes), options.lines).toString('utf8');
    return { of, file, text };
  });
  return { vm, state, logs, ...(pid === undefined && !options.previous && end !== undefined && { end }) };
}

/** @returns how the run ended, unless it goes on */
export async function showLogs(
  options: LogsOptions,
  context: LaunchContext & { readonly terminal: Terminal },
): Promise<EndRecord | undefined> {
  const vm = requireKnown(context, options.vm);
  const files = logFiles(options, vmFiles(context.places, vm));
  const offsets: number[] = [];
  for (const { file } of files) {
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
    files.map(async ({ file }, index) => {
      for await (const chunk of followFile(file, { offset: offsets[index] ?? 0, signal: over.signal }))
        await context.terminal.write(chunk);
    }),
  );
  await watch;
  return readVm(context, parseVmName(vm)).end;
}

interface LogFile {
  readonly of: 'qemu' | 'console';
  readonly file: string;
}

function logFiles({ console: onlyConsole, qemu: onlyQemu, previous }: LogsOptions, files: VmFiles): LogFile[] {
  const both = onlyConsole === onlyQemu;
  const wanted: LogFile[] = [
    ...(both || onlyQemu ? [{ of: 'qemu', file: files.qemuLog } as const] : []),
    ...(both || onlyConsole ? [{ of: 'console', file: files.consoleLog } as const] : []),
  ];
  return wanted.map(({ of, file }) => ({ of, file: previous ? `${file}.1` : file }));
}

function lastLines(bytes: Buffer, lines: number | undefined): Buffer {
  if (lines === undefined) return bytes;
  let at = bytes.length;
  for (let count = 0; at > 0; at -= 1) if (bytes[at - 1] === 0x0a && at !== bytes.length && ++count === lines) break;
  return lines === 0 ? Buffer.alloc(0) : bytes.subarray(at);
}
