/**
 * What is booted from, by the `bootindex` of each device: the BIOS and UEFI both go by it, `-boot order=` only the BIOS. `boot.once` is a second
 * set of indexes, told over the monitor when the machine stands: the firmware has got the first set by then, and reads the second after the
 * guest's first reset (QEMU makes the list anew at each reset).
 * https://www.qemu.org/docs/master/system/bootindex.html
 */
import type { BootDevice } from '../../profile/profile.ts';
import { cdromId, diskId, nicDeviceId } from './device-ids.ts';
import type { ArgvInput } from './input.ts';

/** By device id; a device that is not in it is not booted from. */
export type BootIndexes = ReadonlyMap<string, number>;

/** The indexes that the machine starts with. */
export function bootIndexes(input: ArgvInput): BootIndexes {
  const { once } = input.profile.boot;
  const later = laterIndexes(input);
  if (once === undefined || later.size === 0) return later;
  const first = new Map(later);
  idsOf(input, once).forEach((id, position) => first.set(id, position + 1));
  return first;
}

/** The indexes after the first reset, of those devices alone whose index changes. -1: none. */
export function changedIndexes(input: ArgvInput): BootIndexes {
  const later = laterIndexes(input);
  const changed = new Map<string, number>();
  for (const [id, index] of bootIndexes(input)) {
    const then = later.get(id) ?? -1;
    if (then !== index) changed.set(id, then);
  }
  return changed;
}

export function bootProperty(indexes: BootIndexes, id: string): { readonly bootindex?: number } {
  const index = indexes.get(id);
  return index === undefined ? {} : { bootindex: index };
}

/** A kernel of the host's is booted whatever the devices say, and QEMU gives its loader an index of its own. */
function laterIndexes(input: ArgvInput): Map<string, number> {
  const indexes = new Map<string, number>();
  if (input.profile.kernel !== undefined) return indexes;
  const { order, once } = input.profile.boot;
  for (const { nic } of input.nics) if (nic.bootIndex !== undefined) indexes.set(nicDeviceId(nic.id), nic.bootIndex);
  const taken = new Set(indexes.values());
  // below these lie the places of what is booted once
  let next = 1 + (once === undefined ? 0 : idsOf(input, once).length);
  for (const id of order.flatMap((device) => idsOf(input, device))) {
    if (indexes.has(id)) continue;
    while (taken.has(next)) next += 1;
    indexes.set(id, next);
    next += 1;
  }
  return indexes;
}

function idsOf(input: ArgvInput, device: BootDevice): string[] {
  if (device === 'disk') return input.disks.map((_, index) => diskId(index));
  if (device === 'cdrom') return input.profile.cdrom === undefined ? [] : [cdromId];
  return input.nics.map(({ nic }) => nicDeviceId(nic.id));
}
