/**
 * `kind: mcast`: one segment of all guests whose QEMUs are in one multicast group. No rights needed. Frames travel as UDP datagrams, so where the
 * group is joined decides who can read them: always on an address that is said, or the kernel's routes would choose the LAN.
 * https://www.qemu.org/docs/master/system/invocation.html (-netdev socket,mcast)
 */
import { isIPv4 } from 'node:net';
import { QrunError } from '../errors.ts';
import type { HostFacts } from '../host/facts.ts';
import type { McastNic } from '../profile/profile.ts';
import type { Netdev, NicContext, NicKind, NicPlan } from './nic-kind.ts';
import { indexOfNic, missingBackEnd } from './support.ts';

export const mcastNic: NicKind<McastNic> = { kind: 'mcast', plan };

function plan(nic: McastNic, context: NicContext): NicPlan {
  const at = `nics[${indexOfNic(nic, context)}]`;
  const { address, port } = nic.group;
  if (!isIPv4(address))
    throw new QrunError('missing-feature', `${at}.group: QEMU's multicast is IPv4 alone`, {
      hint: 'an IPv4 group, such as 239.0.0.1:12345',
    });
  const local = localOf(nic, at, context.facts);
  const group = `${address}:${port}`;
  return {
    netdev: netdevOf(nic, local.address, { at, context }),
    steps: [{ kind: 'group', id: `group:${nic.id}`, needsRoot: false, address, port, interface: local.address }],
    source: local.name === undefined ? group : `${group} on ${local.name}`,
    notes: [`${nic.id}: ${exposure(group, local)}`],
  };
}

interface Local {
  readonly address: string;
  /** As the profile wrote it; undefined: loopback by default. */
  readonly name?: string;
}

function localOf({ interface: written }: McastNic, at: string, { links }: HostFacts): Local {
  if (written === undefined) return { address: '127.0.0.1' };
  if (isIPv4(written)) return { address: written, name: written };
  const link = links.find(({ name }) => name === written);
  if (link === undefined)
    throw new QrunError('host-failed', `${at}.interface: there is no interface ${written}`, { hint: 'ip -br address' });
  if (!link.up)
    throw new QrunError('host-failed', `${at}.interface: ${written} is down`, {
      hint: `sudo ip link set ${written} up`,
    });
  const address = link.addresses.find((one) => isIPv4(one));
  if (address !== undefined) return { address, name: written };
  throw new QrunError('host-failed', `${at}.interface: ${written} has no IPv4 address`, {
    hint: `ip address show dev ${written}`,
  });
}

/** `socket` is what every QEMU has; one that is built without it may have `dgram`, with the same frames on the wire. */
function netdevOf(
  { group: { address, port } }: McastNic,
  local: string,
  { at, context }: { readonly at: string; readonly context: NicContext },
): Netdev {
  const { facts, netdevId: id } = context;
  const { netdevTypes } = facts.qemu;
  if (netdevTypes.includes('socket')) return { type: 'socket', id, mcast: `${address}:${port}`, localaddr: local };
  if (!netdevTypes.includes('dgram')) throw missingBackEnd(at, 'socket', facts.qemu);
  return {
    type: 'dgram',
    id,
    remote: { type: 'inet', host: address, port: String(port) },
    local: { type: 'inet', host: local, port: String(port) },
  };
}

function exposure(group: string, { address, name }: Local): string {
  if (address.startsWith('127.')) return `every user of this host can read the frames of ${group} and send some`;
  const on = name === undefined || name === address ? address : `${name} (${address})`;
  return `frames leave this host in clear through ${on}: whoever is on that network can read those of ${group} and send some`;
}
