/**
 * `kind: l2tpv3`: a tunnel over UDP to a router or to another guest, without rights and without the kernel's help (RFC 3931). Cookies are what keeps
 * others' frames out; nothing is encrypted.
 */
import { isIPv6 } from 'node:net';
import { QrunError } from '../errors.ts';
import type { L2tpv3Nic } from '../profile/profile.ts';
import { bindStep, clearText, isOnThisHost, isSameEndpoint, renderEndpoint } from './endpoint.ts';
import type { NicContext, NicKind, NicPlan, OptionValue } from './nic-kind.ts';
import { indexOfNic, missingBackEnd } from './support.ts';

export const l2tpv3Nic: NicKind<L2tpv3Nic> = { kind: 'l2tpv3', plan };

const max32 = 2 ** 32 - 1;

function plan(nic: L2tpv3Nic, context: NicContext): NicPlan {
  const { facts, netdevId: id } = context;
  const at = `nics[${indexOfNic(nic, context)}]`;
  if (!facts.qemu.netdevTypes.includes('l2tpv3')) throw missingBackEnd(at, 'l2tpv3', facts.qemu);
  const { source, destination, sessions } = nic;
  if (isSameEndpoint(source, destination))
    throw new QrunError('invalid-profile', `${at}.destination: both ends are ${renderEndpoint(source)}`);
  return {
    netdev: {
      type: 'l2tpv3',
      id,
      src: source.host,
      dst: destination.host,
      udp: true,
      srcport: String(source.port),
      dstport: String(destination.port),
      ...(isIPv6(source.host) && { ipv6: true }),
      txsession: sessions.tx,
      rxsession: sessions.rx,
      ...cookiesOf(nic),
    },
    steps: [bindStep('udp', { nic: nic.id, key: 'source', end: source, facts })],
    source: `${renderEndpoint(source)} to ${renderEndpoint(destination)}`,
    notes: notesOf(nic),
  };
}

/** Both ends must agree on the width, and both know both cookies: the larger one decides. */
function cookiesOf({ cookies }: L2tpv3Nic): Readonly<Record<string, OptionValue>> {
  if (cookies === undefined) return {};
  const { tx, rx } = cookies;
  return { ...(Math.max(tx, rx) > max32 && { cookie64: true }), txcookie: tx, rxcookie: rx };
}

/** QEMU does not look where a datagram is from: the session and the cookie are all that it checks. */
function notesOf({ id, source, destination, cookies }: L2tpv3Nic): string[] {
  const who = isOnThisHost(source) ? 'every user of this host' : `whoever reaches ${renderEndpoint(source)}`;
  return [
    ...(isOnThisHost(destination) ? [] : [clearText(id, destination)]),
    ...(cookies === undefined ? [`${id}: without cookies, ${who} can send frames into the tunnel`] : []),
  ];
}
