/**
 * The rules of a network that is up, made anew: when its forwards change, and when a VM comes or goes whose tap is to be guarded. The kernel takes the
 * new ones in place of the old ones in one step; only then the record has them. Killed in between, the rules are ahead of the record: whoever changes
 * them next, or takes the network down, sets both right.
 */
import type { NetworkForward, NetworkPlan } from '../network/network-plan.ts';
import type { GuestTap } from '../network/plan-input.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { Step } from '../plan/step.ts';
import { acquireAll } from '../journal/walk.ts';
import { Journal } from '../journal/journal.ts';
import { failpoint } from '../journal/failpoint.ts';
import { ownNetwork } from '../resources/link.ts';
import { resourceOf } from '../resources/registry.ts';
import type { NetworkContext } from './context.ts';
import { planAnew } from './live-forwards.ts';
import { listMembers } from './members.ts';
import { writeNetworkRecord, type NetworkRecord } from './record.ts';

/** Under the network's lock. @returns the record as it is now */
export async function replaceRules(
  record: NetworkRecord,
  forwards: readonly NetworkForward[],
  context: NetworkContext,
): Promise<NetworkRecord> {
  const files = networkFiles(context.places, record.network);
  const plan = await planAnew(record, forwards, { context, guests: guestsOn(files) });
  const changed = plan.steps.filter((step) => isRule(step) && !record.plan.steps.some((one) => same(one, step)));
  const gone = record.plan.steps.filter((step) => step.kind === 'nft' && !plan.steps.some((one) => one.id === step.id));
  const { system, warn } = context;
  const journal = Journal.resume(files.journal);
  try {
    const walk = { system, runId: record.runId, descriptors: new Map<number, number>(), warn };
    await acquireAll(changed, { journal, registry: resourceOf, context: walk });
    for (const step of gone)
      await resourceOf(step).release(
        step,
        { network: ownNetwork() },
        { system, runId: record.runId, started: true, sameBoot: true },
      );
  } finally {
    journal.close();
  }
  failpoint(`rules:${record.network}`);
  const now = { ...record, forwards, plan: withSteps(record.plan, plan, forwards) };
  writeNetworkRecord(files, now);
  return now;
}

const isRule = ({ kind }: Step): boolean => kind === 'nft' || kind === 'sysctl';
const same = (one: Step, other: Step): boolean => JSON.stringify(one) === JSON.stringify(other);

/** What was not made anew stays as it was taken. */
function withSteps(before: NetworkPlan, after: NetworkPlan, forwards: readonly NetworkForward[]): NetworkPlan {
  const rules = after.steps.filter(isRule);
  const rest = before.steps.filter((step) => !isRule(step));
  const at = rest.findIndex(({ id }) => id === 'bridge') + 1;
  return { ...before, forwards, steps: rest.toSpliced(at, 0, ...rules) };
}

function guestsOn(files: Parameters<typeof listMembers>[0]): GuestTap[] {
  return listMembers(files).flatMap(({ device, mac, ip }) =>
    device === undefined ? [] : [{ device, mac, ...(ip !== undefined && { ip }) }],
  );
}
