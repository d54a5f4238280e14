/**
 * The waiter: the small `sh` that has QEMU as its child and runs the release when QEMU ends. It is the same in the foreground and detached, so a killed
 * qrun leaks nothing, and no process of Node's stays. Descriptors:
 *
 *     0 events input, 1 event journal, 2 QEMU's log, 3 the VM lock, 4 the console's log (all for QEMU)
 *     9 status: `pid N` when QEMU is started, `end N` when it ended; for whoever started it, if he is still there. QEMU does not get it.
 *
 * After the start it closes its own copies of 3 and up: an inherited lock would never be free.
 * The signals of a terminal and of a session are not its own: it ignores them, and QEMU sets its own handlers again.
 */
import { spawnWaiter, type WaiterProcess } from '../system/spawn.ts';

export const statusDescriptor = 9;
/** What `ps` shows it as. */
export const waiterName = 'qrun-waiter';

/** Positional arguments: the five words of the release command (node, bundle, command, VM, run), then QEMU with its arguments. */
export const waiterScript = `trap '' HUP INT QUIT TERM PIPE
node=$1 bundle=$2 command=$3 vm=$4 run=$5
shift 5
exec 8<&0
"$@" <&8 8<&- 9>&- &
q=$!
echo "pid $q" >&9 2>/dev/null
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8<&-
wait "$q" 2>/dev/null
rc=$?
echo "end $rc" >&9 2>/dev/null
exec 9>&- </dev/null >/dev/null
exec "$node" "$bundle" "$command" "$vm" "$run" "$rc"`;

export interface WaiterInput {
  /** QEMU and its arguments, with whatever stands in front of it. */
  readonly command: readonly string[];
  /** node, bundle, command, VM, run id */
  readonly release: readonly [string, string, string, string, string];
  /** Descriptors of this process, by the number that QEMU sees them under. */
  readonly descriptors: ReadonlyMap<number, number>;
  readonly cwd: string;
}

export interface Waiter {
  readonly process: WaiterProcess;
  /** QEMU's pid, as soon as the waiter told it. */
  readonly pid: Promise<number>;
  /** QEMU's exit status; 128+n for a signal. Undefined when the waiter itself was killed. */
  readonly end: Promise<number | undefined>;
}

export function startWaiter({ command, release, descriptors, cwd }: WaiterInput): Waiter {
  const stdio = Array.from({ length: statusDescriptor }, (_, fd) => descriptors.get(fd) ?? 'ignore');
  const child = spawnWaiter('/bin/sh', ['-c', waiterScript, waiterName, ...release, ...command], {
    stdio: [...stdio, 'pipe'],
    cwd,
  });
  let text = '';
  let tellPid: (pid: number) => void;
  const pid = new Promise<number>((resolve) => (tellPid = resolve));
  const end = new Promise<number | undefined>((resolve) => {
    child.onStatus((chunk) => {
      text += chunk;
      const started = /^pid (\d+)$/m.exec(text);
      if (started?.[1] !== undefined) tellPid(Number(started[1]));
      const ended = /^end (\d+)$/m.exec(text);
      if (ended?.[1] !== undefined) resolve(Number(ended[1]));
    });
    child.onExit(() => resolve(undefined));
  });
  return { process: child, pid, end };
}
