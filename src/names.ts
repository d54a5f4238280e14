/**
 * Names that are checked once, at the door, and carried as branded strings from then on.
 */
import { QrunError } from './errors.ts';

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** Six octets, lower case, colons: `52:54:00:12:ab:cd`. Unicast and not zero. */
export type Mac = Brand<string, 'Mac'>;
/** A name of a network interface as the kernel takes it: 1 to 15 bytes, no `/`, no `%`, no blank. */
export type IfName = Brand<string, 'IfName'>;
/** `[A-Za-z0-9][A-Za-z0-9_.-]{0,39}` */
export type VmName = Brand<string, 'VmName'>;

const vmNamePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/;

export function isVmName(text: string): text is VmName {
  return vmNamePattern.test(text);
}

/** @throws QrunError `invalid-name` */
export const parseVmName = (text: string): VmName => parseName(text, 'VM');

/** Names of networks have the same form. @throws QrunError `invalid-name` */
export const parseNetworkName = (text: string): VmName => parseName(text, 'network');

function parseName(text: string, what: string): VmName {
  if (isVmName(text)) return text;
  throw new QrunError('invalid-name', `invalid ${what} name ${JSON.stringify(text.slice(0, 60))}`, {
    hint: 'a name is 1 to 40 letters, digits, "_", "." or "-", and begins with a letter or digit',
  });
}

/** Reads `52-54-00-AA-BB-CC`, `5254.00aa.bbcc` is not taken: colons or dashes only. Returns why not, or the MAC. */
export function parseMac(text: string): { readonly mac: Mac } | { readonly fault: string } {
  const match =
    /^([0-9a-f]{2})[:-]([0-9a-f]{2})[:-]([0-9a-f]{2})[:-]([0-9a-f]{2})[:-]([0-9a-f]{2})[:-]([0-9a-f]{2})$/i.exec(text);
  if (match === null)
    return { fault: 'not a MAC address: six pairs of hex digits with colons, such as 52:54:00:12:ab:cd' };
  const mac = match.slice(1, 7).join(':').toLowerCase();
  if (mac === '00:00:00:00:00:00') return { fault: 'the zero address is no address of a NIC' };
  if (mac === 'ff:ff:ff:ff:ff:ff') return { fault: 'the broadcast address is no address of a NIC' };
  if ((Number.parseInt(mac.slice(0, 2), 16) & 1) === 1)
    return { fault: 'a multicast address is no address of a NIC (the first octet must be even)' };
  return { mac: mac as Mac };
}

/** Returns why the kernel, or we, would not take that name; undefined if it is fine. */
export function faultOfIfName(text: string): string | undefined {
  if (text === '' || Buffer.byteLength(text) > 15) return 'an interface name has 1 to 15 bytes';
  if (text === '.' || text === '..') return `${text} is no interface name`;
  // oxlint-disable-next-line no-control-regex -- the kernel refuses blanks; control characters have no place in a name either
  if (/[\s/%:\u0000-\u001f\u007f]/.test(text)) return 'an interface name has no "/", "%", ":" and no blanks';
  return undefined;
}
