/** The address that the host has on its way to macvtaps. */
import { parseInterfaceAddress } from '../subnet.ts';
import type { Parsed } from './address.ts';
import { truncated } from './words.ts';

/** What a host can have as its address. */
export function parseAddressOfWay(written: string): Parsed<string> {
  const parsed = parseInterfaceAddress(written);
  if (parsed === undefined) return { fault: `${truncated(written)} is no address with a prefix, such as 10.0.5.9/32` };
  const { address, subnet } = parsed;
  const bits = subnet.family === 4 ? 32 : 128;
  if (subnet.prefix < 8) return { fault: `${written}: a network of a card has a prefix of 8 or more` };
  const special = subnet.family === 4 ? /^(0|127|22[4-9]|23\d|24\d|25\d)\./ : /^(fe[89ab]|ff|::1\/|::\/)/i;
  if (special.test(written)) return { fault: `${written} is no address that a host has on a card` };
  if (subnet.prefix < bits - 1 && address.value === subnet.first)
    return { fault: `${written} is the network itself: write the address that the host is to have in it` };
  if (subnet.family === 4 && subnet.prefix < 31 && address.value === subnet.last)
    return { fault: `${written} is the broadcast address of ${subnet.cidr}` };
  return { value: written };
}
