/** From a network's name, or a definition's file, to what can be brought up or joined: as it runs, else as its definition says. Changes nothing. */
import type { AddressPool } from '../network/address-pool.ts';
import type { Network, NetworkName } from '../network/network.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import type { QemuCapabilities } from '../qemu/capabilities.ts';
import type { AddressBook } from './address-book.ts';
import type { NetworkContext } from './context.ts';
import type { NetworkRecord } from './record.ts';

export interface PlanInput {
  readonly book: AddressBook;
  readonly runId: string;
  readonly pinned: boolean;
  /** Real ports of `auto` forwards by step id, once they are taken. */
  readonly ports: Readonly<Record<string, number>>;
}

export interface PreparedNetwork {
  readonly name: NetworkName;
  readonly files: NetworkFiles;
  readonly definition: Network;
  readonly running?: NetworkRecord;
  /** As it runs, or as it would. */
  readonly shown: NetworkPlan;
  readonly pool: AddressPool;
  readonly poolOf: (plan: NetworkPlan) => AddressPool;
  readonly fixedByMac: (mac: string) => string | undefined;
  readonly plan: (input: PlanInput) => NetworkPlan;
}

export declare function prepareNetwork(
  argument: string,
  qemu: QemuCapabilities,
  context: NetworkContext,
): Promise<PreparedNetwork>;
