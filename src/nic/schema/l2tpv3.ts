/** `kind: l2tpv3`: a tunnel to a router or another guest, over UDP. */
import * as z from 'zod/mini';
import { map, wholeNumber } from '../../profile/fields.ts';
import { hostPort, nicMap } from './common.ts';

const maxSession = 2 ** 32 - 1;

export function l2tpv3Schema() {
  return nicMap('l2tpv3', 'An L2TPv3 tunnel over UDP. Needs no rights.', {
    source: hostPort('The address and port of this end.', ['192.0.2.1:1701']),
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
