/** What taps and macvtaps have in common: vhost, the MTU, the rights to make them. Pure. */
import { QrunError } from '../errors.ts';
import type { LinkDoor } from '../host/link-door.ts';
import { linkNameOf, type LinkName } from '../link-name.ts';
import type { IfName } from '../names.ts';
import type { Nic } from '../profile/profile.ts';
import { shellWord } from '../shell-word.ts';
import type { NicContext, NicPlan } from './nic-kind.ts';

export function linkDoorOf(at: string, { facts: { linkDoor } }: NicContext): LinkDoor {
  if (linkDoor === undefined) throw new Error(`nobody looked at the interface of ${at}`);
  if (linkDoor.others.length > 0) return linkDoor;
  throw new QrunError('host-failed', `${at}: /sys here is that of another network: no interface can be looked at`, {
    hint: 'mount -t sysfs sysfs /sys (unshare --net --mount)',
  });
}

/** The name that was reserved for the next run. */
export const reservedName = (door: LinkDoor, nic: string, role: LinkName['role']): IfName =>
  linkNameOf(reserved(door, nic, role));

export function reserved({ seed }: LinkDoor, nic: string, role: LinkName['role']): LinkName {
  if (seed === undefined) throw new Error(`no name was reserved for ${nic}`);
  return { seed, nic, role };
}

/** Whom QEMU runs as. */
export const userOf = ({ facts: { runAs, user } }: NicContext): { uid: number; gid: number; name: string } =>
  runAs ?? user;

const isVirtio = (model: string): boolean => model.startsWith('virtio-net-');

export interface Vhost {
  readonly netdev: { readonly vhost?: true };
  readonly notes: readonly string[];
}

/** An older QEMU ends with an assertion when vhost is on and its device is not there: so it is never left to QEMU. */
export function planVhost(at: string, { id, model, vhost: wanted }: Nic, { vhost }: LinkDoor): Vhost {
  const none = (...notes: string[]): Vhost => ({ netdev: {}, notes });
  if (wanted === 'off') return none();
  if (!isVirtio(model)) {
    if (wanted === 'auto') return none();
    throw new QrunError('invalid-profile', `${at}.vhost: a ${model} has no vhost`, { hint: 'model: virtio' });
  }
  if (vhost.state === 'ok') return { netdev: { vhost: true }, notes: [] };
  const { why, mend } = vhostFault(vhost);
  if (wanted === 'auto') return none(`${id}: without vhost, frames go through QEMU itself: ${why} (${mend})`);
  throw new QrunError(vhost.state === 'absent' ? 'missing-feature' : 'permission', `${at}.vhost: ${why}`, {
    hint: mend,
  });
}

function vhostFault({ state, blocked }: LinkDoor['vhost']): { why: string; mend: string } {
  if (state === 'absent') return { why: 'there is no /dev/vhost-net', mend: 'sudo modprobe vhost_net' };
  const group = blocked?.group;
  return {
    why: `QEMU's user may not open /dev/vhost-net${group === undefined ? '' : ` (the group ${group} may)`}`,
    mend:
      group === undefined ? 'sudo chmod 0666 /dev/vhost-net' : `sudo usermod -aG ${group} "$USER"   # and log in again`,
  };
}

/** QEMU's end of a tap that it finds by its name. Scripts are never QEMU's: hooks are the profile's. */
export const tapNetdev = (
  id: string,
  { ifname, queues }: { readonly ifname: string; readonly queues: number },
  vhost: Vhost,
): NicPlan['netdev'] => ({
  type: 'tap',
  id,
  ifname,
  script: 'no',
  downscript: 'no',
  ...(queues > 1 && { queues }),
  ...vhost.netdev,
});

const standardMtu = 1500;
const mostMtu = 65_535;

/** A guest that is not told sends what does not fit, or never sends as much as it may. */
export function tellMtu(
  { id, model, mtu }: Nic,
  host: { readonly name: string; readonly mtu: number },
): {
  readonly device: NonNullable<NicPlan['device']>;
  readonly notes: readonly string[];
} {
  if (mtu !== undefined) {
    const tooMuch = `${id}: ${host.name} has an MTU of ${host.mtu}: of the ${mtu} that the guest is told, what is larger than that is lost`;
    return { device: {}, notes: mtu > host.mtu ? [tooMuch] : [] };
  }
  if (host.mtu === standardMtu) return { device: {}, notes: [] };
  if (isVirtio(model)) return { device: { host_mtu: Math.min(host.mtu, mostMtu) }, notes: [] };
  return {
    device: {},
    notes: [`${id}: ${host.name} has an MTU of ${host.mtu}, which a ${model} does not tell the guest: set it there`],
  };
}

/** A host that guests know by a MAC that changes is lost to them for a moment, each time. */
export const noteOfMac = (
  nic: string,
  { name, lackingMac }: { readonly name: string; readonly lackingMac?: string },
): string[] =>
  lackingMac === undefined
    ? []
    : [
        `${nic}: ${name} has no MAC of its own, and takes that of its guests' taps: it changes as they come and go (for good: sudo ip link set dev ${shellWord(name)} address ${lackingMac})`,
      ];

/** @throws QrunError `permission` when nobody here can make interfaces: with the one command that helps */
export function requireRights(
  at: string,
  { rights }: LinkDoor,
  words: { what: string; mend: string; byHand?: string },
): void {
  if (rights === 'own' || rights === 'sudo') return;
  if (rights === 'contained') {
    throw new QrunError('permission', `${at}: ${words.what} takes CAP_NET_ADMIN, and root has not got it here`, {
      hint: 'docker run --cap-add NET_ADMIN --device /dev/net/tun …, or kind: user',
    });
  }
  throw new QrunError('permission', `${at}: ${words.what} takes root`, {
    hint: words.mend,
    causes: [
      ...(words.byHand === undefined ? [] : [`by hand: ${words.byHand}`]),
      'or let qrun use sudo for it: sudo: noninteractive in ~/.config/qrun/config.yaml',
    ],
  });
}

export const sudoOf = ({ rights, sudo }: LinkDoor): { sudo?: 'ask' | 'noninteractive' } =>
  rights === 'sudo' && sudo !== undefined ? { sudo } : {};

/** @throws QrunError when QEMU's user cannot open /dev/net/tun */
export function requireTun(at: string, { tun }: LinkDoor, user: string): void {
  switch (tun.state) {
    case 'ok':
      return;
    case 'absent':
    case 'no-driver':
      throw new QrunError('host-failed', `${at}: there is no /dev/net/tun`, {
        hint: 'sudo modprobe tun   # in a container: start it with --device /dev/net/tun',
      });
    case 'refused':
      throw new QrunError('permission', `${at}: the kernel does not let /dev/net/tun be opened here`, {
        hint: 'in a container: start it with --device /dev/net/tun',
      });
    case 'blocked': {
      const group = tun.blocked?.group;
      throw new QrunError('permission', `${at}: ${user} may not open /dev/net/tun`, {
        hint:
          group === undefined
            ? 'sudo chmod 0666 /dev/net/tun'
            : `sudo usermod -aG ${group} ${user}   # and log in again`,
      });
    }
  }
}
