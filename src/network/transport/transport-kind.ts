/** What a way to carry frames is to the rest of the house: what it can honour, and how it is planned. One file for each; adding one is adding a file. */
import type { WrittenMap } from '../../profile/definition.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import type { NetworkLayout } from '../layout.ts';
import type { NetworkPlan } from '../network-plan.ts';
import type { ForwardMode, Network, Transport } from '../network.ts';
import type { NetworkPlanInput } from '../plan-input.ts';

export interface TransportLook {
  readonly written: WrittenMap;
  /** As it is meant: written, or the default. */
  readonly forward: ForwardMode;
}

export interface TransportContext {
  readonly network: Network;
  readonly layout: NetworkLayout;
  readonly input: NetworkPlanInput;
}

/** Its part of the plan. */
export type TransportPlan = Omit<NetworkPlan, 'v' | 'network' | 'file' | 'scope' | 'transport' | 'forward' | 'running'>;

export interface TransportKind {
  readonly transport: Transport;
  /** Keys and values that it cannot honour, with the reason and the place. Pure. */
  readonly validate: (look: TransportLook) => PathFault[];
  /** Pure. @throws QrunError `missing-tool`, `missing-feature`, `host-failed` */
  readonly plan: (context: TransportContext) => TransportPlan;
}
