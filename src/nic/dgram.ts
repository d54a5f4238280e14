/** `kind: dgram`: a cable to one other guest without a connection, over UDP or unix datagrams: either end may come and go. */
import { isIPv6 } from 'node:net';
import { QrunError } from '../errors.ts';
import type { DgramNic, Endpoint } from '../profile/profile.ts';
import {
  aimSteps,
  bindStep,
  clearText,
  isOnThisHost,
  isSameEndpoint,
  renderEndpoint,
  socketAddress,
} from './endpoint.ts';
import type { NicContext, NicKind, NicPlan } from './nic-kind.ts';
import { indexOfNic, missingBackEnd } from './support.ts';

export const dgramNic: NicKind<DgramNic> = { kind: 'dgram', plan };

function plan(nic: DgramNic, context: NicContext): NicPlan {
  const { facts, netdevId: id } = context;
  const at = `nics[${indexOfNic(nic, context)}]`;
  if (!facts.qemu.netdevTypes.includes('dgram')) throw missingBackEnd(at, 'dgram', facts.qemu);
  const { local, remote } = nic;
  refuseIpv6(`${at}.local`, local);
  refuseIpv6(`${at}.remote`, remote);
  if (isSameEndpoint(local, remote))
    throw new QrunError('invalid-profile', `${at}.remote: both ends are ${renderEndpoint(local)}`);
  return {
    netdev: { type: 'dgram', id, local: socketAddress(local), remote: socketAddress(remote) },
    steps: [
      bindStep('udp', { nic: nic.id, key: 'local', end: local, facts }),
      ...aimSteps({ nic: nic.id, key: 'remote', end: remote, facts }),
    ],
    source: `${renderEndpoint(local)} to ${renderEndpoint(remote)}`,
    notes: notesOf(nic),
  };
}

function refuseIpv6(at: string, end: Endpoint): void {
  if ('path' in end || !isIPv6(end.host)) return;
  throw new QrunError('missing-feature', `${at}: QEMU's dgram is IPv4 alone: ${end.host}`, {
    hint: 'an IPv4 address, or kind: l2tpv3 or stream, which take IPv6',
  });
}

/** QEMU does not look who a datagram is from. */
function notesOf({ id, local, remote }: DgramNic): string[] {
  if (!isOnThisHost(remote)) return [clearText(id, remote)];
  if ('path' in local) return [];
  const who = isOnThisHost(local) ? 'every user of this host' : 'whoever reaches this host';
  return [`${id}: ${who} can send frames to ${renderEndpoint(local)}; unix paths keep others out`];
}
