/** What was found of VMs and networks → the map. Pure. */
import type { Nic } from '../profile/profile.ts';
import { attachmentOf, attachmentOfSource, managedId, type Attachment } from './attachment.ts';
import type { MapDocument, MapForward, MapNetwork, MapNetworkKind, MapNic, MapVm } from './map-document.ts';

export interface FoundNic {
  readonly id: string;
  readonly kind: string;
  readonly model: string;
  readonly mac?: string;
  readonly ips: readonly string[];
  readonly forwards: readonly MapForward[];
  readonly hostInterface?: string;
  readonly lost?: boolean;
  /** As its profile has it. */
  readonly written?: Nic;
  /** What it hangs on, for people; stands in where `written` is not known. */
  readonly source: string;
  readonly network?: string;
}

export interface FoundVm {
  readonly vm: string;
  readonly state: string;
  readonly profile?: string;
  readonly nics: readonly FoundNic[];
}

export interface FoundNetwork {
  readonly name: string;
  readonly state: string;
  readonly forward?: string;
  readonly transport?: string;
  readonly scope?: string;
  readonly subnet?: string;
  /** The host's interface that a bridged network leads to. */
  readonly interface?: string;
  readonly forwards: readonly MapForward[];
}

export interface Found {
  readonly vms: readonly FoundVm[];
  readonly networks: readonly FoundNetwork[];
}

/** Networks of qrun's first, then what VMs made among themselves, then what one NIC has for itself; VMs by name. */
export function buildMap({ vms, networks }: Found): MapDocument {
  const found = new Map<string, MapNetwork>(networks.map((network) => [managedId(network.name), managed(network)]));
  const sorted = vms.toSorted((left, right) => byText(left.vm, right.vm));
  const mapped = sorted.map(({ vm, state, profile, nics }): MapVm => ({
    vm,
    state,
    profile: profile ?? null,
    nics: nics.map((nic) => {
      const attachment = attach(vm, nic);
      if (!found.has(attachment.id)) found.set(attachment.id, networkOf(attachment));
      return mapNic(nic, attachment);
    }),
  }));
  return { vms: mapped, networks: [...found.values()].toSorted(byRank) };
}

function attach(vm: string, nic: FoundNic): Attachment {
  if (nic.written !== undefined) return attachmentOf(vm, nic.written);
  if (nic.network !== undefined) return { id: managedId(nic.network), kind: 'managed', name: nic.network };
  return attachmentOfSource(vm, nic);
}

function mapNic(nic: FoundNic, { id, end }: Attachment): MapNic {
  return {
    id: nic.id,
    kind: nic.kind,
    model: nic.model,
    mac: nic.mac ?? null,
    ips: nic.ips,
    network: id,
    end: end ?? null,
    hostInterface: nic.hostInterface ?? null,
    link: nic.lost === true ? 'lost' : null,
    forwards: nic.forwards,
  };
}

function managed({
  name,
  state,
  forward,
  transport,
  scope,
  subnet,
  interface: own,
  forwards,
}: FoundNetwork): MapNetwork {
  return {
    id: managedId(name),
    kind: 'managed',
    name,
    state,
    forward: forward ?? null,
    transport: transport ?? null,
    scope: scope ?? null,
    subnet: subnet ?? null,
    uplink: uplinkOf(forward, own),
    forwards,
  };
}

function uplinkOf(forward: string | undefined, own: string | undefined): string | null {
  if (forward === 'nat' || forward === 'route' || forward === 'open') return 'outside';
  if (forward === 'bridge' || forward === 'macvtap' || forward === 'hostdev') return own ?? 'host';
  return null;
}

function networkOf({ id, kind, name, subnet, uplink }: Attachment): MapNetwork {
  return {
    id,
    kind,
    name,
    state: kind === 'managed' ? 'missing' : null,
    forward: null,
    transport: null,
    scope: null,
    subnet: subnet ?? null,
    uplink: uplink ?? null,
    forwards: [],
  };
}

const ranks: readonly MapNetworkKind[] = [
  'managed',
  'bridge',
  'tap',
  'macvtap',
  'device',
  'vde',
  'mcast',
  'cable',
  'tunnel',
  'other',
  'private',
];

function byRank(left: MapNetwork, right: MapNetwork): number {
  const rank = ranks.indexOf(left.kind) - ranks.indexOf(right.kind);
  // those of one NIC stay in the order of the VMs and their NICs
  if (rank !== 0 || left.kind === 'private') return rank;
  return byText(left.name, right.name) || byText(left.id, right.id);
}

/** `web2` before `web10`; the same everywhere, whatever the locale. */
export function byText(left: string, right: string): number {
  const padded = (text: string): string => text.replace(/\d+/g, (digits) => digits.padStart(12, '0'));
  const [one, other] = [padded(left), padded(right)];
  if (one !== other) return one < other ? -1 : 1;
  return left === right ? 0 : left < right ? -1 : 1;
}
