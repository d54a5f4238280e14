/** Plans of definitions in text, as an ordinary user's. */
import type { NetworkPlan } from '../../../src/network/network-plan.ts';
import type { NetworkFacts, NetworkPlanInput } from '../../../src/network/plan-input.ts';
import { planNetwork } from '../../../src/network/plan.ts';
import { networkFiles } from '../../../src/plan/network-files.ts';
import type { Step } from '../../../src/plan/step.ts';
import { capabilitiesOf } from '../qemu/a-profile.ts';
import { networkOf } from './network-text.ts';

export const places = {
  config: [],
  examples: '/package/profiles',
  state: '/state',
  runtime: '/run/qrun',
  cache: '/cache',
  host: '/host',
};

export interface PlanOptions extends Partial<Omit<NetworkPlanInput, 'facts' | 'files'>> {
  readonly name?: string;
  readonly facts?: Partial<NetworkFacts>;
  readonly runtime?: string;
}

export function planOf(
  text: string,
  { name = 'lab', facts = {}, runtime = places.runtime, ...input }: PlanOptions = {},
): NetworkPlan {
  const network = networkOf(text, { name, ...(input.uid !== undefined && { uid: input.uid }) });
  return planNetwork(network, {
    files: networkFiles({ ...places, runtime }, network.name),
    uid: 1000,
    addresses: {},
    mark: 'run1',
    pinned: false,
    release: ['node', 'qrun', '__release'],
    ...input,
    facts: {
      qemu: capabilitiesOf('7.2'),
      node: '/usr/bin/node',
      switchBundle: '/package/dist/switch.cjs',
      tools: { vde_switch: '/usr/bin/vde_switch' },
      ...facts,
    },
  });
}

export function stepOf<K extends Step['kind']>(plan: NetworkPlan, kind: K, id?: string): Extract<Step, { kind: K }> {
  const found = plan.steps.find((step) => step.kind === kind && (id === undefined || step.id === id));
  if (found === undefined) throw new Error(`no step ${kind}`);
  return found as Extract<Step, { kind: K }>;
}
