/** Each NIC: its back end, and the card in front of it at an address that stays when other NICs come and go. */
import { QrunError } from '../../errors.ts';
import type { AnyNicPlan, CardPlan, NicPlan, OptionValue } from '../../nic/nic-kind.ts';
import type { Nic } from '../../profile/profile.ts';
import { bootProperty, type BootIndexes } from './boot.ts';
import { nicDeviceId } from './device-ids.ts';
import { deviceArgs, netdevArgs, type DeviceValue } from './device.ts';
import type { ArgvInput, ArgvNic } from './input.ts';
import { hasPinnedPci, machineFamily, pciSlots, renderSlot, type MachineFamily } from './machine-family.ts';

/** @throws QrunError `missing-feature`, `invalid-profile` */
export function nicArgs(input: ArgvInput, indexes: BootIndexes): string[] {
  const { version } = input.capabilities;
  return input.nics.flatMap((nic) => {
    const { plan } = nic;
    if (plan.netdev === 'none') return deviceArgs(hostCard(input, { ...nic, plan }, indexes), version);
    return [...netdevArgs(plan.netdev, version), ...deviceArgs(card(input, { ...nic, plan }, indexes), version)];
  });
}

/** MAC, queues and MTU are the card's own. */
function hostCard(
  input: ArgvInput,
  { nic, plan, slot }: ArgvNic & { readonly plan: CardPlan },
  indexes: BootIndexes,
): DeviceValue {
  const family = machineFamily(input.profile.machine);
  const id = nicDeviceId(nic.id);
  const { romfile, ...properties } = pciProperties({ input, nic, plan, slot, family });
  return {
    driver: 'vfio-pci',
    id,
    host: plan.card,
    ...bootProperty(indexes, id),
    ...properties,
    ...(romfile !== undefined && { rombar: 0 }),
    ...plan.device,
  };
}

function card(
  input: ArgvInput,
  { nic, plan, mac, slot }: ArgvNic & { readonly plan: NicPlan },
  indexes: BootIndexes,
): DeviceValue {
  const family = machineFamily(input.profile.machine);
  const id = nicDeviceId(nic.id);
  return {
    driver: driverOf(nic.model, family),
    id,
    netdev: plan.netdev.id,
    mac,
    ...queueProperties(nic),
    ...mtuProperties(nic),
    ...bootProperty(indexes, id),
    ...(isPci(nic.model, family) && pciProperties({ input, nic, plan, slot, family })),
    ...plan.device,
  };
}

function driverOf(model: string, family: MachineFamily): string {
  return family === 'microvm' && model === 'virtio-net-pci' ? 'virtio-net-device' : model;
}

function isPci(model: string, family: MachineFamily): boolean {
  return family !== 'microvm' && !/^usb-|_isa$|-device$|-ccw$/.test(model);
}

function pciProperties(options: {
  readonly input: ArgvInput;
  readonly nic: Nic;
  readonly plan: AnyNicPlan;
  readonly slot: number;
  readonly family: MachineFamily;
}): Record<string, OptionValue> {
  const { input, nic, plan, slot, family } = options;
  const { first, count } = pciSlots.nics;
  if (slot >= count) {
    throw new QrunError('missing-feature', `NIC ${nic.id}: a machine has room for ${count} NICs at fixed addresses`, {
      hint: 'take some out of nics',
    });
  }
  return {
    ...(hasPinnedPci(family) && { addr: renderSlot(first + slot) }),
    ...(!bootsFromNetwork(input, nic, plan) && { romfile: '' }),
  };
}

/** The boot ROM costs time at each start: it is there only for those who may use it. */
function bootsFromNetwork({ profile }: ArgvInput, nic: Nic, { netdev }: AnyNicPlan): boolean {
  if (profile.kernel !== undefined) return false;
  const { order, once } = profile.boot;
  const named = order.includes('network') || once === 'network' || nic.bootIndex !== undefined;
  if (named || netdev === 'none') return named;
  return netdev['tftp'] !== undefined || netdev['bootfile'] !== undefined;
}

/** Two vectors per queue, one for the control queue and one for changes of the configuration. */
function queueProperties({ id, model, queues }: Nic): Record<string, OptionValue> {
  if (queues <= 1) return {};
  if (!isVirtio(model)) throw new QrunError('invalid-profile', `NIC ${id}: queues: a ${model} has one`);
  return { mq: true, ...(model === 'virtio-net-pci' && { vectors: 2 * queues + 2 }) };
}

function mtuProperties({ id, model, mtu }: Nic): Record<string, OptionValue> {
  if (mtu === undefined) return {};
  if (!isVirtio(model)) {
    throw new QrunError('invalid-profile', `NIC ${id}: mtu: a ${model} cannot tell the guest; the model virtio can`);
  }
  return { host_mtu: mtu };
}

function isVirtio(model: string): boolean {
  return model.startsWith('virtio-net-');
}
