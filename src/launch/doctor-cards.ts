/** What `qrun doctor` says of PCI network cards for guests alone (`kind: hostdev`): the IOMMU, vfio-pci, each card with its driver and its group. */
import { QrunError } from '../errors.ts';
import { listNetCards, hasVfioDriver, type PciDevice } from '../host/pci.ts';
import { readPciPart, type PciDoor } from '../host/pci-door.ts';
import { requireGroup } from '../nic/hostdev-guard.ts';
import { vfioDriver } from '../pci-address.ts';
import type { Profile } from '../profile/profile.ts';
import { shellWord } from '../shell-word.ts';
import { namesIn } from '../system/glance.ts';
import type { Check } from './doctor.ts';

/** More than these are looked at by nobody. */
const mostCards = 20;

/** @param profile undefined: all network cards of the host's */
export function examineCards(profile?: Pick<Profile, 'nics'>, sysfs = '/sys'): Check[] {
  const nics = profile?.nics.filter((nic) => nic.kind === 'hostdev');
  const wanted: WantedCards =
    nics === undefined
      ? { addresses: listNetCards(sysfs).slice(0, mostCards), parents: [] }
      : {
          addresses: nics.flatMap(({ address }) => address ?? []),
          parents: nics.flatMap(({ parent }) => parent ?? []),
        };
  const groups = namesIn(`${sysfs}/kernel/iommu_groups`).length;
  return [
    checkOfIommu(groups),
    checkOfVfio(hasVfioDriver(sysfs), groups > 0),
    checkOfCards(wanted, readPciPart(wanted, sysfs), profile !== undefined),
  ];
}

/** @param groups of the kernel's */
export function checkOfIommu(groups: number): Check {
  const base = { id: 'iommu', what: 'IOMMU (kind: hostdev)' };
  if (groups > 0) return { ...base, state: 'ok', evidence: `${groups} groups`, mend: null };
  return {
    ...base,
    state: 'warn',
    evidence: '/sys/kernel/iommu_groups is empty: no device of this host can be given to a guest',
    mend: 'VT-d or AMD-Vi on in the firmware; intel_iommu=on on the kernel command line',
  };
}

/** Without an IOMMU nothing is lost without it. */
export function checkOfVfio(isLoaded: boolean, hasIommu: boolean): Check {
  const base = { id: 'vfio', what: `the driver ${vfioDriver} (kind: hostdev)` };
  if (isLoaded) return { ...base, state: 'ok', evidence: 'it is loaded', mend: null };
  if (!hasIommu)
    return { ...base, state: 'ok', evidence: 'not loaded; without an IOMMU it has nothing to do', mend: null };
  return { ...base, state: 'warn', evidence: 'it is not loaded', mend: `sudo modprobe ${vfioDriver}` };
}

export interface WantedCards {
  readonly addresses: readonly string[];
  /** Interfaces of physical functions. */
  readonly parents: readonly string[];
}

type Cards = Pick<PciDoor, 'devices' | 'groups' | 'parents' | 'nets'>;

interface Finding {
  readonly evidence: string;
  readonly state: Check['state'];
  readonly mend?: string | undefined;
}

/** @param needed by a profile */
function checkOfCards(wanted: WantedCards, cards: Cards, needed: boolean): Check {
  const base = { id: 'cards', what: 'PCI network cards (kind: hostdev)' };
  const findings = [
    ...wanted.addresses.map((address) => findingOfCard(address, { wanted, cards, needed })),
    ...wanted.parents.map((name) => findingOfParent(name, cards)),
  ];
  const bad = findings.find(({ state }) => state === 'fail') ?? findings.find(({ state }) => state === 'warn');
  return {
    ...base,
    state: bad?.state ?? 'ok',
    evidence: findings.length === 0 ? 'there is none' : findings.map(({ evidence }) => evidence).join('; '),
    mend: bad?.mend ?? null,
  };
}

function findingOfCard(
  address: string,
  { wanted, cards, needed }: { readonly wanted: WantedCards; readonly cards: Cards; readonly needed: boolean },
): Finding {
  const device = cards.devices[address];
  if (device === undefined)
    return { evidence: `there is no PCI device ${address}`, state: 'fail', mend: 'lspci -Dnn | grep -i net' };
  const evidence = inWords(device);
  // on the whole host it is no fault that a card could not be given away
  if (!needed) return { evidence, state: 'ok' };
  const fault = faultOfGroup(device, { own: wanted.addresses, cards });
  if (fault === undefined) return { evidence, state: 'ok' };
  return { evidence: [fault.message, ...fault.causes].join(', '), state: 'warn', mend: fault.hint };
}

function inWords({ address, driver, group, nets }: PciDevice): string {
  const words = [
    ...nets,
    driver === undefined ? 'no driver' : driver === vfioDriver ? `${driver}, ready for a guest` : `driver ${driver}`,
    group === undefined ? 'no IOMMU group' : `IOMMU group ${group}`,
  ];
  return `${address} (${words.join(', ')})`;
}

function faultOfGroup(
  device: PciDevice,
  { own, cards }: { readonly own: readonly string[]; readonly cards: Cards },
): QrunError | undefined {
  try {
    requireGroup(inWords(device), device, { door: cards, own });
    return undefined;
  } catch (error) {
    if (error instanceof QrunError) return error;
    throw error;
  }
}

function findingOfParent(name: string, { parents, devices, nets }: Cards): Finding {
  if (nets[name] === undefined)
    return { evidence: `there is no interface ${name}`, state: 'fail', mend: 'ip -brief link show' };
  const device = devices[parents[name] ?? ''];
  if (device === undefined)
    return { evidence: `${name} is no PCI network card`, state: 'fail', mend: 'ip -brief link show' };
  const { vfs, totalVfs, address } = device;
  const head = `${name} (${address})`;
  if (totalVfs === undefined)
    return { evidence: `${head} has no SR-IOV`, state: 'fail', mend: `in the profile: address: ${address}` };
  const ready = vfs.filter((vf) => devices[vf]?.driver === vfioDriver).length;
  const told = `${head} has ${vfs.length} virtual functions of ${totalVfs}, ${ready} bound to ${vfioDriver}`;
  if (vfs.length > 0) return { evidence: told, state: 'ok' };
  return {
    evidence: told,
    state: 'warn',
    mend: `echo 4 | sudo tee /sys/class/net/${shellWord(name)}/device/sriov_numvfs`,
  };
}
