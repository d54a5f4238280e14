/**
 * Theory of operation
 *
 * Ending a VM is a ladder. Each rung is tried, given its time, and followed by a harder one until QEMU is gone:
 *
 *     power-down (the ACPI button; pressed again after 5 s, since some guests only hear the second)
 *       → after the timeout: `quit` on the monitor (QEMU ends by itself, disks are flushed)
 *       → 5 s: SIGTERM → 5 s: SIGKILL
 *
 * A guest without an operating system ignores the button for ever, so the timeout is not optional. A paused guest cannot hear it: it is resumed first.
 * The ladder is pure: time and state go in, the next rung comes out. `stop` climbs it and does what the rung says.
 */
export type Rung = 'power-down' | 'quit' | 'terminate' | 'kill';

export interface LadderOptions {
  /** How long the guest has to power itself down. */
  readonly timeoutMs: number;
  /** Where to begin: `quit` for the second Ctrl-C, `kill` for the third, `terminate` where there is no monitor to ask by. */
  readonly from: Rung;
}

export interface RungAt {
  readonly rung: Rung;
  /** Milliseconds after the beginning. */
  readonly atMs: number;
}

const pressAgainMs = 5000;
const graceMs = 5000;
const hardRungs: readonly Rung[] = ['quit', 'terminate', 'kill'];

/** The whole ladder as a timetable. */
export function planLadder({ timeoutMs, from }: LadderOptions): readonly RungAt[] {
  const hard = (startMs: number, first: Rung): RungAt[] =>
    hardRungs.slice(hardRungs.indexOf(first)).map((rung, index) => ({ rung, atMs: startMs + index * graceMs }));
  if (from !== 'power-down') return hard(0, from);
  const presses: RungAt[] = [{ rung: 'power-down', atMs: 0 }];
  if (timeoutMs > pressAgainMs) presses.push({ rung: 'power-down', atMs: pressAgainMs });
  return [...presses, ...hard(timeoutMs, 'quit')];
}
