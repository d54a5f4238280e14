/**
 * The rules of a network that is up, made anew: when its forwards change, and when a VM comes or goes whose tap is to be guarded. The kernel takes the
 * new ones in place of the old ones in one step; only then the record has them. Killed in between, the rules are ahead of the record: whoever changes
 * them next, or takes the network down, sets both right.
 */
import { closeSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import type { KeptPort } from '../network/bridged/kept-ports.ts';
import { takerOf } from '../network/host-network.ts';
import { hostNetworkOf, type NetworkForward, type NetworkPlan } from '../network/network-plan.ts';
import type { GuestTap } from '../network/plan-input.ts';
import { withdrawnOf } from '../network/bridged/withdrawn-rules.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { Step } from '../plan/step.ts';
import { acquireAll } from '../journal/walk.ts';
import { Journal } from '../journal/journal.ts';
import { failpoint } from '../journal/failpoint.ts';
import { ownNetwork } from '../resources/link.ts';
import { lockPortFor, rightsOfLock } from '../resources/port-lock.ts';
import { resourceOf } from '../resources/registry.ts';
import type { NetworkContext } from './context.ts';
import { stillKept } from './kept-ports.ts';
import { planAnew } from './live-forwards.ts';
import { listMembers } from './members.ts';
import { writeNetworkRecord, type NetworkRecord } from './record.ts';

export interface Wanted {
  readonly forwards: readonly NetworkForward[];
  /** Ports that are to be kept for users' VMs. Default: those that are, as far as they are still named. */
  readonly kept?: readonly KeptPort[];
}

/**
 * Under the network's lock. A port whose keeper changes is made anew with the rules, so that nobody else can open it: nobody may be on it.
 * @returns the record as it is now
 */
export async function replaceRules(
  record: NetworkRecord,
  wanted: Wanted,
  context: NetworkContext,
): Promise<NetworkRecord> {
  const files = networkFiles(context.places, record.network);
  const { forwards, kept = stillKept(record, forwards) } = wanted;
  const withdrawn = withdrawnOf([...(record.withdrawn ?? []), ...record.forwards], forwards);
  const anew = await planAnew(record, forwards, { context, guests: guestsOn(files), kept, withdrawn });
  const plan = portsAsTheyAre(record, anew);
  const handed = lockHanded(record, plan);
  try {
    return await replaceWith({ record: { ...record, withdrawn }, forwards, plan, handed, context });
  } finally {
    for (const fd of handed.values()) closeSync(fd);
  }
}

interface ReplaceWith {
  readonly record: NetworkRecord;
  readonly forwards: readonly NetworkForward[];
  readonly plan: NetworkPlan;
  readonly handed: Handed;
  readonly context: NetworkContext;
}

/** What holds each port that gets another taker, by the id of its step. */
type Handed = ReadonlyMap<string, number>;

async function replaceWith({ record, forwards, plan, handed, context }: ReplaceWith): Promise<NetworkRecord> {
  const files = networkFiles(context.places, record.network);
  const changed = plan.steps.filter(
    (step) => isChanging(step, handed) && !record.plan.steps.some((one) => same(one, step)),
  );
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
  const now = { ...record, forwards, plan: withSteps(record.plan, plan, { forwards, handed }) };
  writeNetworkRecord(files, now);
  return now;
}

/** Rules, and what of ports changes with who may take them. */
const isChanging = (step: Step, handed: Handed): boolean =>
  isRule(step) || handed.has(step.id) || step.kind === 'host-network';
const isRule = ({ kind }: Step): boolean => kind === 'nft' || kind === 'sysctl';
const same = (one: object, other: object): boolean => JSON.stringify(one) === JSON.stringify(other);

/** What was not made anew stays as it was taken. */
function withSteps(
  before: NetworkPlan,
  after: NetworkPlan,
  { forwards, handed }: Pick<ReplaceWith, 'forwards' | 'handed'>,
): NetworkPlan {
  const rules = after.steps.filter(isRule);
  const rest = before.steps
    .filter((step) => !isRule(step))
    .map((step) => (isChanging(step, handed) ? (after.steps.find(({ id }) => id === step.id) ?? step) : step));
  const at = rest.findIndex(({ id }) => id === 'bridge') + 1;
  return { ...before, forwards, steps: rest.toSpliced(at, 0, ...rules) };
}

/** What was not read for this change stays as it was told: since when it is up, the definition, and, of each port, all but its keeper and its address. */
function portsAsTheyAre({ plan: before, startedAt, definition }: NetworkRecord, after: NetworkPlan): NetworkPlan {
  const told = hostNetworkOf(before);
  if (told === undefined) return after;
  const steps = after.steps.map((step): Step => {
    if (step.kind !== 'host-network') return step;
    const { ports } = step.network;
    return same([ports, definition], [told.ports, told.definition])
      ? { ...step, network: told }
      : { ...step, network: { ...told, ports, definition, startedAt } };
  });
  return { ...after, steps };
}

/** Ports that get another taker, locked while they change hands. @throws QrunError `in-use` */
function lockHanded({ network, plan }: NetworkRecord, after: NetworkPlan): Handed {
  const handed = new Map<string, number>();
  const [before, now] = [hostNetworkOf(plan), hostNetworkOf(after)];
  if (before === undefined || now === undefined) return handed;
  for (const port of now.ports) {
    const was = before.ports.find(({ number }) => number === port.number);
    if (was === undefined || same(takerOf(was, before), takerOf(port, now))) continue;
    const fd = lockPortFor(port.lock, rightsOfLock(port, now));
    if (fd === undefined) {
      for (const one of handed.values()) closeSync(one);
      throw new QrunError('in-use', `network ${network}: its port ${port.device} was taken by somebody just now`, {
        hint: 'try again',
      });
    }
    handed.set(`port:${port.number}`, fd);
  }
  return handed;
}

function guestsOn(files: Parameters<typeof listMembers>[0]): GuestTap[] {
  return listMembers(files).flatMap(({ device, mac, ip, vm, holder = vm }) =>
    device === undefined ? [] : [{ device, mac, ...(ip !== undefined && { ip }), ...(holder === vm && { vm }) }],
  );
}
