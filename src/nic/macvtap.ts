/**
 * `kind: macvtap`: an address of the guest's own on a network card of the host's. QEMU gets the opened character device of the interface, whose MAC
 * must be the guest's: other frames do not pass. https://docs.kernel.org/networking/ (macvlan), https://virt.kernelnewbies.org/MacVTap
 */
import { QrunError } from '../errors.ts';
import type { HostLink } from '../host/host-link.ts';
import type { LinkDoor } from '../host/link-door.ts';
import { linkAliasOf, linkIndexOf, linkNameOf, type LinkOf } from '../link-name.ts';
import { halvesOf, hostAccessCommands, macvtapCommands } from '../plan/link-commands.ts';
import type { LinkStep, TapNodeStep } from '../plan/step.ts';
import type { MacvtapNic } from '../profile/profile.ts';
import { linkDoorOf, planVhost, requireRights, sudoOf, tellMtu, userOf } from './link-support.ts';
import type { NicContext, NicKind, NicPlan } from './nic-kind.ts';
import { indexOfNic, missingBackEnd } from './support.ts';

export const macvtapNic: NicKind<MacvtapNic> = { kind: 'macvtap', plan };

interface MacvtapContext extends NicContext {
  readonly nic: MacvtapNic;
  readonly at: string;
  readonly door: LinkDoor;
  readonly of: Omit<LinkOf, 'role'>;
}

function plan(nic: MacvtapNic, context: NicContext): NicPlan {
  const at = `nics[${indexOfNic(nic, context)}]`;
  const { facts, netdevId, profile } = context;
  if (!facts.qemu.netdevTypes.includes('tap')) throw missingBackEnd(at, 'tap', facts.qemu);
  const door = linkDoorOf(at, context);
  const of = { state: facts.places.state, vm: profile.name, nic: nic.id };
  const macvtap: MacvtapContext = { ...context, nic, at, door, of };
  const parent = parentOf(macvtap);
  requireRights(at, door, { what: `to make a macvtap on ${nic.parent}`, mend: `sudo qrun run ${profile.file}` });
  const { link, node } = stepsOf(macvtap);
  const shim = nic.hostAccess ? [hostStep(macvtap)] : [];
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
    steps: [link, node, ...shim],
    source: nic.parent,
    hostInterface: link.name,
    fds: fds.map((fd) => ({ fd, path })),
    device: mtu.device,
    notes: [...notesOf(nic), ...mtu.notes, ...vhost.notes],
  };
}

function stepsOf({ nic, of, door, facts, nextFd, ...context }: MacvtapContext): { link: LinkStep; node: TapNodeStep } {
  const mac = facts.macs[nic.id];
  if (mac === undefined) throw new Error(`no lease for ${nic.id}`);
  const role = { ...of, role: 'macvtap' } as const;
  const [name, index, alias] = [linkNameOf(role), linkIndexOf(role), linkAliasOf(of)];
  const { parent, mode } = nic;
  const { uid, gid } = userOf({ ...context, facts, nextFd });
  const common = { needsRoot: true, ...sudoOf(door) };
  const commands = macvtapCommands({ name, alias, index, parent, mode, mac, ipv6: door.ipv6 });
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
    },
  };
}

/** Each VM has one of its own, so that none has to count the others; the routes of the one that stays go on. */
function hostStep({ nic, of, door, at }: MacvtapContext): LinkStep {
  const { parent } = nic;
  const role = { ...of, role: 'host' } as const;
  const addresses = (door.addresses[parent] ?? []).filter((address) => halvesOf(address).length > 0);
  if (addresses.length === 0) {
    throw new QrunError('host-failed', `${at}.hostAccess: the host has no IPv4 address on ${parent}`, {
      hint: `sudo ip address add 192.0.2.1/24 dev ${parent}, with an address of that network`,
    });
  }
  if (door.strict.includes(parent)) {
    throw new QrunError(
      'host-failed',
      `${at}.hostAccess: ${parent} drops frames that would be answered another way (rp_filter 1)`,
      {
        hint: `sudo sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.${parent}.rp_filter=2`,
      },
    );
  }
  const [name, alias] = [linkNameOf(role), linkAliasOf(of)];
  // different for each: the kernel has no two routes that are the same but for the interface
  const metric = linkIndexOf(role);
  const commands = hostAccessCommands({ name, alias, parent, addresses, metric });
  return { kind: 'link', id: `host-access:${nic.id}`, needsRoot: true, name, alias, commands, parent, ...sudoOf(door) };
}

function notesOf({ id, parent, hostAccess, mode }: MacvtapNic): string[] {
  const apart = `${id}: this host and the guest cannot reach one another through ${parent}`;
  return [...(hostAccess ? [] : [mode === 'bridge' ? `${apart} (hostAccess: true makes a way)` : apart])];
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
