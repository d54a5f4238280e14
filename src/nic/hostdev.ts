/**
 * `kind: hostdev`: a PCI network card of the host's, or a virtual function of one, for the guest alone. There is no back end: vfio-pci has the card, and
 * QEMU has vfio-pci. https://docs.kernel.org/driver-api/vfio.html
 */
import { QrunError } from '../errors.ts';
import type { PciDevice } from '../host/pci.ts';
import type { PciDoor } from '../host/pci-door.ts';
import type { Mac } from '../names.ts';
import { pciDirectory, pciLockFile, vfioDriver, vfioNodePath } from '../pci-address.ts';
import type { VfioStep } from '../plan/step.ts';
import { vfCommand } from '../plan/vf-command.ts';
import { requireIommu, requireVfs } from '../plan/virtual-functions.ts';
import type { HostdevNic } from '../profile/profile.ts';
import { machineFamily } from '../qemu/argv/machine-family.ts';
import { shellWord } from '../shell-word.ts';
import { requireCardUnused, requireGroup, usesOf } from './hostdev-guard.ts';
import { userOf } from './link-support.ts';
import type { CardPlan, NicContext, NicKind } from './nic-kind.ts';
import { indexOfNic } from './support.ts';

export const hostdevNic: NicKind<HostdevNic, CardPlan> = { kind: 'hostdev', plan };

interface CardContext extends NicContext {
  readonly nic: HostdevNic;
  readonly at: string;
  readonly door: PciDoor;
  readonly device: PciDevice;
}

const noMac = '00:00:00:00:00:00';
/** What QEMU locks beside the guest's memory: the registers of cards. */
const extraBytes = 2 ** 30;

function plan(nic: HostdevNic, context: NicContext): CardPlan {
  const { facts, profile, nextFd } = context;
  const at = `nics[${indexOfNic(nic, context)}]`;
  requireVfio(at, context);
  requireThere(nic, at, context);
  const door = doorOf(at, context);
  const device = deviceOf(nic, at, context);
  const card: CardContext = { ...context, nic, at, door, device };
  requireCardUnused(at, device, facts);
  const group = requireGroup(at, device, { door, own: ownAddresses(context) });
  const mac = macOf(card);
  const lockedBytes = requireLockable(card);
  const fd = nextFd();
  const node = nodeOf(card, group);
  const step: VfioStep = {
    kind: 'vfio',
    id: `vfio:${nic.id}`,
    needsRoot: isPrepared(device) ? mac.vf !== undefined || node !== undefined : true,
    address: device.address,
    group,
    fd,
    ...(nic.parent !== undefined && { chosen: true }),
    ...(!isPrepared(device) && { bind: bindOf(card) }),
    ...(mac.vf !== undefined && { vf: mac.vf }),
    ...(node !== undefined && { node }),
    ...(door.rights === 'sudo' && door.sudo !== undefined && { sudo: door.sudo }),
  };
  return {
    netdev: 'none',
    card: device.address,
    lockedBytes,
    ...(mac.own !== undefined && { mac: mac.own }),
    steps: [step],
    source: nic.parent ?? device.address,
    fds: [{ fd, path: pciLockFile(device.address) }],
    notes: [
      `${nic.id}: all of the guest's memory is locked for the card ${device.address}: ${profile.memoryMib} MiB are in use from the start`,
      ...mac.notes,
    ],
  };
}

const isPrepared = ({ driver }: PciDevice): boolean => driver === vfioDriver;

function requireVfio(at: string, { facts, profile }: NicContext): void {
  if (machineFamily(profile.machine) === 'microvm') {
    throw new QrunError('invalid-profile', `${at}: a microvm has no PCI`, { hint: 'machine: q35' });
  }
  if (facts.qemu.devices.includes(vfioDriver)) return;
  throw new QrunError('missing-feature', `${at}: ${facts.qemu.file} has no device ${vfioDriver}`, {
    hint: 'use a QEMU that has it (QRUN_QEMU)',
  });
}

/** A name that is wrong is said before what else is missing. */
function requireThere({ address, parent }: HostdevNic, at: string, { facts: { pciDoor: door } }: NicContext): void {
  if (parent !== undefined && door?.nets[parent] === undefined) {
    throw new QrunError('host-failed', `${at}: there is no interface ${parent}`, { hint: 'ip -brief link show' });
  }
  if (address !== undefined && door?.devices[address] === undefined) {
    throw new QrunError('host-failed', `${at}: there is no PCI device ${address}`, { hint: 'lspci -D | grep -i net' });
  }
}

function doorOf(at: string, { facts: { pciDoor } }: NicContext): PciDoor {
  if (pciDoor === undefined) throw new Error(`nobody looked at the card of ${at}`);
  requireIommu(at, pciDoor);
  return pciDoor;
}

function deviceOf(nic: HostdevNic, at: string, context: NicContext): PciDevice {
  const { devices } = doorOf(at, context);
  const address = nic.address ?? chosen(context).get(nic.id);
  if (address === undefined) return refuseVf(nic, at, context);
  const others = context.profile.nics.filter((other) => other !== nic && other.kind === 'hostdev');
  if (others.some((other) => other.kind === 'hostdev' && other.address === address)) {
    throw new QrunError('invalid-profile', `${at}: ${address} is another NIC's of this profile too`, {
      hint: 'give each NIC a card of its own',
    });
  }
  const found = devices[address];
  if (found === undefined) throw new Error(`nobody looked at ${address}`);
  if (found.class.startsWith('02')) return found;
  throw new QrunError('host-failed', `${at}: ${address} is no network card (class ${found.class})`, {
    hint: 'lspci -D | grep -i net',
  });
}

/** NIC ids with the virtual function of each: the first that is free and not another NIC's of this profile. */
function chosen({ profile, facts }: NicContext): ReadonlyMap<string, string> {
  const door = facts.pciDoor;
  const found = new Map<string, string>();
  const hostdevs = profile.nics.filter((nic) => nic.kind === 'hostdev');
  const named = hostdevs.map(({ address }) => address);
  for (const { id, parent } of hostdevs) {
    if (parent === undefined || door === undefined) continue;
    const taken = [...named, ...found.values()];
    const free = (door.devices[door.parents[parent] ?? '']?.vfs ?? []).filter(
      (address) => !taken.includes(address) && isFree(door.devices[address], door, facts),
    );
    // whoever may bind leaves those alone that somebody prepared, and whoever may not takes them alone
    const prepared = free.filter((address) => door.devices[address]?.driver === vfioDriver);
    const bindable = free.filter((address) => !prepared.includes(address));
    const [address] = door.rights === 'none' ? prepared : [...bindable, ...prepared];
    if (address !== undefined) found.set(id, address);
  }
  return found;
}

function isFree(device: PciDevice | undefined, door: PciDoor, facts: NicContext['facts']): boolean {
  if (device === undefined) return false;
  const holder = door.holders?.[device.address];
  // what is planned while this VM runs is its next run
  if (holder !== undefined) return holder.own;
  if (!isPrepared(device)) return usesOf(device, facts).length === 0;
  const state = device.group === undefined ? undefined : door.nodes[device.group]?.state;
  return state === 'free' || (state === 'blocked' && door.rights !== 'none');
}

/** @throws QrunError always: why there is none */
function refuseVf(nic: HostdevNic, at: string, context: NicContext): never {
  const parent: string = nic.parent ?? '';
  const { facts } = context;
  const door = doorOf(at, context);
  const device = requireVfs(at, parent, door);
  const causes = device.vfs.map((address) => `${address}: ${whyTaken(address, door, facts)}`);
  if (door.rights === 'none' && device.vfs.some((address) => isFree(door.devices[address], door, facts))) {
    throw new QrunError('permission', `${at}: to take a virtual function of ${parent} takes root`, {
      causes: [...causes, 'or let qrun use sudo for it: sudo: noninteractive in ~/.config/qrun/config.yaml'],
      hint: 'sudo qrun run, or have one bound to vfio-pci for you',
    });
  }
  throw new QrunError('in-use', `${at}: no virtual function of ${parent} is free`, { causes, hint: 'qrun ps' });
}

function whyTaken(address: string, door: PciDoor, facts: NicContext['facts']): string {
  const device = door.devices[address];
  if (device === undefined) return 'gone';
  const holder = door.holders?.[address];
  if (holder !== undefined) return `${holder.who} has it`;
  if (!isPrepared(device)) return usesOf(device, facts).join(', ') || 'not bound to vfio-pci';
  const state = device.group === undefined ? undefined : door.nodes[device.group]?.state;
  return state === 'busy' ? 'a guest has it' : state === 'free' ? "another NIC's" : 'not for this user';
}

const ownAddresses = (context: NicContext): readonly string[] => [
  ...context.profile.nics.flatMap((nic) => (nic.kind === 'hostdev' && nic.address !== undefined ? [nic.address] : [])),
  ...chosen(context).values(),
];

function bindOf({ at, door, device, facts, profile }: CardContext): NonNullable<VfioStep['bind']> {
  if (door.rights !== 'none') {
    return { ...(device.driver !== undefined && { driver: device.driver }), loads: !door.loaded };
  }
  const directory = pciDirectory(device.address);
  throw new QrunError('permission', `${at}: to bind ${device.address} to ${vfioDriver} takes root`, {
    hint: `sudo qrun run ${shellWord(profile.file)}`,
    causes: [
      `for good: driverctl set-override ${device.address} ${vfioDriver}, and a udev rule that gives /dev/vfio/${device.group} to ${facts.user.name}`,
      `by hand: ${vfioDriver} into ${directory}/driver_override, then unbind and drivers_probe`,
      'or let qrun use sudo for it: sudo: noninteractive in ~/.config/qrun/config.yaml',
    ],
  });
}

interface CardMac {
  readonly vf?: NonNullable<VfioStep['vf']>;
  readonly own?: Mac;
  readonly notes: readonly string[];
}

function macOf(card: CardContext): CardMac {
  const { nic, door, device, facts } = card;
  const physical = door.devices[device.physical ?? ''];
  const parent: string | undefined = nic.parent ?? physical?.nets[0];
  if (physical === undefined || parent === undefined) return wholeCard(card);
  const index = physical.vfs.indexOf(device.address);
  const setting = door.settings[parent]?.find((one) => one.index === index);
  const mac = facts.macs[nic.id];
  if (mac === undefined) throw new Error(`no lease for ${nic.id}`);
  const before = { mac: setting?.mac ?? noMac, vlan: setting?.vlan ?? 0 };
  const { vlan } = nic;
  const vlanFits = vlan === undefined || vlan === before.vlan;
  const notes = [
    ...(door.nets[parent]?.up === true
      ? []
      : [`${nic.id}: ${parent} is down: nothing passes until: sudo ip link set ${parent} up`]),
  ];
  if (before.mac === mac && vlanFits) return { notes };
  const vf = { parent, index, mac, ...(vlan !== undefined && { vlan }), before };
  if (door.rights !== 'none') return { vf, notes };
  // the one who prepared it gave it a MAC
  if (nic.mac === undefined && before.mac !== noMac && vlanFits) return { own: before.mac as Mac, notes };
  throw new QrunError('permission', `${card.at}: to set the MAC or VLAN of ${device.address} takes root`, {
    hint: ['sudo', ...vfCommand(vf)].join(' '),
  });
}

/** Nobody but the guest can set the MAC of a whole card. */
function wholeCard({ at, nic, door, device }: CardContext): CardMac {
  const own = door.nets[device.nets[0] ?? '']?.mac as Mac | undefined;
  if (nic.mac !== undefined && own !== nic.mac) {
    throw new QrunError(
      'invalid-profile',
      `${at}.mac: the card ${device.address} has a MAC of its own${own === undefined ? '' : ` (${own})`}`,
      {
        hint: 'leave mac out: qrun sets that of a virtual function alone',
      },
    );
  }
  if (own !== undefined) return { own, notes: [] };
  return {
    notes: [
      `${nic.id}: the guest sees the MAC of the card ${device.address}, which cannot be read while vfio-pci has it`,
    ],
  };
}

function nodeOf({ at, door, device, ...context }: CardContext, group: number): VfioStep['node'] {
  const { uid, gid, name } = userOf(context);
  const node = door.nodes[group];
  const owner = { uid, gid };
  if (node === undefined && isPrepared(device)) {
    throw new QrunError('host-failed', `${at}: there is no ${vfioNodePath(group)}`, {
      hint: `in a container: start it with --device /dev/vfio/vfio --device ${vfioNodePath(group)}`,
    });
  }
  if (node?.uid === uid) return undefined;
  const before = { uid: node?.uid ?? 0, gid: node?.gid ?? 0 };
  if (door.rights !== 'none' && (context.facts.runAs !== undefined || node?.state !== 'free')) return { owner, before };
  if (node === undefined || node.state !== 'blocked') return undefined;
  throw new QrunError('permission', `${at}: ${name} may not open ${vfioNodePath(group)}`, {
    hint: `sudo chown ${name} ${vfioNodePath(group)}`,
  });
}

/** The card may write to any of the guest's memory at any time: none of it may be moved. */
function requireLockable({ at, door, facts, profile }: CardContext): number {
  const bytes = profile.memoryMib * 2 ** 20 + extraBytes;
  const limit = door.lockableBytes;
  // root raises it
  if (facts.runAs !== undefined || limit === undefined || limit >= bytes) return bytes;
  throw new QrunError(
    'permission',
    `${at}: QEMU must lock ${bytes / 2 ** 20} MiB of memory, and this session may lock ${Math.floor(limit / 2 ** 20)} MiB (ulimit -l)`,
    {
      hint: `sudo prlimit --pid $$ --memlock=${bytes}:${bytes}`,
      causes: [`for good: a line in /etc/security/limits.d: ${facts.user.name} - memlock ${bytes / 1024}`],
    },
  );
}
