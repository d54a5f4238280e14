/**
 * `kind: macvtap`: an address of the guest's own on a network card of the host's. QEMU gets the opened character device of the interface, whose MAC
 * must be the guest's: other frames do not pass. https://docs.kernel.org/networking/ (macvlan), https://virt.kernelnewbies.org/MacVTap
 */
import { QrunError } from '../errors.ts';
import type { HostLink } from '../host/host-link.ts';
import type { LinkDoor } from '../host/link-door.ts';
import { holdersInWords } from '../link-owner.ts';
import { linkAliasOf, linkIndexOf, linkNameOf, type LinkOwner } from '../link-name.ts';
import { planHostAccess } from '../plan/host-access.ts';
import { macvtapCommands } from '../plan/link-commands.ts';
import type { LinkStep, TapNodeStep } from '../plan/step.ts';
import type { MacvtapNic } from '../profile/profile.ts';
import { shellWord } from '../shell-word.ts';
import { linkDoorOf, planVhost, requireRights, reserved, sudoOf, tellMtu, userOf } from './link-support.ts';
import type { NicContext, NicKind, NicPlan } from './nic-kind.ts';
import { indexOfNic, missingBackEnd } from './support.ts';

export const macvtapNic: NicKind<MacvtapNic> = { kind: 'macvtap', plan };

interface MacvtapContext extends NicContext {
  readonly nic: MacvtapNic;
  readonly at: string;
  readonly door: LinkDoor;
  readonly of: Omit<LinkOwner, 'role'>;
}

function plan(nic: MacvtapNic, context: NicContext): NicPlan {
  const at = `nics[${indexOfNic(nic, context)}]`;
  const { facts, netdevId, profile } = context;
  if (!facts.qemu.netdevTypes.includes('tap')) throw missingBackEnd(at, 'tap', facts.qemu);
  const door = linkDoorOf(at, context);
  const of = { state: facts.places.state, vm: profile.name, nic: nic.id };
  const macvtap: MacvtapContext = { ...context, nic, at, door, of };
  const parent = parentOf(macvtap);
  refuseMacOfCard(macvtap, parent);
  requireRights(at, door, {
    what: `to make a macvtap on ${nic.parent}`,
    mend: `sudo qrun run ${shellWord(profile.file)}`,
  });
  const { link, node } = stepsOf(macvtap);
  const way = wayOf(macvtap, parent, link.name);
  const vhost = planVhost(at, nic, door);
  const mtu = tellMtu(nic, parent);
  const { fds, path } = node;
  return {
    netdev: {
      type: 'tap',
      id: netdevId,
      ...(fds.length > 1 ? { fds: fds.join(':') } : { fd: String(fds[0]) }),
      ...vhost.netdev,
    },
    steps: [link, node, ...way.steps],
    source: nic.parent,
    hostInterface: link.name,
    fds: fds.map((fd) => ({ fd, path })),
    device: mtu.device,
    notes: [...takenNotes(macvtap, link), ...notesOf(nic, door), ...way.notes, ...mtu.notes, ...vhost.notes],
  };
}

/** In mode passthru the card has it as well; what is leased is no MAC of this host's. */
function refuseMacOfCard({ at, nic, facts }: MacvtapContext, { name, mac }: HostLink): void {
  if (nic.mac === undefined || nic.mode === 'passthru' || facts.macs[nic.id] !== mac) return;
  throw new QrunError('in-use', `${at}.mac: ${mac} is ${name}'s own MAC, and two on one card cannot have the same`, {
    hint: 'leave "mac" out',
  });
}

function stepsOf({ nic, of, door, facts, nextFd, ...context }: MacvtapContext): { link: LinkStep; node: TapNodeStep } {
  const mac = facts.macs[nic.id];
  if (mac === undefined) throw new Error(`no lease for ${nic.id}`);
  const own = reserved(door, nic.id, 'macvtap');
  const [name, index] = [linkNameOf(own), linkIndexOf(own)];
  const alias = linkAliasOf({ ...of, role: 'macvtap' });
  const { parent, mode } = nic;
  const { uid, gid } = userOf({ ...context, facts, nextFd });
  const common = { needsRoot: true, ...sudoOf(door) };
  const commands = macvtapCommands({
    name,
    alias,
    index,
    parent,
    mode,
    mac,
    ipv6: door.ipv6,
    reached: nic.hostAccess !== false,
  });
  return {
    link: { kind: 'link', id: `macvtap:${nic.id}`, ...common, name, alias, commands, parent, mac },
    node: {
      kind: 'tap-node',
      id: `macvtap-node:${nic.id}`,
      ...common,
      link: name,
      index,
      path: `/dev/tap${index}`,
      own: `/dev/${name}`,
      fds: Array.from({ length: nic.queues }, nextFd),
      owner: { uid, gid },
      ...(door.udev === true && door.rights === 'sudo' && { settle: true }),
    },
  };
}

function wayOf({ nic, door, at }: MacvtapContext, parent: HostLink, link: string): ReturnType<typeof planHostAccess> {
  const { hostAccess: wanted, id } = nic;
  const fact = door.ways[parent.name];
  if (wanted === false || fact === undefined) return { steps: [], notes: [] };
  const { steps, notes } = planHostAccess({
    at: `${at}.hostAccess`,
    id: `host-access:${id}`,
    ...{ parent, wanted, fact, ipv6: door.ipv6, links: [link] },
    ...sudoOf(door),
  });
  return { steps, notes: notes.map((note) => `${id}: ${note}`) };
}

/** Who has the card in mode passthru has it for himself alone; the kernel refuses others, of any mode. */
function takenNotes({ nic: { id, parent, mode }, door }: MacvtapContext, { alias }: LinkStep): string[] {
  const others = (door.uses?.[parent] ?? []).filter((use) => use.alias !== alias);
  const inTheWay = mode === 'passthru' ? others : others.filter(({ alone }) => alone);
  if (inTheWay.length === 0) return [];
  const { who, hint } = holdersInWords(inTheWay, alias);
  const why = mode === 'passthru' ? 'cannot be had alone' : 'cannot be shared';
  return [
    `${id}: ${parent} ${why}: ${who} is on it${mode === 'passthru' ? '' : ' in mode passthru'}, and a run is refused (${hint})`,
  ];
}

function notesOf({ id, parent, hostAccess, mode }: MacvtapNic, { ways }: LinkDoor): string[] {
  const apart = `${id}: this host and the guest cannot reach one another through ${parent}`;
  if (mode !== 'bridge') return [apart];
  const way = ways[parent];
  // what setup made leads to all of them, and a macvlan of the host's own is a way itself
  if (hostAccess !== false || way?.lasting !== undefined || way?.macvlan === true) return [];
  return [`${apart} (hostAccess: true makes a way)`];
}

function parentOf({ nic, at, door }: MacvtapContext): HostLink {
  const { parent } = nic;
  const found = door.links[parent];
  if (found === undefined) {
    throw new QrunError('host-failed', `${at}: there is no network card ${parent}`, {
      hint: 'ip -brief link show',
      causes: [`interfaces of this host: ${door.others.slice(0, 20).join(', ')}`],
    });
  }
  if (found.kind === 'wifi') {
    throw new QrunError(
      'host-failed',
      `${at}: ${parent} is Wi-Fi: an access point takes frames from the card's own MAC alone, and never the guest's`,
      {
        hint: 'kind: user or passt, or a cable',
      },
    );
  }
  if (found.kind === 'loopback') {
    throw new QrunError('host-failed', `${at}: ${parent} is the loopback, and no macvtap can stand on it`, {
      hint: 'kind: user',
    });
  }
  if (found.master !== undefined) {
    throw new QrunError('host-failed', `${at}: ${parent} is a port of ${found.master}, which takes all of its frames`, {
      hint: `in the profile: kind: bridge, bridge: ${found.master}`,
    });
  }
  // the kernel takes nothing up that stands on a card that is down
  if (found.up) return found;
  throw new QrunError('host-failed', `${at}: ${parent} is down`, { hint: `sudo ip link set dev ${parent} up` });
}
