/**
 * `isIP`, `isIPv4` and `isIPv6` as node:net has them, in the bundle: to load node:net, with all of node:stream, for a look at an address takes 3 ms.
 * A test holds them equal.
 */

export function isIPv4(text: string): boolean {
  const octets = text.split('.');
  return octets.length === 4 && octets.every((octet) => /^(?:0|[1-9]\d{0,2})$/.test(octet) && Number(octet) <= 255);
}

export function isIPv6(text: string): boolean {
  const percent = text.indexOf('%');
  if (percent !== -1 && !/^[0-9A-Za-z.:-]+$/.test(text.slice(percent + 1))) return false;
  const [before = '', after, ...more] = (percent === -1 ? text : text.slice(0, percent)).split('::');
  if (more.length > 0) return false;
  const first = groupsOf(before, after === undefined);
  if (after === undefined) return first === 8;
  const last = groupsOf(after, true);
  return first !== undefined && last !== undefined && first + last <= 7;
}

/** How many groups of 16 bits; undefined when it is no such text. Only the last may be an IPv4 address, which is two. */
function groupsOf(text: string, mayEndInIpv4: boolean): number | undefined {
  if (text === '') return 0;
  const groups = text.split(':');
  const tail = groups.at(-1) ?? '';
  const dotted = mayEndInIpv4 && tail.includes('.');
  const hex = dotted ? groups.slice(0, -1) : groups;
  if ((dotted && !isIPv4(tail)) || !hex.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return undefined;
  return hex.length + (dotted ? 2 : 0);
}

export function isIP(text: string): 0 | 4 | 6 {
  if (isIPv4(text)) return 4;
  return isIPv6(text) ? 6 : 0;
}
