/** `hostAccess`: the host's way to guests on macvtaps, by its own address or by one that is made for it. */
import * as z from 'zod/mini';
import { parseAddressOfWay } from './address-of-way.ts';
import { described, flag, map, parsedText } from './fields.ts';

/** @param whom who is reached */
export function hostAccessField(whom: string) {
  const own = map("An address of the way's own.", {
    address: parsedText(
      'The address, with the length of what is reached from it. /32 or /128: the network of the card.',
      parseAddressOfWay,
      { pattern: '^[0-9A-Fa-f:.]+/[0-9]{1,3}$', examples: ['10.0.5.9/32', '10.0.5.193/26'] },
    ),
  });
  return described(
    z.union([flag("true: with the host's own addresses."), own]),
    `true: the host itself can reach ${whom}, through an interface made for that. Or { address: 10.0.5.9/32 }: by that address.`,
  );
}
