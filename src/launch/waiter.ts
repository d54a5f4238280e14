/**
 * The waiter: the small `sh` that has QEMU as its child and runs the release when QEMU ends. It is the same in the foreground and detached, so a killed
 * qrun leaks nothing, and no process of Node's stays. Descriptors:
 *
 *     0 events input, 1 event journal, 2 QEMU's log, 3 the VM lock, 4 the console's log (all for QEMU)
 *     5 and up: what NICs need, without 8 and 9
 *     9 status: `pid N` when QEMU is started, `end N` when it ended; for whoever started it, if he is still there. QEMU does not get it.
 *
 * After the start it closes its own copies of 3 and up: an inherited lock would never be free.
 * The signals of a terminal and of a session are not its own: it ignores them, and QEMU sets its own handlers again.
 */
import { waiterDescriptors } from '../plan/descriptors.ts';
import { QrunError } from '../errors.ts';
import type { System } from '../system/system.ts';
import { spawnWaiter, type WaiterProcess } from '../system/spawn.ts';

/** What `ps` shows it as. */
export const waiterName = 'qrun-waiter';

/** dash, most systems' sh, reads descriptors of one digit only. */
const highestOfSh = 9;

/** Positional arguments: the five words of the release command (node, bundle, command, VM, run), then QEMU with its arguments. */
const waiterScript = ({
  given,
  unused,
}: Record<'given' | 'unused', readonly number[]>): string => `trap '' HUP INT QUIT TERM PIPE
node=$1 bundle=$2 command=$3 vm=$4 run=$5
shift 5
exec 8<&0
"$@" <&8 8<&- 9>&- ${unused.map((fd) => `${fd}>&-`).join(' ')} &
q=$!
echo "pid $q" >&9 2>/dev/null
exec ${[...given, ...unused].map((fd) => `${fd}>&-`).join(' ')} 8<&-
wait "$q" 2>/dev/null
rc=$?
echo "end $rc" >&9 2>/dev/null
exec 9>&- </dev/null >/dev/null
exec "$node" "$bundle" "$command" "$vm" "$run" "$rc"`;

export interface WaiterInput {
  readonly shell: string;
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

/** A shell that can close them all. @throws QrunError `missing-tool` */
export function shellFor(descriptors: ReadonlyMap<number, number>, system: Pick<System, 'which'>): string {
  if (Math.max(0, ...descriptors.keys()) <= highestOfSh) return '/bin/sh';
  const bash = system.which('bash');
  if (bash !== undefined) return bash;
  throw new QrunError('missing-tool', 'a VM with so many network descriptors needs bash, which was not found on PATH', {
    hint: 'sudo apt-get install bash',
  });
}

export function startWaiter({ shell, command, release, descriptors, cwd }: WaiterInput): Waiter {
  const { input, status } = waiterDescriptors;
  const highest = Math.max(status, ...descriptors.keys());
  const stdio = Array.from({ length: highest + 1 }, (_, fd) =>
    fd === status ? 'pipe' : (descriptors.get(fd) ?? 'ignore'),
  );
  const others = stdio.flatMap((_, fd) => (fd > 2 && fd !== input && fd !== status ? [fd] : []));
  const script = waiterScript({
    given: others.filter((fd) => descriptors.has(fd)),
    unused: others.filter((fd) => !descriptors.has(fd)),
  });
  const child = spawnWaiter(shell, ['-c', script, waiterName, ...release, ...command], {
    stdio,
    statusFd: status,
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
