/** What somebody meant who wrote an address of IPv6 as it is where parts are divided by colons. Pure. */
import { isIpv6Literal } from './address.ts';

/** Nobody means more than that. */
const longest = 100;

/** The text with the brackets that were left out, the first that `isOne` takes; undefined: that is not what is wrong with it. */
export function withBrackets(text: string, isOne: (text: string) => boolean): string | undefined {
  if (text.length > longest || text.includes('[')) return undefined;
  const parts = text.split(':');
  for (let from = 0; from < parts.length; from += 1) {
    for (let to = from + 3; to < parts.length; to += 1) {
      const address = parts.slice(from, to).join(':');
      if (!isIpv6Literal(address)) continue;
      const whole = [...parts.slice(0, from), `[${address}]`, ...parts.slice(to)].join(':');
      if (isOne(whole)) return whole;
    }
  }
  return undefined;
}
