/** Keys that a transport cannot honour: refused with the reason, never ignored. */
import type { WrittenMap } from '../../profile/definition.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { isHarmless } from '../harmless.ts';
import type { Transport } from '../network.ts';
import { valueAt } from '../written.ts';

export interface Refusal {
  readonly path: readonly string[];
  readonly why: string;
  /** A value that says the same as leaving the key out, besides false and empty ones. */
  readonly unless?: string;
}

export function refusalFaults(transport: Transport, written: WrittenMap, refusals: readonly Refusal[]): PathFault[] {
  return refusals.flatMap(({ path, why, unless }): PathFault[] => {
    const value = valueAt(written, path);
    if (isHarmless(value) || (unless !== undefined && value === unless)) return [];
    return [{ path, at: 'key', message: `transport ${transport} cannot honour ${path.join('.')}: ${why}` }];
  });
}

/** Of all that run without root, in a place of the user's own. */
export const withoutRoot: readonly Refusal[] = [
  { path: ['bridge'], why: 'it has no bridge of the host' },
  { path: ['hostDns'], why: "to change the host's resolver takes root" },
  {
    path: ['nat'],
    why: 'what guests send goes out as connections of an ordinary program, whose ports the kernel chooses',
  },
  { path: ['ports'], why: 'every VM of the user gets a port when it starts' },
  { path: ['owner'], why: "it is its user's own" },
  { path: ['group'], why: "it is its user's own" },
  { path: ['antiSpoof'], why: 'it has no rules for what a guest may send' },
  { path: ['dns', 'records', 'txt'], why: 'its name server knows addresses alone' },
  { path: ['dns', 'records', 'srv'], why: 'its name server knows addresses alone' },
  { path: ['dns', 'forwarders'], why: "it asks the host's own name servers" },
];
