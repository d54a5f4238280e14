/** What a card must have before a part of it can be a guest's. Pure. */
import { QrunError } from '../errors.ts';
import type { PciDevice } from '../host/pci.ts';
import type { PciPart } from '../host/pci-door.ts';

/** @throws QrunError `missing-feature` */
export function requireIommu(at: string, { iommu }: Pick<PciPart, 'iommu'>): void {
  if (iommu) return;
  throw new QrunError(
    'missing-feature',
    `${at}: this host has no IOMMU that is on: a card cannot be given to a guest`,
    {
      hint: 'switch it on in the firmware (VT-d, AMD-Vi), on Intel also by intel_iommu=on on the kernel command line, and start the host anew',
    },
  );
}

/** @returns the card, with its virtual functions. @throws QrunError `missing-feature` for one without SR-IOV, `host-failed` when none has been made */
export function requireVfs(
  at: string,
  parent: string,
  { devices, parents }: Pick<PciPart, 'devices' | 'parents'>,
): PciDevice {
  const device = devices[parents[parent] ?? ''];
  if (device?.totalVfs === undefined) {
    throw new QrunError('missing-feature', `${at}: ${parent} has no virtual functions (SR-IOV)`, {
      hint: device === undefined ? 'kind: macvtap' : `address: "${device.address}", for the whole card`,
    });
  }
  if (device.vfs.length > 0) return device;
  throw new QrunError('host-failed', `${at}: no virtual function of ${parent} has been made`, {
    hint: `echo ${Math.min(4, device.totalVfs)} | sudo tee /sys/class/net/${parent}/device/sriov_numvfs`,
  });
}
