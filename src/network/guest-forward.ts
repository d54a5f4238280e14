/** A forward into a network: the guest is always said. */
import type { Parsed } from '../profile/address.ts';
import { parseForward } from '../profile/forward.ts';
import type { Forward } from '../profile/profile.ts';
import { truncated } from '../profile/words.ts';

export type GuestForward = Forward & { readonly guest: string };

/** `[HOSTADDR:]HOSTPORT:GUEST:GUESTPORT[/tcp|/udp]`. Of three parts the first is a port here, unlike in a profile: `8080:web1:80`. */
export function parseGuestForward(written: string): Parsed<GuestForward> {
  const short = /^(auto|[0-9]+):(\[[^\]]*\]|[^:]+):[^:]+$/.test(written);
  const forward = parseForward(short ? `127.0.0.1:${written}` : written, { users: true });
  if ('fault' in forward) return forward;
  const { guest } = forward;
  if (guest !== undefined) return { value: { ...forward, guest } };
  return { fault: `${truncated(written)} says no guest: [HOSTADDR:]HOSTPORT:GUEST:GUESTPORT, such as 8080:web1:80` };
}
