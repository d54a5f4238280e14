/** Ids of devices: one namespace in QEMU, so every kind has a prefix of its own. */
export const cdromId = 'cdrom0';

export function diskId(index: number): string {
  return `disk${index}`;
}

export function nicDeviceId(id: string): string {
  return `nic-${id}`;
}
