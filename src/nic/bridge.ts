/**
 * `kind: bridge`: the guest on a bridge of the host's, for a user without rights. QEMU starts qemu-bridge-helper, which makes a tap, puts it on the
 * bridge and hands QEMU its descriptor; the tap is gone with QEMU. https://wiki.qemu.org/Features/HelperNetworking
 */
import type { BridgeDoor } from '../host/bridge-door.ts';
import type { BridgeNic, Nic } from '../profile/profile.ts';
import { shellWord } from '../shell-word.ts';
import { errorOfFaults, faultsOfDoor } from './bridge-faults.ts';
import { noteOfMac } from './link-support.ts';
import type { NicContext, NicKind, NicPlan } from './nic-kind.ts';
import { indexOfNic, missingBackEnd } from './support.ts';

export const bridgeNic: NicKind<BridgeNic> = { kind: 'bridge', plan };

function plan(nic: BridgeNic, context: NicContext): NicPlan {
  const door = context.facts.bridgeDoors?.[nic.id];
  if (door === undefined) throw new Error(`nobody looked at the bridge of ${nic.id}`);
  return planByHelper(nic, door, context);
}

/**
 * A NIC of any kind on the bridge behind that door, by the helper.
 * @throws QrunError `missing-feature`; `missing-tool`, `permission`, `unsafe-file`, `host-failed` with all that keeps it from the bridge
 */
export function planByHelper(nic: Nic, door: BridgeDoor, context: NicContext): NicPlan {
  const { facts, netdevId } = context;
  const at = `nics[${indexOfNic(nic, context)}]`;
  if (!facts.qemu.netdevTypes.includes('bridge')) throw missingBackEnd(at, 'bridge', facts.qemu);
  const error = errorOfFaults(at, faultsOfDoor(door, facts.runAs?.name ?? facts.user.name));
  if (error !== undefined) throw error;
  const { bridge, helper } = door;
  return {
    netdev: { type: 'bridge', id: netdevId, br: bridge.name, ...(helper.told && { helper: helper.file }) },
    steps: [],
    source: bridge.name,
    tapOn: bridge.name,
    device: mtuOf(nic, door),
    // https://man7.org/linux/man-pages/man7/capabilities.7.html (bounding set)
    keeps: helper.gains,
    sandboxOff: 'QEMU starts the bridge helper, which gains rights by its file, and under its sandbox no program can',
    notes: notesOf(nic, door),
  };
}

/** The helper gives the tap the bridge's MTU; a guest that is not told sends what does not fit, or never sends as much as it may. */
function mtuOf({ model, mtu }: Nic, { bridge }: BridgeDoor): NonNullable<NicPlan['device']> {
  const tells = model.startsWith('virtio-net-') && mtu === undefined && bridge.mtu !== standardMtu;
  return tells ? { host_mtu: Math.min(bridge.mtu, mostMtu) } : {};
}

const standardMtu = 1500;
const mostMtu = 65_535;

function notesOf({ id, model, mtu }: Nic, { bridge }: BridgeDoor): string[] {
  const { name, up } = bridge;
  const told = model.startsWith('virtio-net-') || bridge.mtu === standardMtu;
  return [
    ...noteOfMac(id, bridge),
    ...(up ? [] : [`${id}: ${name} is down: nothing passes until: sudo ip link set ${shellWord(name)} up`]),
    ...(mtu !== undefined && mtu > bridge.mtu
      ? [
          `${id}: ${name} has an MTU of ${bridge.mtu}: of the ${mtu} that the guest is told, what is larger than that is lost`,
        ]
      : []),
    ...(told
      ? []
      : [`${id}: ${name} has an MTU of ${bridge.mtu}, which a ${model} does not tell the guest: set it there`]),
  ];
}
