/** VXLANs that join a network with other hosts: each is a port of its bridge. Pure. */
import { QrunError } from '../../errors.ts';
import type { Underlay } from '../../host/underlay.ts';
import { linkAliasOf, linkNameOf, parseLinkAlias, type LinkOwner } from '../../link-name.ts';
import type { IfName } from '../../names.ts';
import type { LinkStep } from '../../plan/step.ts';
import { peerCommands, vxlanCommands } from '../../plan/vxlan-commands.ts';
import type { Network, NetworkLink } from '../network.ts';

/** A link as it is to be made. */
export interface PlannedLink {
  readonly device: IfName;
  readonly alias: string;
  readonly id: number;
  readonly port: number;
  /** Without this host itself. */
  readonly peers: readonly string[];
  readonly dev?: IfName;
  /** What fits through it, in bytes. */
  readonly mtu: number;
}

export interface LinksOf {
  readonly network: Network;
  /** Root's. */
  readonly state: string;
  readonly underlay: Underlay;
  /** The bridge, and the card that is a port of it. */
  readonly within: readonly string[];
}

type Look = LinksOf & { readonly at: string };

/** @throws QrunError `host-failed`, `in-use` (an identifier that is another's) */
export function planLinks(from: LinksOf): PlannedLink[] {
  return from.network.links.map(({ vxlan }, number) =>
    planLink(vxlan, number, { ...from, at: `network ${from.network.name}: links[${number}]` }),
  );
}

function planLink(vxlan: NetworkLink['vxlan'], number: number, look: Look): PlannedLink {
  const { id, port, dev } = vxlan;
  const owner: LinkOwner = { state: look.state, vm: `net/${look.network.name}`, nic: `link${number}`, role: 'vxlan' };
  const device = linkNameOf({ seed: [owner.vm, owner.state].join('\0'), nic: owner.nic, role: owner.role });
  const alias = linkAliasOf(owner);
  requireFree({ id, port, alias }, look);
  requireDevice(dev, look);
  const peers = othersOf(vxlan, look);
  return { device, alias, id, port, peers, ...(dev !== undefined && { dev }), mtu: mtuOf(peers, dev, look) };
}

function requireFree(wanted: Pick<PlannedLink, 'id' | 'port' | 'alias'>, { underlay, at }: Look): void {
  const { id, port, alias } = wanted;
  const other = underlay.vxlans.find((one) => one.id === id && one.port === port && one.alias !== alias);
  if (other === undefined) return;
  const whose = parseLinkAlias(other.alias)?.vm;
  const network = whose?.startsWith('net/') === true ? ` of network ${whose.slice('net/'.length)}` : '';
  throw new QrunError('in-use', `${at}: VXLAN ${id} on port ${port} is that of ${other.name}${network} already`, {
    hint: `ip -details link show dev ${other.name}; or write another id`,
  });
}

function requireDevice(dev: IfName | undefined, { underlay, within, at }: Look): void {
  if (dev === undefined) return;
  const link = underlay.devices[dev];
  if (link === undefined) {
    throw new QrunError('host-failed', `${at}: there is no interface ${dev}`, { hint: 'ip -brief link show' });
  }
  if (!link.up) {
    throw new QrunError('host-failed', `${at}: ${dev} is down`, { hint: `sudo ip link set dev ${dev} up` });
  }
  requireOutside(dev, { within, at });
}

/** What goes through the bridge would come to the bridge again. */
function requireOutside(dev: string, { within, at }: Pick<Look, 'within' | 'at'>): void {
  if (!within.includes(dev)) return;
  throw new QrunError(
    'host-failed',
    `${at}: the way to the other hosts is ${dev}, and the link is a port of it: frames would go round for ever`,
    { hint: 'leave bridge out of the definition, and the network has a bridge of its own; or name another dev' },
  );
}

/** One definition serves all hosts of a mesh: this host's own address in it is passed over. */
function othersOf({ peers }: NetworkLink['vxlan'], { underlay, at }: Look): string[] {
  const others = peers.filter((peer) => underlay.peers[peer]?.own !== true);
  if (others.length > 0) return others;
  throw new QrunError(
    'host-failed',
    `${at}: ${peers.join(' and ')} is this host itself: there is nobody to be joined with`,
    {
      hint: 'write the addresses of the other hosts',
    },
  );
}

/** Of IP, of UDP and of VXLAN, and the frame's own. */
const headers = { 4: 20 + 8 + 8 + 14, 6: 40 + 8 + 8 + 14 } as const;

function mtuOf(peers: readonly string[], dev: IfName | undefined, look: Look): number {
  const { underlay, at } = look;
  const fits = peers.map((peer) => {
    const way = underlay.peers[peer];
    const by = underlay.devices[dev ?? way?.dev ?? ''];
    if (by === undefined) {
      throw new QrunError('host-failed', `${at}: this host has no way to ${peer}`, { hint: `ip route get ${peer}` });
    }
    requireOutside(by.name, look);
    return Math.min(by.mtu, way?.mtu ?? by.mtu) - headers[peer.includes(':') ? 6 : 4];
  });
  return Math.min(...fits);
}

export interface LinkStepsOf {
  readonly bridge: IfName;
  readonly mtu: number;
  readonly ipv6: boolean;
}

const linkStepId = (number: number): string => `vxlan:${number}`;
export const isLinkStep = ({ kind, id }: { readonly kind: string; readonly id: string }): boolean =>
  kind === 'link' && id.startsWith('vxlan:');

export const linkSteps = (links: readonly PlannedLink[], { bridge, mtu, ipv6 }: LinkStepsOf): LinkStep[] =>
  links.map((link, number) => {
    const { device: name, alias, peers } = link;
    const fdb = peerCommands({ name, peers });
    return {
      kind: 'link',
      id: linkStepId(number),
      needsRoot: true,
      name,
      alias,
      commands: vxlanCommands({ ...link, name, mtu, bridge, ipv6 }),
      ...(fdb.length > 0 && { fdb }),
    };
  });
