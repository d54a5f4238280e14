/**
 * Root's VM on a network that is a card of the host's: its NIC is a macvtap or a virtual function as any other, made by the kind of NIC of that name,
 * and counted as one that is on the network.
 */
import { QrunError } from '../errors.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import type { HostdevNic, MacvtapNic, NetworkNic, Nic, Profile } from '../profile/profile.ts';
import { hostdevNic } from './hostdev.ts';
import { macvtapNic } from './macvtap.ts';
import type { AnyNicPlan, NicContext } from './nic-kind.ts';
import { indexOfNic } from './support.ts';

/** What a profile comes to where its networks are such cards: to be looked at, and planned. Its other NICs are what they are. */
export function onPools<P extends Pick<Profile, 'nics'>>(profile: P, networks: Attached): P {
  const nics = profile.nics.map((nic) => poolNicOf(nic, networks) ?? nic);
  return nics.every((nic, at) => nic === profile.nics[at]) ? profile : { ...profile, nics };
}

type PoolNic = MacvtapNic | HostdevNic;
/** By name. */
type Attached = Readonly<Record<string, Pick<NetworkPlan, 'attach'>>>;

function poolNicOf(nic: Nic, networks: Attached): PoolNic | undefined {
  const attach = nic.kind === 'network' ? networks[nic.network]?.attach : undefined;
  if (attach?.by !== 'macvtap' && attach?.by !== 'hostdev') return undefined;
  const { network: _network, ...common } = nic as NetworkNic;
  const { card: parent } = attach;
  if (attach.by === 'macvtap')
    return { ...common, kind: 'macvtap', parent, mode: attach.mode, hostAccess: attach.hostAccess };
  return { ...common, kind: 'hostdev', parent, ...(attach.vlan !== undefined && { vlan: attach.vlan }) };
}

export interface OnPool {
  readonly plan: AnyNicPlan;
  /** What it has of the card: the macvtap's name, or the function's address. */
  readonly device: string;
}

/** Undefined: it is no such network. @throws QrunError what the kind of NIC throws; `invalid-profile` for keys that no card honours */
export function planOnPool(nic: NetworkNic, network: NetworkPlan, context: NicContext): OnPool | undefined {
  const { attach } = network;
  if (attach.by !== 'macvtap' && attach.by !== 'hostdev') return undefined;
  const at = indexOfNic(nic, context);
  const profile = onPools(context.profile, context.facts.networks);
  const own = profile.nics[at];
  const from = { ...context, profile };
  if (own?.kind === 'macvtap') {
    const plan = macvtapNic.plan(own, from);
    return { plan, device: plan.hostInterface ?? own.parent };
  }
  if (own?.kind !== 'hostdev') throw new QrunError('bug', `${network.network} is no card for ${nic.id}`);
  refuseUnhonoured(nic, `nics[${at}]`, network);
  const plan = hostdevNic.plan(own, from);
  return { plan, device: plan.card };
}

/** The same that `kind: hostdev` has no keys for. */
function refuseUnhonoured(nic: NetworkNic, at: string, { network }: NetworkPlan): void {
  const { model, mtu, queues, vhost } = nic;
  const given = [
    ...(model === 'virtio-net-pci' ? [] : ['model']),
    ...(mtu === undefined ? [] : ['mtu']),
    ...(queues === 1 ? [] : ['queues']),
    ...(vhost === 'on' ? ['vhost'] : []),
  ];
  const [key] = given;
  if (key === undefined) return;
  throw new QrunError(
    'invalid-profile',
    `${at}.${key}: on ${network} a NIC is a card itself: ${key} is for cards of QEMU's`,
    { hint: `leave "${key}" out` },
  );
}
