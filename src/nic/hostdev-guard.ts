/** A card that the host itself needs is not taken from it, nor a group of cards of which the host keeps one. Pure. */
import { QrunError } from '../errors.ts';
import type { HostFacts } from '../host/facts.ts';
import type { PciDevice } from '../host/pci.ts';
import type { PciDoor } from '../host/pci-door.ts';
import { vfioDriver } from '../pci-address.ts';

type Facts = Pick<HostFacts, 'pciDoor' | 'links'>;

/** In words; empty: the host does nothing with it. */
export function usesOf(device: PciDevice, { pciDoor, links }: Facts): string[] {
  return device.nets.flatMap((name) => {
    const net = pciDoor?.nets[name];
    const addresses = links.find((link) => link.name === name)?.addresses ?? [];
    const waysOut = pciDoor?.waysOut ?? [];
    return [
      ...(waysOut.includes(name)
        ? [waysOut.length === 1 ? `${name} is the host's only way out` : `${name} is a way out of the host's`]
        : []),
      ...(addresses.length > 0 ? [`${name} has the address ${addresses.join(', ')}`] : []),
      ...(net?.master === undefined ? [] : [`${name} is a port of ${net.master}`]),
      ...(net === undefined || net.uppers.length === 0 ? [] : [`${net.uppers.join(', ')} stands on ${name}`]),
    ];
  });
}

/** @throws QrunError `in-use` for a card that the host uses */
export function requireCardUnused(at: string, device: PciDevice, facts: Facts): void {
  const [name = device.address] = device.nets;
  if (device.vfs.length > 0) {
    throw new QrunError(
      'in-use',
      `${at}: ${device.address} has ${device.vfs.length} virtual functions, which would go with it`,
      {
        hint: `in the profile: parent: ${name}, to take one of them`,
      },
    );
  }
  const uses = usesOf(device, facts);
  if (uses.length === 0) return;
  throw new QrunError('in-use', `${at}: the host uses the card ${device.address}: ${uses[0] ?? ''}`, {
    causes: uses.slice(1),
    hint: `sudo ip address flush dev ${name}, when the host can do without it; or kind: macvtap, parent: ${name}`,
  });
}

/** @param own of the same guest @returns its number. @throws QrunError when there is none, or when the host keeps a part of it */
export function requireGroup(
  at: string,
  device: PciDevice,
  { door, own }: { readonly door: Pick<PciDoor, 'groups' | 'devices'>; readonly own: readonly string[] },
): number {
  const { address, group } = device;
  if (group === undefined) {
    throw new QrunError('missing-feature', `${at}: no IOMMU stands before ${address}`, {
      hint: 'switch it on in the firmware (VT-d, AMD-Vi) and on the kernel command line (intel_iommu=on, iommu=pt)',
    });
  }
  const kept = (door.groups[group] ?? []).filter(
    (member) => member !== address && !own.includes(member) && !mayStay(door.devices[member]),
  );
  if (kept.length === 0) return group;
  throw new QrunError('host-failed', `${at}: ${address} shares the IOMMU group ${group} with what the host keeps`, {
    causes: kept.map((member) => `${member} (${door.devices[member]?.driver ?? 'no driver'})`),
    hint: `bind all of them to ${vfioDriver} (driverctl set-override ADDRESS ${vfioDriver}), or put the card into another slot`,
  });
}

/** The kernel leaves bridges to their own driver. */
const mayStay = (device: PciDevice | undefined): boolean =>
  device !== undefined && (device.driver === vfioDriver || device.class.startsWith('0604'));
