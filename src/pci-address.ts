/** Where the kernel shows PCI devices. An address is checked before it becomes a part of a path. Pure. */

export const vfioDriver = 'vfio-pci';

/** `0000:01:00.0` */
export const isPciAddress = (text: string): boolean => /^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/.test(text);

export const isDriverName = (name: string): boolean => /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,62}$/.test(name);

export const pciDirectory = (address: string, sysfs = '/sys'): string =>
  `${sysfs}/bus/pci/devices/${isPciAddress(address) ? address : 'none'}`;

export const pciDriverDirectory = (driver: string, sysfs = '/sys'): string =>
  `${sysfs}/bus/pci/drivers/${isDriverName(driver) ? driver : 'none'}`;

export const pciProbeFile = (sysfs = '/sys'): string => `${sysfs}/bus/pci/drivers_probe`;

/** Locked by whoever has the device: any file of it that everybody may read. */
export const pciLockFile = (address: string, sysfs = '/sys'): string => `${pciDirectory(address, sysfs)}/vendor`;

export const vfioNodePath = (group: number, dev = '/dev'): string => `${dev}/vfio/${group}`;
