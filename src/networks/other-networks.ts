/** The other networks of the host's that have addresses on it: those that are up, and those that are defined. Read only. */
import { orNone, QrunError } from '../errors.ts';
import { listNetworks } from '../host/network-definitions.ts';
import { subnetsOf } from '../network/bridged/free-subnets.ts';
import type { Network, NetworkName } from '../network/network.ts';
import type { OtherNetwork } from '../network/plan-input.ts';
import { scopeOf } from '../network/scope.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { NetworkContext } from './context.ts';
import { listHostNetworkNames, readHostNetwork } from './host-networks.ts';
import { readDefinition } from './prepare-network.ts';
import { readNetworkRecord, type NetworkRecord } from './record.ts';
import { listNetworkState } from './state-names.ts';

/** One that cannot be read keeps no other from coming up; an example of the package that nobody took up has nothing. */
export async function readOtherNetworks(name: NetworkName, context: NetworkContext): Promise<OtherNetwork[]> {
  const up = upNetworks(name, context);
  const others: OtherNetwork[] = [...up];
  for (const listed of listNetworks(context.places)) {
    if (listed.example || listed.name === name || up.some((one) => one.name === listed.name)) continue;
    const definition = await readOrNone(listed.file, context);
    if (definition === undefined || scopeOf(definition, context.system.uid) !== 'system') continue;
    others.push({ ...ownOf(definition), isUp: false, forwards: [] });
  }
  return others;
}

/** Root has them in his own state; others are told of them by the host-wide registry. */
export const upNetworks = (name: NetworkName, context: NetworkContext): OtherNetwork[] =>
  context.system.uid === 0 ? ownUpNetworks(name, context) : hostUpNetworks(name, context);

const ownUpNetworks = (name: NetworkName, { places, system }: NetworkContext): OtherNetwork[] =>
  listNetworkState(places).flatMap((other): OtherNetwork[] => {
    const record = other === name ? undefined : recordOf(other, { places });
    if (record?.bootId !== system.bootId() || record.plan.attach.by !== 'bridge') return [];
    return [{ ...ownOf(record.definition), isUp: true, forwards: record.forwards }];
  });

const hostUpNetworks = (name: NetworkName, context: NetworkContext): OtherNetwork[] =>
  listHostNetworkNames(context.places).flatMap((other): OtherNetwork[] => {
    const host = other === name ? undefined : readHostNetwork(other, context);
    return host === undefined ? [] : [{ ...ownOf(host.definition), isUp: true, forwards: [] }];
  });

/** What no other may have. */
export function ownOf(definition: Network): Pick<OtherNetwork, 'name' | 'file' | 'subnets'> {
  const { name, file } = definition;
  return { name, file, subnets: subnetsOf(definition) };
}

const recordOf = (name: NetworkName, { places }: Pick<NetworkContext, 'places'>): NetworkRecord | undefined =>
  orNone(() => readNetworkRecord(networkFiles(places, name)));

async function readOrNone(file: string, context: NetworkContext): Promise<Network | undefined> {
  try {
    return await readDefinition(file, context);
  } catch (error) {
    if (error instanceof QrunError) return undefined;
    throw error;
  }
}
