/** The CD-ROM: on the IDE or AHCI bus that a PC has, else on a SCSI bus of its own. */
import type { ArgvInput } from './input.ts';
import { imageArgs } from './blockdev.ts';
import { bootProperty, type BootIndexes } from './boot.ts';
import { cdromId } from './device-ids.ts';
import { deviceArgs } from './device.ts';
import { machineFamily, pciSlots, renderSlot, type MachineFamily } from './machine-family.ts';

const image = 'cdrom0-image';

export function cdromArgs({ profile, capabilities }: ArgvInput, indexes: BootIndexes): string[] {
  if (profile.cdrom === undefined) return [];
  const { version } = capabilities;
  const family = machineFamily(profile.machine);
  const common = { id: cdromId, drive: image, ...bootProperty(indexes, cdromId) };
  const file = { file: profile.cdrom, format: 'raw' } as const;
  const nodes = imageArgs({ name: image, image: file, readOnly: true, backing: [] });
  if (family === 'q35' || family === 'pc') {
    return [...nodes, ...deviceArgs({ driver: 'ide-cd', bus: 'ide.1', ...common }, version)];
  }
  return [
    ...nodes,
    ...deviceArgs(scsiController(family), version),
    ...deviceArgs({ driver: 'scsi-cd', bus: 'scsi0.0', ...common }, version),
  ];
}

function scsiController(family: MachineFamily): { driver: string; id: string; addr?: string } & Record<string, string> {
  if (family === 'microvm') return { driver: 'virtio-scsi-device', id: 'scsi0' };
  return { driver: 'virtio-scsi-pci', id: 'scsi0', ...(family === 'virt' && { addr: renderSlot(pciSlots.scsi) }) };
}
