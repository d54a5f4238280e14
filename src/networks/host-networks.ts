/** The host-wide registry of networks that root made for ordinary users. Read by all, and believed only where nobody but root can write it. */
import { lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { readHostLink } from '../host/host-link.ts';
import { isVmName } from '../names.ts';
import { hostNetworkFiles, type HostNetwork } from '../network/host-network.ts';
import type { NetworkName } from '../network/network.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import { networkSpace } from '../resources/host-network.ts';
import { faultOfDirectory } from '../system/directories.ts';
import { readStateFile } from '../system/state-files.ts';
import type { NetworkContext } from './context.ts';

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

export function listHostNetworks(look: Look): HostNetwork[] {
  return namesIn(path.join(look.places.host, 'networks')).flatMap((name) => readHostNetwork(name, look) ?? []);
}

function namesIn(directory: string): NetworkName[] {
  try {
    const names = readdirSync(directory).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -5)] : []));
    return names.filter(isVmName).toSorted();
  } catch {
    return [];
  }
}

/** As a user's VM sees it. */
export function planOfHost(host: HostNetwork): NetworkPlan {
  const { name, definition, forward, on, ports } = host;
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
    transport: 'tap',
    forward,
    attach: { by: 'port', host },
    forwards: [],
    steps: [],
    notes: [...missing, ...down],
  };
}
