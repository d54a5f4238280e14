/** `kind: l2tpv3`: a tunnel to a router or another guest, over UDP. */
import * as z from 'zod/mini';
import { map, wholeNumber } from '../../profile/fields.ts';
import { isIpLiteral, isIpv6Literal, parseHostPort } from '../../profile/address.ts';
import { hostPort, listeningHostPort, nicMap, type NicRule } from './common.ts';

const maxSession = 2 ** 32 - 1;

export function l2tpv3Schema() {
  return nicMap('l2tpv3', 'An L2TPv3 tunnel over UDP. Needs no rights.', {
    source: listeningHostPort('The address and port of this end.', ['192.0.2.1:1701']),
    destination: hostPort('The address and port of the other end.', ['192.0.2.2:1701']),
    sessions: map('Session numbers.', {
      tx: wholeNumber('What this end sends with.', 1, maxSession),
      rx: wholeNumber('What this end expects.', 1, maxSession),
    }),
    cookies: z.exactOptional(
      map('Cookies.', {
        tx: wholeNumber('What this end sends with.', 0, Number.MAX_SAFE_INTEGER),
        rx: wholeNumber('What this end expects.', 0, Number.MAX_SAFE_INTEGER),
      }),
    ),
  });
}

export const l2tpv3Rule: NicRule = ({ source, destination }) => {
  if (typeof source !== 'string' || typeof destination !== 'string') return [];
  if (source === destination) return [{ key: 'destination', message: 'both ends are the same' }];
  const [from, to] = [source, destination].map((text) => parseHostPort(text));
  if (from === undefined || to === undefined || 'fault' in from || 'fault' in to) return [];
  const hosts = [from.value.host, to.value.host];
  if (!hosts.every((host) => isIpLiteral(host)) || new Set(hosts.map(isIpv6Literal)).size === 1) return [];
  return [{ key: 'destination', message: 'one end is IPv4 and the other IPv6' }];
};
