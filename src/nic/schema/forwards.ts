/**
 * `forwards` of the kinds that have them.
 */
import * as z from 'zod/mini';
import type { Parsed } from '../../profile/address.ts';
import { described, parsedText } from '../../profile/fields.ts';
import { forwardPattern, isGuestLiteral, parseForward } from '../../profile/forward.ts';
import type { Forward } from '../../profile/profile.ts';

const maxForwards = 1024;

export function forwardList(parse: (text: string) => Parsed<Forward> = parseGuestForward) {
  const one = parsedText(
    '[HOSTADDR:]HOSTPORT:[GUEST:]GUESTPORT[/tcp|/udp]. Without HOSTADDR only this host reaches it (127.0.0.1); HOSTPORT auto is a free port.',
    parse,
    {
      pattern: forwardPattern,
      examples: ['8080:80', '127.0.0.1:10022:22', 'auto:22', '5353:53/udp', '0.0.0.0:8080:80'],
    },
  );
  return z._default(
    described(z.array(one).check(z.maxLength(maxForwards)), 'Ports of the host that lead to ports of the guest.'),
    () => [],
  );
}

function parseGuestForward(text: string): Parsed<Forward> {
  const forward = parseForward(text);
  if ('fault' in forward) return forward;
  if (isGuestLiteral(forward)) return { value: forward };
  return {
    fault: `${JSON.stringify(forward.guest)} is no address: a forward of this kind leads to the guest itself or to an address`,
  };
}

/** passt has one guest, whose addresses are the host's. */
export function parseOwnForward(text: string): Parsed<Forward> {
  const forward = parseForward(text);
  if ('fault' in forward) return forward;
  if (forward.guest === undefined) return { value: forward };
  return {
    fault: `${JSON.stringify(forward.guest)}: passt forwards to the guest itself: write HOSTPORT:GUESTPORT, or HOSTADDR:HOSTPORT:GUESTPORT`,
  };
}
