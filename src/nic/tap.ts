/**
 * `kind: tap`: a tap of the host's. One that is there is used as it is, if QEMU's user may; one that is not is made, where that can be done, and
 * removed after the run. https://docs.kernel.org/networking/tuntap.html
 */
import { QrunError } from '../errors.ts';
import type { HostLink } from '../host/host-link.ts';
import type { LinkDoor } from '../host/link-door.ts';
import { linkAliasOf } from '../link-name.ts';
import { tapCommands } from '../plan/link-commands.ts';
import type { Step } from '../plan/step.ts';
import type { TapNic } from '../profile/profile.ts';
import {
  linkDoorOf,
  noteOfMac,
  planVhost,
  requireRights,
  requireTun,
  reservedName,
  sudoOf,
  tapNetdev,
  tellMtu,
  userOf,
} from './link-support.ts';
import type { NicContext, NicKind, NicPlan } from './nic-kind.ts';
import { indexOfNic, missingBackEnd } from './support.ts';

export const tapNic: NicKind<TapNic> = { kind: 'tap', plan };

interface TapContext extends NicContext {
  readonly nic: TapNic;
  readonly at: string;
  readonly door: LinkDoor;
  readonly name: string;
  readonly alias: string;
}

function plan(nic: TapNic, context: NicContext): NicPlan {
  const at = `nics[${indexOfNic(nic, context)}]`;
  const { facts, netdevId, profile } = context;
  if (!facts.qemu.netdevTypes.includes('tap')) throw missingBackEnd(at, 'tap', facts.qemu);
  const door = linkDoorOf(at, context);
  const owner = { state: facts.places.state, vm: profile.name, nic: nic.id, role: 'tap' } as const;
  const name = nic.device ?? reservedName(door, nic.id, 'tap');
  const tap: TapContext = { ...context, nic, at, door, name, alias: linkAliasOf(owner) };
  const bridge = nic.bridge === undefined ? undefined : bridgeOf(nic.bridge, tap);
  const there = door.links[name];
  // one of our own alias is this VM's, of a run that goes on or that was killed
  const made = there === undefined || there.alias === tap.alias;
  const part = made ? make(tap, bridge) : use(tap, there);
  requireTun(at, door, userOf(context).name);
  const vhost = planVhost(at, nic, door);
  const mtu = tellMtu(nic, bridge ?? (made ? { name, mtu: nic.mtu ?? 1500 } : there));
  return {
    netdev: tapNetdev(netdevId, { ifname: name, queues: nic.queues }, vhost),
    steps: part.steps,
    source: nic.bridge ?? (made ? name : (there.master ?? name)),
    hostInterface: name,
    device: mtu.device,
    notes: [...part.notes, ...mtu.notes, ...vhost.notes],
  };
}

interface Part {
  readonly steps: readonly Step[];
  readonly notes: readonly string[];
}

function use(tap: TapContext, there: HostLink): Part {
  const { nic, at, name } = tap;
  const { tap: flags } = there;
  if (flags === undefined || there.kind !== 'tap') throw noTap(tap, there);
  const mayUse = faultOfOwner(tap, flags);
  if (mayUse !== undefined) throw mayUse;
  const anew = `${byHand(tap, `sudo ip tuntap del dev ${name} mode tap`)}`;
  if (flags.multiQueue !== nic.queues > 1) {
    throw new QrunError(
      'host-failed',
      flags.multiQueue
        ? `${at}: ${name} was made for several queues, and QEMU takes it with queues: 2 or more alone`
        : `${at}: ${name} was made for one pair of queues, not for ${nic.queues}`,
      { hint: flags.multiQueue ? 'in the profile: queues: 2' : anew },
    );
  }
  if (nic.bridge !== undefined && there.master !== nic.bridge) {
    const now = there.master === undefined ? 'not on a bridge' : `a port of ${there.master}`;
    throw new QrunError('host-failed', `${at}: ${name} is ${now}, and not of ${nic.bridge}`, {
      hint: `sudo ip link set dev ${name} master ${nic.bridge}`,
    });
  }
  const taken = tap.door.taken?.[name];
  const anybody = flags.owner === undefined && flags.group === undefined;
  return {
    steps: [{ kind: 'tap-check', id: `tap:${nic.id}`, needsRoot: false, name }],
    notes: [
      ...(taken === undefined
        ? []
        : [`${nic.id}: ${name} is in use${taken === '' ? '' : ` by ${taken}`}: a run is refused as long as it is`]),
      ...(there.up ? [] : [`${nic.id}: ${name} is down: nothing passes until: sudo ip link set ${name} up`]),
      ...(anybody ? [`${nic.id}: ${name} has no owner: every user of this host can take it. ${anew}`] : []),
    ],
  };
}

function noTap({ at, name }: TapContext, { kind }: HostLink): QrunError {
  return new QrunError('host-failed', `${at}: ${name} is no tap${kind === 'other' ? '' : `, but ${wordOf[kind]}`}`, {
    hint:
      kind === 'bridge'
        ? `in the profile: bridge: ${name}`
        : kind === 'macvtap'
          ? 'kind: macvtap with parent: makes one of its own'
          : 'leave device out, or give it the name of a tap: ip tuntap show',
  });
}

const wordOf = {
  tap: 'a tap',
  tun: 'a tun: it carries IP alone, and a guest needs Ethernet',
  bridge: 'a bridge',
  macvtap: 'a macvtap',
  wifi: 'a Wi-Fi card',
  loopback: 'the loopback',
  other: 'something else',
} as const;

/** Where a tap has an owner and a group, the kernel wants both to fit. */
function faultOfOwner(tap: TapContext, flags: NonNullable<HostLink['tap']>): QrunError | undefined {
  const { at, name, door } = tap;
  const user = userOf(tap);
  const again = byHand(tap, `sudo ip tuntap del dev ${name} mode tap`);
  if (flags.owner !== undefined && flags.owner !== user.uid) {
    return new QrunError(
      'permission',
      `${at}: the tap ${name} belongs to another user (uid ${flags.owner}), and QEMU runs as ${user.name} (uid ${user.uid})`,
      { hint: again },
    );
  }
  if (flags.group === undefined || door.groups.includes(flags.group)) return undefined;
  return new QrunError(
    'permission',
    `${at}: the tap ${name} is for the group ${flags.group}, and ${user.name} is not in it`,
    {
      hint: `sudo usermod -aG "$(getent group ${flags.group} | cut -d: -f1)" ${user.name}   # and log in again`,
    },
  );
}

function make(tap: TapContext, bridge: HostLink | undefined): Part {
  const { nic, at, name, alias, door, facts } = tap;
  const mac = facts.macs[nic.id];
  if (mac === undefined) throw new Error(`no lease for ${nic.id}`);
  const named = nic.device !== undefined;
  requireRights(at, door, {
    what: named ? `there is no tap ${name}, and to make it` : `to make a tap on ${nic.bridge}`,
    mend: named
      ? byHand(tap)
      : `in the profile: kind: bridge, bridge: ${nic.bridge} (after: sudo qrun setup --bridge ${nic.bridge})`,
    ...(!named && { byHand: `${byHand({ ...tap, name: 'tap0' })}, and in the profile: device: tap0` }),
  });
  const mtu = bridge?.mtu ?? nic.mtu;
  const commands = tapCommands({
    name,
    alias,
    uid: userOf(tap).uid,
    mac,
    queues: nic.queues,
    ...(mtu !== undefined && { mtu }),
    ...(bridge !== undefined && { bridge: bridge.name }),
    ipv6: door.ipv6,
  });
  return {
    steps: [{ kind: 'link', id: `tap:${nic.id}`, needsRoot: true, name, alias, commands, ...sudoOf(door) }],
    notes: [
      ...(bridge === undefined ? [] : noteOfMac(nic.id, bridge)),
      ...(bridge === undefined
        ? [`${nic.id}: ${name} is on no bridge: the guest reaches the host alone, once ${name} has an address`]
        : bridge.up
          ? []
          : [`${nic.id}: ${bridge.name} is down: nothing passes until: sudo ip link set ${bridge.name} up`]),
    ],
  };
}

/** One command that makes the tap for QEMU's user, behind what must be done before. */
function byHand(tap: TapContext, ...before: readonly string[]): string {
  const { nic, name } = tap;
  const queues = nic.queues > 1 ? ' multi_queue' : '';
  const master = nic.bridge === undefined ? '' : ` master ${nic.bridge}`;
  return [
    ...before,
    `sudo ip tuntap add dev ${name} mode tap user ${userOf(tap).name}${queues} vnet_hdr`,
    `sudo ip link set dev ${name}${master} up`,
  ].join(' && ');
}

function bridgeOf(name: string, { at, door }: TapContext): HostLink {
  const found = door.links[name];
  if (found?.kind === 'bridge') return found;
  if (found?.master !== undefined) {
    throw new QrunError('host-failed', `${at}: ${name} is no bridge, but a port of ${found.master}`, {
      hint: `in the profile: bridge: ${found.master}`,
    });
  }
  throw new QrunError(
    'host-failed',
    `${at}: ${found === undefined ? `there is no bridge ${name}` : `${name} is no bridge`}`,
    {
      hint: found === undefined ? `sudo qrun setup --bridge ${name}` : `sudo qrun setup --bridge br0 --uplink ${name}`,
    },
  );
}
