/** `qrun net macs`: the MAC addresses that a network knows, up or not, and whose they are. Read only. */
import { bridgeMacOf, bridgeNameOf } from '../network/bridged/names.ts';
import { portHolder } from '../network/bridged/fixed-hosts.ts';
import { isBridged } from '../network/bridged/mode.ts';
import { hostNetworkFiles, type HostNetwork } from '../network/host-network.ts';
import { hostNetworkOf } from '../network/network-plan.ts';
import type { Network, NetworkName } from '../network/network.ts';
import { scopeOf } from '../network/scope.ts';
import { isVmName, parseNetworkName } from '../names.ts';
import { networkFiles, type NetworkFiles } from '../plan/network-files.ts';
import { readPortMacs } from '../resources/host-network.ts';
import { readLeases } from '../resources/mac-lease.ts';
import type { NetworkContext } from './context.ts';
import { readAddresses } from './address-file.ts';
import { listMembers } from './members.ts';
import { requireKnownNetwork } from './names.ts';
import { readPortMembers, readPortUsers } from './port-users.ts';
import { readDefinition } from './prepare-network.ts';
import type { NetworkRecord } from './record.ts';
import { readNetworkStatus } from './state.ts';

export interface NetworkMac {
  readonly mac: string;
  /**
   * `bridge`: the bridge's own. `port`: of a port for ordinary users, with who has it, or had it last. `member`: of a VM that is on it. `fixed`: the
   * definition's. `kept`: of a VM that is not on it, and has an address there.
   */
  readonly kind: 'bridge' | 'port' | 'member' | 'fixed' | 'kept';
  readonly ip: string | null;
  /** Of another user's: `alice/web1`. */
  readonly vm: string | null;
  readonly nic: string | null;
  /** The host's interface. */
  readonly device: string | null;
  /** What the definition calls it. */
  readonly name: string | null;
  /** It is on the network now. */
  readonly joined: boolean;
}

interface Look {
  readonly name: NetworkName;
  readonly definition: Network;
  readonly record: NetworkRecord | undefined;
  readonly files: NetworkFiles;
  readonly context: NetworkContext;
  /** Addresses that are kept, by holder. */
  readonly addresses: Readonly<Record<string, string>>;
}

const nothing = { ip: null, vm: null, nic: null, device: null, name: null, joined: false };

/** Each MAC once. @throws QrunError `unknown-name`; `invalid-network` for one that is not up and has faults */
export async function listMacs(argument: string, context: NetworkContext): Promise<NetworkMac[]> {
  const name = parseNetworkName(argument);
  requireKnownNetwork(name, context.places);
  const { record } = readNetworkStatus(name, context);
  const files = networkFiles(context.places, name);
  const definition = record?.definition ?? (await readDefinition(name, context));
  const look: Look = { name, definition, record, files, context, addresses: readAddresses(files) };
  const all = [...bridgeOf(look), ...membersOf(look), ...portsOf(look), ...fixedOf(look), ...keptOf(look)];
  return all.filter(({ mac }, at) => all.findIndex((one) => one.mac === mac) === at);
}

function bridgeOf({ definition, context }: Look): NetworkMac[] {
  if (!isBridged(definition.forward) || scopeOf(definition, context.system.uid) !== 'system') return [];
  return [{ ...nothing, kind: 'bridge', mac: bridgeMacOf(definition), device: bridgeNameOf(definition), joined: true }];
}

const membersOf = ({ files, record }: Look): NetworkMac[] =>
  record === undefined
    ? []
    : listMembers(files).map(({ mac, ip, vm, nic, device }) => ({
        ...nothing,
        ...{ kind: 'member', mac, ip: ip ?? null, vm, nic, device: device ?? null, joined: true },
      }));

function portsOf({ name, record, context, addresses }: Look): NetworkMac[] {
  const host = record === undefined ? undefined : hostNetworkOf(record.plan);
  if (host !== undefined) return portsOfHost(host, context.system.uid);
  // kept for its next time up
  return readPortMacs(hostNetworkFiles(context.places.host, name).macs).map((mac, number) => ({
    ...nothing,
    ...{ kind: 'port', mac, ip: addresses[portHolder(number)] ?? null },
  }));
}

function portsOfHost(host: HostNetwork, uid: number): NetworkMac[] {
  const joined = new Set(readPortMembers(host, uid).map(({ mac }) => mac));
  const users = readPortUsers(host, uid);
  return host.ports.map(({ mac, ip, device }) => {
    const user = users.find((one) => one.mac === mac);
    const who = { vm: user?.vm ?? null, nic: user?.nic ?? null, joined: joined.has(mac) };
    return { ...nothing, kind: 'port', mac, ip: ip ?? null, device, ...who };
  });
}

const fixedOf = ({ definition: { dhcp } }: Look): NetworkMac[] =>
  (dhcp?.hosts ?? []).flatMap(({ mac, ip, name }): NetworkMac[] =>
    mac === undefined ? [] : [{ ...nothing, kind: 'fixed', mac, ip, name: name ?? null }],
  );

/** By the lease of the VM's NIC. Of a VM with several the first on the network has the address in the VM's name: which that is, its profile says. */
function keptOf({ addresses, definition, context: { places } }: Look): NetworkMac[] {
  const fixed = (definition.dhcp?.hosts ?? []).flatMap(({ vm, ip }) => (vm === undefined ? [] : [[vm, ip] as const]));
  return [...fixed, ...Object.entries(addresses)].flatMap(([holder, ip]): NetworkMac[] => {
    const [vm = '', nic] = holder.split('/');
    if (!isVmName(vm)) return [];
    const leases = [...(readLeases({ places, vm }) ?? [])];
    const [id, lease] =
      (nic === undefined && leases.length > 1 ? [] : leases).find(([one]) => nic === undefined || one === nic) ?? [];
    const mac = lease?.explicit ?? lease?.mac;
    return id === undefined || mac === undefined ? [] : [{ ...nothing, kind: 'kept', mac, ip, vm, nic: id }];
  });
}
