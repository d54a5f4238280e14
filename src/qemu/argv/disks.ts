/** The disks: an image with its chain, and the virtio device in front of it. */
import type { ArgvDisk, ArgvInput } from './input.ts';
import { imageArgs } from './blockdev.ts';
import { bootProperty, type BootIndexes } from './boot.ts';
import { diskId } from './device-ids.ts';
import { deviceArgs } from './device.ts';
import { hasPinnedPci, machineFamily, pciSlots, renderSlot } from './machine-family.ts';

export function diskArgs(input: ArgvInput, indexes: BootIndexes): string[] {
  return input.disks.flatMap((disk, index) => oneDisk(input, disk, { index, indexes }));
}

function oneDisk(
  input: ArgvInput,
  disk: ArgvDisk,
  { index, indexes }: { index: number; indexes: BootIndexes },
): string[] {
  const family = machineFamily(input.profile.machine);
  const { first, count } = pciSlots.disks;
  const id = diskId(index);
  const image = `${id}-image`;
  return [
    ...imageArgs({ name: image, image: disk, readOnly: disk.readOnly, backing: disk.backing ?? [] }),
    ...deviceArgs(
      {
        driver: family === 'microvm' ? 'virtio-blk-device' : 'virtio-blk-pci',
        id,
        drive: image,
        ...bootProperty(indexes, id),
        ...(hasPinnedPci(family) && index < count && { addr: renderSlot(first + index) }),
      },
      input.capabilities.version,
    ),
  ];
}
