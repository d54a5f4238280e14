/**
 * Faults that take more than one key of a profile to see. They are looked for in what is written, so that they are found together with all others.
 */
import { defaultNicId, type NicEntry } from '../nic/schema/entry.ts';
import { parseMac } from '../names.ts';
import { parseSubnet, subnetsOverlap } from '../subnet.ts';
import { diskFaults, faultOfCdrom, isDevice } from './disk-field.ts';
import type { FieldContext } from './fields.ts';
import { forwardFaults, type PlacedForward } from './forward-faults.ts';
import { parseForward } from './forward.ts';
import { renderPath } from './words.ts';
import type { DocumentPath, PathFault } from './yaml-document.ts';

export interface ConsistencyOptions {
  readonly written: Readonly<Record<string, unknown>>;
  readonly entries: readonly NicEntry[];
  readonly context: FieldContext;
  /** The line of a value, for faults that name another one. */
  readonly lineOf: (path: DocumentPath) => number;
}

export function consistencyFaults(options: ConsistencyOptions): PathFault[] {
  const { written, entries, context, lineOf } = options;
  const cdrom = written['cdrom'];
  const cdromFault = typeof cdrom === 'string' ? faultOfCdrom(cdrom, context) : undefined;
  return [
    ...kernelFaults(written, context),
    ...diskFaults(written['disks'], context),
    ...(cdromFault === undefined ? [] : [{ path: ['cdrom'], at: 'value' as const, message: cdromFault }]),
    ...repeatedFaults(options),
    ...subnetFaults(options),
    ...forwardFaults(placedForwards(entries), lineOf),
  ];
}

function kernelFaults(written: Readonly<Record<string, unknown>>, context: FieldContext): PathFault[] {
  const stray = written['kernel'] === undefined ? ['initrd', 'append'].filter((key) => written[key] !== undefined) : [];
  const devices = ['kernel', 'initrd'].filter((key) => {
    const value = written[key];
    return typeof value === 'string' && isDevice(value, context);
  });
  return [
    ...stray.map((key): PathFault => ({
      path: [key],
      at: 'key',
      message: `${key} belongs to a kernel, and there is none`,
    })),
    ...devices.map((key): PathFault => ({ path: [key], at: 'value', message: 'this is a device and no file' })),
  ];
}

interface Mention {
  readonly value: string;
  readonly path: DocumentPath;
}

/** Ids, MACs and places in the boot order: each belongs to one NIC. */
function repeatedFaults(options: ConsistencyOptions): PathFault[] {
  const mentions = (key: string, valueOf: (entry: NicEntry, index: number) => string | undefined): Mention[] =>
    options.entries.flatMap((entry, index) => {
      const value = valueOf(entry, index);
      const path: DocumentPath = entry.written[key] === undefined ? ['nics', index] : ['nics', index, key];
      return value === undefined ? [] : [{ value, path }];
    });
  const ids = mentions('id', ({ written }, index) =>
    written['id'] === undefined ? defaultNicId(index) : textOf(written['id']),
  );
  const macs = mentions('mac', ({ written }) => macOf(written['mac']));
  const places = mentions('bootIndex', ({ written }) =>
    typeof written['bootIndex'] === 'number' ? String(written['bootIndex']) : undefined,
  );
  return [
    ...repeats(ids, 'the id', options),
    ...repeats(macs, 'the MAC', options),
    ...repeats(places, 'the bootIndex', options),
  ];
}

/** A guest with one network on two of its cards answers on one of them. Those that name none get one that is free. */
function subnetFaults({ entries, lineOf }: ConsistencyOptions): PathFault[] {
  const named = entries.flatMap(({ written: { kind, subnet: text } }, index) => {
    const subnet = kind === 'user' && typeof text === 'string' ? parseSubnet(text, 4) : undefined;
    return subnet === undefined ? [] : [{ subnet, path: ['nics', index, 'subnet'] satisfies DocumentPath }];
  });
  // a machine has room for fewer, and this is a look at each pair
  return named.slice(0, 64).flatMap(({ subnet, path }, position): PathFault[] => {
    const other = named.slice(0, position).find((before) => subnetsOverlap(before.subnet, subnet));
    if (other === undefined) return [];
    const place = `${other.subnet.cidr} of ${renderPath(other.path.slice(0, 2))} on line ${lineOf(other.path)}`;
    return [{ path, at: 'value', message: `${subnet.cidr} overlaps ${place}: each user NIC is a network of its own` }];
  });
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function macOf(value: unknown): string | undefined {
  const parsed = typeof value === 'string' ? parseMac(value) : undefined;
  return parsed !== undefined && 'mac' in parsed ? parsed.mac : undefined;
}

function repeats(mentions: readonly Mention[], what: string, { lineOf }: ConsistencyOptions): PathFault[] {
  const first = new Map<string, DocumentPath>();
  return mentions.flatMap(({ value, path }): PathFault[] => {
    const before = first.get(value);
    if (before === undefined) {
      first.set(value, path);
      return [];
    }
    const other = renderPath(before.slice(0, 2));
    return [{ path, at: 'value', message: `${what} ${value} is that of ${other} on line ${lineOf(before)} already` }];
  });
}

function placedForwards(entries: readonly NicEntry[]): PlacedForward[] {
  return entries.flatMap(({ written }, nic) => {
    const { forwards } = written;
    if (!Array.isArray(forwards)) return [];
    return forwards.flatMap((text: unknown, index) => {
      const forward = typeof text === 'string' ? parseForward(text) : undefined;
      if (forward === undefined || 'fault' in forward) return [];
      return [{ forward, path: ['nics', nic, 'forwards', index] }];
    });
  });
}
