/** Forwards of one document that want one port of the host. */
import { isIpv4Literal } from './address.ts';
import { renderForward } from './forward.ts';
import type { Forward } from './profile.ts';
import type { DocumentPath, PathFault } from './yaml-document.ts';

export interface PlacedForward {
  readonly forward: Forward;
  readonly path: DocumentPath;
}

export function forwardFaults(placed: readonly PlacedForward[], lineOf: (path: DocumentPath) => number): PathFault[] {
  const byPort = new Map<string, PlacedForward[]>();
  const faults: PathFault[] = [];
  for (const one of placed) {
    const { forward, path } = one;
    if (forward.hostPort === 'auto') continue;
    const key = `${forward.protocol}:${forward.hostPort}`;
    const others = byPort.get(key) ?? [];
    const other = others.find(({ forward: before }) => overlap(before.hostAddress, forward.hostAddress));
    if (other !== undefined) {
      const message = `port ${forward.hostPort} is taken by ${renderForward(other.forward)} on line ${lineOf(other.path)} already`;
      faults.push({ path, at: 'value', message });
    }
    byPort.set(key, [...others, one].slice(-16));
  }
  return faults;
}

/** The wildcard of a family covers every address of it. Interfaces (`%eth0`) are not looked up here. */
function overlap(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.startsWith('%') || b.startsWith('%') || isIpv4Literal(a) !== isIpv4Literal(b)) return false;
  return [a, b].some((address) => address === '0.0.0.0' || address === '::');
}
