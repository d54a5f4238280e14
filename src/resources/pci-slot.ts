/** The PCI slot of each NIC: a guest names its interfaces by it, so it belongs to the NIC's id and stays when other NICs come and go. */
import { QrunError } from '../errors.ts';

/** Below are QEMU's own devices and qrun's disks; 0x1f is the chipset's on q35. */
const firstSlot = 0x10;
const lastSlot = 0x1e;

/**
 * A slot for each of `ids`: the one it has, else the first that nobody ever had. When all were given out, those of NICs that are no longer in the
 * profile are given on. @throws QrunError `missing-feature` for more NICs than slots
 */
export function planSlots(ids: readonly string[], held: ReadonlyMap<string, number>): Map<string, number> {
  const slots = new Map<string, number>();
  const used = new Set<number>();
  const give = (id: string, slot: number): void => {
    slots.set(id, slot);
    used.add(slot);
  };
  for (const id of ids) {
    const slot = held.get(id);
    if (slot !== undefined && !used.has(slot)) give(id, slot);
  }
  const everHeld = new Set(held.values());
  for (const id of ids) {
    if (slots.has(id)) continue;
    const slot = firstFree((one) => used.has(one) || everHeld.has(one)) ?? firstFree((one) => used.has(one));
    if (slot === undefined) throw tooMany(ids.length);
    give(id, slot);
  }
  return slots;
}

function firstFree(isTaken: (slot: number) => boolean): number | undefined {
  for (let slot = firstSlot; slot <= lastSlot; slot++) if (!isTaken(slot)) return slot;
  return undefined;
}

function tooMany(count: number): QrunError {
  return new QrunError('missing-feature', `${count} NICs: a VM has room for ${lastSlot - firstSlot + 1}`, {
    hint: 'take some out of nics',
  });
}
