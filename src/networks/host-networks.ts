/** The host-wide registry of networks that root made for ordinary users. Read by all, and believed only where nobody but root can write it. */
import { lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { readHostLink } from '../host/host-link.ts';
import { isVmName } from '../names.ts';
import { hostNetworkFiles, type HostNetwork } from '../network/host-network.ts';
import { hasDnsmasq, isBridged } from '../network/bridged/mode.ts';
import { layoutOf } from '../network/layout.ts';
import type { Network, NetworkName } from '../network/network.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import { networkSpace } from '../resources/host-network.ts';
import { faultOfDirectory } from '../system/directories.ts';
import { readStateFile } from '../system/state-files.ts';
import type { Places } from '../places.ts';
import type { NetworkContext } from './context.ts';
import type { NetworkRecord } from './record.ts';

type Look = Pick<NetworkContext, 'places' | 'system'>;

/** Undefined: root has none of that name up in this network namespace. */
export function readHostNetwork(name: NetworkName, { places, system }: Look): HostNetwork | undefined {
  const { record } = hostNetworkFiles(places.host, name);
  const stat = lstatSync(record, { throwIfNoEntry: false });
  if (stat?.isFile() !== true || stat.uid !== 0 || (stat.mode & 0o022) !== 0) return undefined;
  if (faultOfDirectory(path.dirname(record), { uid: 0 }) !== undefined) return undefined;
  const read = readStateFile(record, { leave: true });
  if (read.state !== 'read' || read.value['bootId'] !== system.bootId() || read.value['space'] !== networkSpace())
    return undefined;
  return read.value as unknown as HostNetwork;
}

/** Names of what the registry has, believed or not. Nothing is opened. */
export const listHostNetworkNames = (places: Places): NetworkName[] => namesIn(path.join(places.host, 'networks'));

function namesIn(directory: string): NetworkName[] {
  try {
    const names = readdirSync(directory).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -5)] : []));
    return names.filter(isVmName).toSorted();
  } catch {
    return [];
  }
}

/** What users are told of it, as if it was in their own state. */
export function recordOfHost(host: HostNetwork, { system }: Pick<Look, 'system'>): NetworkRecord {
  const { name, runId, definition } = host;
  return {
    v: 1,
    network: name,
    runId,
    bootId: system.bootId(),
    pinned: host.counted !== true,
    startedAt: host.startedAt ?? '',
    file: definition.file,
    definition,
    plan: planOfHost(host),
    forwards: [],
  };
}

/** As a user's VM sees it. */
export function planOfHost(host: HostNetwork): NetworkPlan {
  const { name, definition, on, ports } = host;
  const gone = ports.filter(({ device }) => readHostLink(device) === undefined);
  const missing =
    gone.length === 0 ? [] : [`network ${name}: ${gone.length} of its ports are gone: sudo qrun net up ${name}`];
  const base = readHostLink(on);
  const down = base?.up === true ? [] : [`network ${name}: ${on} is down: nothing passes`];
  return {
    v: 1,
    network: name,
    running: true,
    file: definition.file,
    scope: 'system',
    transport: host.vde === undefined ? 'tap' : 'vde',
    forward: definition.forward,
    ...placesIn(definition),
    attach: { by: 'port', host },
    forwards: [],
    steps: [],
    notes: [...missing, ...down],
  };
}

/** On a network with a bridge of its own. */
function placesIn(definition: Network): Pick<NetworkPlan, 'subnet' | 'gateway' | 'dnsServer'> {
  if (!isBridged(definition.forward)) return {};
  const { subnet, gateway } = layoutOf(definition);
  return { subnet: subnet.cidr, gateway, ...(hasDnsmasq(definition) && { dnsServer: gateway }) };
}
