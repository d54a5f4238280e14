/** The end of a network whose state was removed while it was up: what it took is written down again from what the registry has, and then given back as ever. */
import { QrunError } from '../errors.ts';
import { Journal } from '../journal/journal.ts';
import type { Leftover } from '../journal/walk.ts';
import { linkAliasOf } from '../link-name.ts';
import { isBridged } from '../network/bridged/mode.ts';
import { tableNameOf } from '../network/bridged/names.ts';
import type { NetworkName } from '../network/network.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { NftStep, Step } from '../plan/step.ts';
import { ownNetwork } from '../resources/link.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import type { NetworkContext } from './context.ts';
import { recordOfHost } from './host-networks.ts';
import { planAnew } from './live-forwards.ts';
import { isUnused } from './lock.ts';
import { readLostState, type LostState } from './lost-state.ts';
import { endWhole, withPortsLocked } from './take-down.ts';

export interface EndLost {
  /** With VMs on it: they are unplugged. */
  readonly force: boolean;
  readonly dryRun?: boolean;
}

export interface LostEnd {
  readonly steps: readonly Step[];
  readonly left: readonly Leftover[];
}

/** Under its lock, and without a journal. Undefined: there is nothing of it. @throws QrunError `in-use` */
export async function endLost(
  name: NetworkName,
  { force, dryRun = false }: EndLost,
  context: NetworkContext,
): Promise<LostEnd | undefined> {
  const lost = readLostState(name, context);
  if (lost === undefined) return undefined;
  const record = recordOfHost(lost.host, context);
  const files = networkFiles(context.places, name);
  const steps = await stepsOf(lost, context);
  return await withPortsLocked(record, async (busy) => {
    const users = busy.length > 0 || isUnused(files) ? busy : ['VMs of root’s'];
    if (users.length > 0 && !force) throw inUse(name, users);
    if (dryRun) return { steps, left: [] };
    const { uid } = context.system;
    ensurePrivateDirectory(files.dir, { uid });
    const { runId, bootId, startedAt } = record;
    const journal = Journal.begin(files.journal, { v: 1, runId, bootId, vm: name, startedAt });
    try {
      for (const step of steps) {
        journal.intent(step);
        journal.record(step, { network: ownNetwork() });
      }
    } finally {
      journal.close();
    }
    return { steps, left: await endWhole(files, context) };
  });
}

/** What of a plan is there to be given back; interfaces and rules as they are, whatever forwards there were. */
async function stepsOf({ host, links }: LostState, context: NetworkContext): Promise<Step[]> {
  const { steps } = await planAnew(recordOfHost(host, context), [], { context });
  const rest = steps.filter(({ kind }) => !['link', 'nft', 'sysctl', 'port', 'port-node'].includes(kind));
  const isFirst = ({ kind }: Step): boolean => kind === 'directory' || kind === 'file';
  return [...rest.filter(isFirst), ...links, ...rulesOf(host, context), ...rest.filter((step) => !isFirst(step))];
}

function rulesOf({ name, definition }: LostState['host'], { places }: NetworkContext): NftStep[] {
  if (!isBridged(definition.forward)) return [];
  const table = tableNameOf(name);
  const owner = linkAliasOf({ state: places.state, vm: `net/${name}`, nic: 'bridge', role: 'bridge' });
  const tables = (['inet', 'bridge'] as const).map((family) => ({ family, name: table }));
  return [{ kind: 'nft', id: 'rules', needsRoot: true, tables, owner, commands: [] }];
}

const inUse = (name: NetworkName, users: readonly string[]): QrunError =>
  new QrunError(
    'in-use',
    `network ${name}: its state was removed while it was up, and it is in use: ${users.join(', ')}`,
    { hint: `stop them, or: sudo qrun net down ${name} --force (unplugs)` },
  );
