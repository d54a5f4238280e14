/** A network that is not up comes up: under its lock, and what there was of it before is given back. */
import { customAlphabet } from 'nanoid/non-secure';
import { QrunError } from '../errors.ts';
import { failpoint } from '../journal/failpoint.ts';
import { Journal } from '../journal/journal.ts';
import { acquireAll } from '../journal/walk.ts';
import { subnetsOf } from '../network/bridged/free-subnets.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import type { Step } from '../plan/step.ts';
import { rememberPorts } from '../resources/last-ports.ts';
import { registryFor } from '../resources/of-bridges.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { openAddressBook } from './address-book.ts';
import type { NetworkContext } from './context.ts';
import { inHostSection, type HostSection } from './host-section.ts';
import { ownOf } from './other-networks.ts';
import { readSurroundings, type PreparedNetwork } from './prepare-network.ts';
import { writeNetworkRecord, type NetworkRecord } from './record.ts';
import { endLocked } from './take-down.ts';

const newRunId = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 12);

export interface StartOptions {
  readonly pinned: boolean;
}

interface BeginOptions extends StartOptions {
  /** What was looked at under the lock of all. */
  readonly now?: Awaited<ReturnType<typeof readSurroundings>>;
}

/** What others of the host's have, it keeps off; and they keep off what it has as soon as it is planned. */
export async function startNetwork(
  network: PreparedNetwork,
  context: NetworkContext,
  { pinned }: StartOptions,
): Promise<NetworkRecord> {
  const { name, definition } = network;
  if (context.system.uid !== 0 || subnetsOf(definition).length === 0)
    return await (await begin(network, context, { pinned })).finish();
  return await inHostSection(context, async ({ alone, pending }) => {
    const begun = await alone(async () => {
      const now = await readNow(network, context, pending);
      const { plan, finish } = await begin(network, context, { pinned, now });
      pending.set(name, { ...ownOf(definition), isUp: true, forwards: plan.forwards });
      return { finish };
    });
    try {
      return await begun.finish();
    } finally {
      pending.delete(name);
    }
  });
}

async function readNow(
  { definition }: PreparedNetwork,
  context: NetworkContext,
  pending: HostSection['pending'],
): Promise<Awaited<ReturnType<typeof readSurroundings>>> {
  const { routes, others = [] } = await readSurroundings(definition, context);
  return {
    ...(routes !== undefined && { routes }),
    others: [...others.filter(({ name }) => !pending.has(name)), ...pending.values()],
  };
}

interface Begun {
  readonly plan: NetworkPlan;
  /** Its own lock is held until then. */
  readonly finish: () => Promise<NetworkRecord>;
}

/** Planned, and its ports taken. */
async function begin(network: PreparedNetwork, context: NetworkContext, { pinned, now }: BeginOptions): Promise<Begun> {
  const { name, files, definition } = network;
  const { system } = context;
  const runId = newRunId();
  const startedAt = new Date().toISOString();
  const bootId = system.bootId();
  const book = openAddressBook({ files, pool: network.pool, uid: system.uid });
  const seen = now === undefined ? {} : { now };
  const first = network.plan({ book, runId, pinned, ports: {}, ...seen });
  requireOwn(first);
  ensurePrivateDirectory(files.dir, { uid: system.uid });
  const journal = Journal.begin(files.journal, { v: 1, runId, bootId, vm: name, startedAt });
  const orEnd = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (error) {
      journal.close();
      await endLocked(files, context);
      throw error;
    }
  };
  const walk = async (steps: readonly Step[]): ReturnType<typeof acquireAll> =>
    await acquireAll(steps, {
      journal,
      registry: await registryFor(steps),
      context: { system, runId, descriptors: new Map(), warn: context.warn },
    });
  return await orEnd(async () => {
    book.save();
    const ports = portsOf(await walk(first.steps.filter(isPort)));
    const plan = hasOpenPorts(first) ? network.plan({ book, runId, pinned, ports, ...seen }) : first;
    const finish = async (): Promise<NetworkRecord> => {
      await walk(plan.steps.filter((step) => !isPort(step)));
      rememberPorts({ directory: files.dir, ports });
      const { file } = definition;
      const { forwards } = plan;
      const record: NetworkRecord = {
        ...{ v: 1, network: name, runId, bootId, pinned, startedAt },
        ...{ file, definition, plan, forwards },
      };
      writeNetworkRecord(files, record);
      failpoint(`network:${name}`);
      journal.started();
      journal.close();
      return record;
    };
    return { plan, finish: () => orEnd(finish) };
  });
}

/** A network of root's is root's to take up. */
function requireOwn({ network, attach }: NetworkPlan): void {
  if (attach.by !== 'helper') return;
  throw new QrunError('permission', `network ${network} is of scope system: root takes it up`, {
    hint: `sudo qrun net up ${network}`,
  });
}

const isPort = (step: Step): boolean => step.kind === 'port';

/** What it knows of them changes when they are taken. */
const hasOpenPorts = ({ steps }: NetworkPlan): boolean =>
  steps.some((step) => step.kind === 'port' && step.port === 'auto');

function portsOf(records: ReadonlyMap<string, Readonly<Record<string, unknown>>>): Record<string, number> {
  const ports: Record<string, number> = {};
  for (const [id, record] of records) if (typeof record['port'] === 'number') ports[id] = record['port'];
  return ports;
}
