/** The networks of this user: those that are defined, and those that run without a definition. Read only. */
import { QrunError } from '../errors.ts';
import { listNetworks, type ListedNetwork } from '../host/network-definitions.ts';
import { hostNetworkOf } from '../network/network-plan.ts';
import type { Network, NetworkName } from '../network/network.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { NetworkContext } from './context.ts';
import { asDefined } from './as-defined.ts';
import { startsWithHost } from './autostart.ts';
import { listMembers } from './members.ts';
import { listNetworkNames } from './names.ts';
import { readPortMembers } from './port-users.ts';
import type { NetworkRecord } from './record.ts';
import { readDefinition } from './prepare-network.ts';
import type { NetworkState } from './state.ts';
import { readStatusMeant } from './status-meant.ts';

export interface NetworkRow {
  readonly name: NetworkName;
  readonly state: NetworkState;
  /** The definition's; null: it runs from a file, or had one. */
  readonly file: string | null;
  readonly example: boolean;
  /** As it runs, else as it is defined; null where the definition has faults. */
  readonly scope: string | null;
  readonly forward: string | null;
  readonly transport: string | null;
  readonly subnet: string | null;
  /** A unit of systemd's starts it, with the host or with its user's systemd. */
  readonly autostart: boolean;
  /** VMs that are on it. */
  readonly vms: readonly string[];
  /** Why its definition cannot be used. */
  readonly fault: string | null;
}

export async function listNetworkRows(context: NetworkContext): Promise<NetworkRow[]> {
  const defined = new Map(listNetworks(context.places).map((one) => [one.name, one]));
  const rows: NetworkRow[] = [];
  for (const name of listNetworkNames(context.places)) rows.push(await rowOf(name, defined.get(name), context));
  return rows;
}

async function rowOf(
  name: NetworkName,
  listed: ListedNetwork | undefined,
  context: NetworkContext,
): Promise<NetworkRow> {
  const { state, record, fault } = await readStatusMeant(name, context);
  const head = { name, state, file: listed?.file ?? null, example: listed?.example ?? false };
  const vms = record === undefined ? [] : vmsOn(record, context);
  if (record !== undefined) {
    const { scope, forward, transport, subnet } = record.plan;
    const autostart = startsWithHost({ name, scope }, context);
    return { ...head, scope, forward, transport, subnet: subnet ?? null, autostart, vms, fault: null };
  }
  const autostart = startsWithHost({ name, scope: null }, context);
  const nothing = { scope: null, forward: null, transport: null, subnet: null, autostart };
  if (listed === undefined || fault !== undefined) return { ...head, ...nothing, vms, fault: fault ?? null };
  const read = await readOrFault(listed.file, context);
  if ('fault' in read) return { ...head, ...nothing, vms, fault: read.fault };
  const { scope, forward, transport, subnet } = asDefined(read, context);
  return {
    ...head,
    scope,
    forward,
    transport,
    subnet,
    autostart: startsWithHost({ name, scope }, context),
    vms,
    fault: null,
  };
}

function vmsOn({ network, plan }: NetworkRecord, { places, system }: NetworkContext): string[] {
  const host = hostNetworkOf(plan);
  const onPorts = host === undefined ? [] : readPortMembers(host, system.uid);
  const members = [...onPorts, ...listMembers(networkFiles(places, network))];
  return [...new Set(members.map(({ vm }) => vm))];
}

/** One that has faults keeps no other from being listed. */
async function readOrFault(file: string, context: NetworkContext): Promise<Network | { readonly fault: string }> {
  try {
    return await readDefinition(file, context);
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
    return { fault: error.message };
  }
}
