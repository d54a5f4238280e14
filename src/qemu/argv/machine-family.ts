/** What matters of a machine type: which buses it has, and where things sit on them. */
export type MachineFamily = 'q35' | 'pc' | 'virt' | 'microvm' | 'other';

export function machineFamily(machine: string): MachineFamily {
  if (machine === 'q35' || machine.startsWith('pc-q35-')) return 'q35';
  if (machine === 'pc' || machine.startsWith('pc-i440fx-')) return 'pc';
  if (machine === 'virt' || machine.startsWith('virt-')) return 'virt';
  return machine === 'microvm' ? 'microvm' : 'other';
}

/** Machines whose PCI slots are pinned: on those the layout of the root bus is known. */
export function hasPinnedPci(family: MachineFamily): boolean {
  return family === 'q35' || family === 'pc' || family === 'virt';
}

/**
 * The root bus: 0 and 1 are the machine's own, 0x1f is q35's. What has no address of its own (a profile's `args`) takes what is left free, so
 * it moves nothing. Disks past the last slot are placed by QEMU.
 */
export const pciSlots = {
  vga: 0x2,
  usb: 0x3,
  disks: { first: 0x4, count: 11 },
  scsi: 0xf,
  nics: { first: 0x10, count: 15 },
} as const;

export function renderSlot(slot: number): string {
  return `0x${slot.toString(16)}`;
}
