/** By which interfaces this host leaves for everywhere else, and with which addresses. No program is started for it. */
import { networkInterfaces } from 'node:os';
import { textOf } from '../system/glance.ts';

export interface Uplink {
  readonly family: 4 | 6;
  readonly name: string;
}

/** Default routes, as the kernel has them. https://docs.kernel.org/filesystems/proc.html */
export const readUplinks = (file = '/proc/net/route', file6 = '/proc/net/ipv6_route'): Uplink[] => [
  ...parseDefaults(textOf(file)),
  ...parseDefaults6(textOf(file6)),
];

const isUp = 1;
/** RTF_REJECT: a route that says that there is none. */
const isNoWay = 0x0200;

/** Rows of `Iface Destination Gateway Flags RefCnt Use Metric Mask …`. */
export function parseDefaults(text: string): Uplink[] {
  const rows = text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
  return namesOf(
    4,
    rows.flatMap(([name = '', destination, , flags = '', , , metric, mask]) =>
      destination === '00000000' && mask === '00000000' && counts(flags) ? [{ name, metric: Number(metric) }] : [],
    ),
  );
}

/** Rows of `DESTINATION LENGTH SOURCE LENGTH NEXTHOP METRIC REFCNT USE FLAGS IFACE`, all in hex. */
export function parseDefaults6(text: string): Uplink[] {
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/));
  return namesOf(
    6,
    rows.flatMap(([destination = '', prefix, , , , metric = '', , , flags = '', name = '']) =>
      /^0{32}$/.test(destination) && prefix === '00' && counts(flags)
        ? [{ name, metric: Number.parseInt(metric, 16) }]
        : [],
    ),
  );
}

const counts = (flags: string): boolean =>
  (Number.parseInt(flags, 16) & isUp) !== 0 && (Number.parseInt(flags, 16) & isNoWay) === 0;

/** Each once, the one that is taken first. */
function namesOf(family: 4 | 6, rows: readonly { readonly name: string; readonly metric: number }[]): Uplink[] {
  const names = rows.toSorted((one, other) => one.metric - other.metric).map(({ name }) => name);
  return [...new Set(names)].map((name) => ({ family, name }));
}

/** An interface's first address by which others reach it; undefined: it has none of that family. */
export const addressOn = ({ family, name }: Uplink): string | undefined =>
  networkInterfaces()[name]?.find(
    (one) => one.family === `IPv${family}` && !one.internal && !/^fe[89ab]/i.test(one.address),
  )?.address;
