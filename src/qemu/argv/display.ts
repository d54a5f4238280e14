/** The screen, if any. VNC is a socket of the user's and never a port. */
import { QrunError } from '../../errors.ts';
import { escapeComma } from '../option.ts';
import type { ArgvInput } from './input.ts';
import { deviceArgs } from './device.ts';
import { hasPinnedPci, machineFamily, pciSlots, renderSlot } from './machine-family.ts';

export function displayArgs(input: ArgvInput): string[] {
  switch (input.display) {
    case 'none':
      return ['-display', 'none'];
    case 'vnc':
      return ['-display', 'none', '-vnc', `unix:${escapeComma(vncSocket(input))}`, ...screenArgs(input)];
    default:
      return ['-display', input.display, ...screenArgs(input)];
  }
}

function vncSocket({ sockets }: ArgvInput): string {
  if (sockets.vnc !== undefined) return sockets.vnc;
  throw new QrunError('bug', 'display: vnc was planned without a socket');
}

/** A screen that every guest knows, and a tablet, so that the pointer is where the hand is. */
function screenArgs({ profile, capabilities: { version } }: ArgvInput): string[] {
  const family = machineFamily(profile.machine);
  if (family === 'microvm') throw new QrunError('invalid-profile', 'display: a microvm has no screen');
  const at = (slot: number): { addr?: string } => (hasPinnedPci(family) ? { addr: renderSlot(slot) } : {});
  const driver = family === 'virt' ? 'virtio-gpu-pci' : 'VGA';
  return [
    ...deviceArgs({ driver, id: 'vga0', ...at(pciSlots.vga) }, version),
    ...deviceArgs({ driver: 'qemu-xhci', id: 'usb0', ...at(pciSlots.usb) }, version),
    ...deviceArgs({ driver: 'usb-tablet', id: 'tablet0', bus: 'usb0.0' }, version),
    ...deviceArgs({ driver: 'usb-kbd', id: 'keyboard0', bus: 'usb0.0' }, version),
  ];
}
