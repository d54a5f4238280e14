/** What `net up` mends of a network with a bridge of its own: the bridge, who is on it, what is set for it, and its rules. Guests notice a pause. */
import { readHostLink } from '../host/host-link.ts';
import { Journal } from '../journal/journal.ts';
import { acquireAll } from '../journal/walk.ts';
import { hostNetworkOf, type NetworkPlan } from '../network/network-plan.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import type { NftStep, Step } from '../plan/step.ts';
import { missingTables } from '../resources/nft.ts';
import { runPrivileged } from '../resources/privilege.ts';
import { resourceOf } from '../resources/registry.ts';
import type { System } from '../system/system.ts';
import type { NetworkContext } from './context.ts';
import { listMembers } from './members.ts';
import type { NetworkRecord } from './record.ts';

/** Tables that somebody removed or emptied: `inet qrun_lan0`. None where that cannot be told. */
export const missingRules = (plan: NetworkPlan, system: System): string[] =>
  rulesOf(plan).flatMap((step) => (missingTables(step, system) ?? []).map(({ family, name }) => `${family} ${name}`));

/** Under the network's lock. */
export async function mendBridge(
  files: NetworkFiles,
  { plan, network, runId }: NetworkRecord,
  { system, warn }: NetworkContext,
): Promise<void> {
  if (plan.attach.by !== 'bridge') return;
  const { bridge } = plan.attach;
  const isGone = readHostLink(bridge) === undefined;
  const lost = new Set(missingRules(plan, system));
  const steps = plan.steps.filter((step) => {
    if (step.kind === 'nft') return step.tables.some(({ family, name }) => lost.has(`${family} ${name}`));
    return isGone && (step.kind === 'sysctl' || (step.kind === 'link' && step.name === bridge));
  });
  await take(steps, { files, runId, system, warn });
  if (isGone) warn(`network ${network}: ${bridge} had gone, and was made again`);
  if (lost.size > 0) warn(`network ${network}: the rules of ${[...lost].join(' and ')} had gone, and were made again`);
  rejoin(bridge, devicesOn(files, plan), { system, warn });
}

const rulesOf = ({ steps }: NetworkPlan): NftStep[] => steps.filter((step) => step.kind === 'nft');

const devicesOn = (files: NetworkFiles, plan: NetworkPlan): string[] => [
  ...(hostNetworkOf(plan)?.ports.map(({ device }) => device) ?? []),
  ...listMembers(files).flatMap(({ device }) => device ?? []),
];

/** Those that guests have: nothing but the cable between them and the bridge was lost. */
function rejoin(
  bridge: string,
  devices: readonly string[],
  { system, warn }: Pick<NetworkContext, 'system' | 'warn'>,
): void {
  for (const device of devices) {
    const link = readHostLink(device);
    if (link === undefined || link.master === bridge) continue;
    const { status } = runPrivileged(system, ['ip', 'link', 'set', 'dev', device, 'master', bridge]);
    if (status === 0) warn(`${device} had left ${bridge}, and is on it again`);
  }
}

interface TakeWith extends Pick<NetworkContext, 'system' | 'warn'> {
  readonly files: NetworkFiles;
  readonly runId: string;
}

async function take(steps: readonly Step[], { files, runId, system, warn }: TakeWith): Promise<void> {
  if (steps.length === 0) return;
  const journal = Journal.resume(files.journal);
  try {
    const context = { system, runId, descriptors: new Map<number, number>(), warn };
    await acquireAll(steps, { journal, registry: resourceOf, context });
  } finally {
    journal.close();
  }
}
