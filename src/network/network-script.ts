/** What a script of `show --shell` needs to take a managed network up by itself, as any qrun would have done it: pure data. */
import type { NetworkFiles } from '../plan/network-files.ts';
import type { NetworkPlan } from './network-plan.ts';

export interface NetworkScript {
  /** Not pinned, and marked as a script's. An `auto` port stands in it as the number that `autoPorts` names. */
  readonly plan: NetworkPlan;
  /** Marks its processes, and stands for a run id. */
  readonly mark: string;
  readonly files: Pick<NetworkFiles, 'dir' | 'lock' | 'journal' | 'record' | 'members' | 'runtimeDir'>;
  /** The record of the network that is up, but for when it was started and in which boot. */
  readonly record: Readonly<Record<string, unknown>>;
  /** By the id of the port step: a number that is no port and stands nowhere else. */
  readonly autoPorts: Readonly<Record<string, number>>;
  /** Ends the network if nobody is on it. */
  readonly release: readonly string[];
  /** Tells who hands out addresses, and the rules, of a VM that was written down; absent where they need not know. */
  readonly joined?: readonly string[];
}
