/** The words that passt is started with. Pure. */
import type { PasstForward, PasstStep } from './step.ts';

/** The real port of a forward; one that is `auto` has none before it is taken. */
export type PortOfForward = (forward: PasstForward) => string | number;

/** Also for QEMU's own back end: one option for each, because an address counts for the whole of an option's list. */
export function passtForwardWords(
  forwards: readonly PasstForward[],
  portOf: PortOfForward = ({ port }) => port,
): string[] {
  return forwards.flatMap((forward) => [
    forward.protocol === 'tcp' ? '--tcp-ports' : '--udp-ports',
    `${forward.address}/${portOf(forward)}:${forward.guestPort}`,
  ]);
}

export function passtCommand(step: PasstStep, portOf?: PortOfForward): string[] {
  return [...step.argv, ...passtForwardWords(step.forwards, portOf)];
}
