/**
 * A look at the machine before a launch. Only what the profile asks for is read, and nothing is spawned unless it names an interface:
 * this is on the hot path of every start.
 */
import { isIP } from 'node:net';
import path from 'node:path';
import type { Places } from '../places.ts';
import type { Nic, Profile } from '../profile/profile.ts';
import type { QemuCapabilities } from '../qemu/capabilities.ts';
import type { System } from '../system/system.ts';
import { readIdentity, readRunAs } from './accounts.ts';
import { readDiskFacts, type ReadImageHeader } from './disk-facts.ts';
import { accessOf } from './file-access.ts';
import type { HostFacts, RunAs } from './facts.ts';
import { readKvm } from './kvm.ts';
import { readLinks } from './links.ts';
import { findUefi } from './uefi.ts';

export interface FactsOptions {
  readonly system: System;
  readonly places: Places;
  readonly profile: Profile;
  readonly qemu: QemuCapabilities;
  readonly leases: Pick<HostFacts, 'macs' | 'slots' | 'lastPorts'>;
  readonly networks?: HostFacts['networks'];
  readonly ports?: HostFacts['ports'];
  readonly portFaults?: HostFacts['portFaults'];
  /** What the names follow from of the interfaces that the run makes. */
  readonly linkSeed?: string | undefined;
  /** QEMU's of this VM, if it runs. */
  readonly ownPid?: () => number | undefined;
  readonly readImageHeader?: ReadImageHeader;
}

/** Tools that a plan may name. */
const tools = ['setpriv', 'prlimit', 'qemu-img', 'flock', 'ip'];

/** @throws QrunError for a `runAs` that cannot be, and for a disk that is no file */
export async function readHostFacts(options: FactsOptions): Promise<HostFacts> {
  const { system, places, profile, qemu, leases } = options;
  const runAs = system.uid === 0 ? readRunAs(system, profile.runAs) : undefined;
  const uefi = profile.firmware === 'uefi' ? findUefi(qemu.file) : undefined;
  const passt = profile.nics.some(({ kind }) => kind === 'passt')
    ? (await import('./passt.ts')).readPasst(system)
    : undefined;
  const bridgeDoors = await readBridgeDoors(options, runAs);
  const linkDoor = await readDoorOfLinks(options, runAs);
  const pciDoor = await readDoorOfPci(options);
  const readImageHeader = options.readImageHeader ?? (await import('../qemu/image.ts')).readImageHeader;
  return {
    places,
    user: readIdentity(system),
    ...(runAs !== undefined && { runAs }),
    bootId: system.bootId(),
    qemu,
    kvm: readKvm({ cacheDir: places.cache, qemu, runAs }),
    hasDesktop: hasDesktop(system.env),
    tools: readTools(system),
    disks: readDiskFacts(profile, { places, access: accessOf(runAs), readImageHeader }),
    networks: options.networks ?? {},
    links: profile.nics.some(namesInterface) ? await readLinks(system) : [],
    ...(options.ports !== undefined && { ports: options.ports }),
    ...(options.portFaults !== undefined && { portFaults: options.portFaults }),
    ...(bridgeDoors !== undefined && { bridgeDoors }),
    ...(linkDoor !== undefined && { linkDoor }),
    ...(pciDoor !== undefined && { pciDoor }),
    ...(passt !== undefined && { passt }),
    ...(uefi !== undefined && { uefi }),
    macs: leases.macs,
    slots: leases.slots,
    lastPorts: leases.lastPorts,
  };
}

async function readBridgeDoors(
  { system, profile, qemu: { bridgeHelper: compiledIn }, networks = {}, portFaults = {} }: FactsOptions,
  runAs: RunAs | undefined,
): Promise<HostFacts['bridgeDoors']> {
  const nics = profile.nics.flatMap((nic): { id: string; bridge: string; helper: string | undefined }[] => {
    if (nic.kind === 'bridge') return [{ id: nic.id, bridge: nic.bridge, helper: nic.helper }];
    const attach = nic.kind === 'network' ? networks[nic.network]?.attach : undefined;
    if (attach?.by === 'helper') return [{ id: nic.id, bridge: attach.bridge, helper: undefined }];
    const portless = attach?.by === 'port' && portFaults[nic.id] !== undefined;
    return portless ? [{ id: nic.id, bridge: attach.host.on, helper: undefined }] : [];
  });
  if (nics.length === 0) return undefined;
  const { readBridgeDoor } = await import('./bridge-door.ts');
  const common = { system, user: readIdentity(system), runAs, compiledIn, cwd: path.dirname(profile.file) };
  return Object.fromEntries(
    nics.map(({ id, bridge, helper }) => [id, readBridgeDoor({ ...common, bridge, helper })] as const),
  );
}

async function readDoorOfLinks(
  { system, places, profile, ports, networks = {}, linkSeed, ownPid }: FactsOptions,
  runAs: RunAs | undefined,
): Promise<HostFacts['linkDoor']> {
  const onBridge = Object.values(networks).some(({ attach }) => attach.by === 'bridge');
  const onPorts = onBridge || (ports !== undefined && Object.keys(ports).length > 0);
  if (!onPorts && !profile.nics.some(({ kind }) => kind === 'tap' || kind === 'macvtap')) return undefined;
  const { readLinkDoor } = await import('./link-door.ts');
  const cards = Object.values(networks).flatMap(({ attach }) =>
    attach.by === 'port' && attach.host.forward === 'macvtap' ? [attach.host.on] : [],
  );
  const more = { cards, ...(linkSeed !== undefined && { seed: linkSeed }), ...(ownPid !== undefined && { ownPid }) };
  return await readLinkDoor({ system, places, profile, user: readIdentity(system), runAs, onPorts, ...more });
}

async function readDoorOfPci({ system, places, profile, ownPid }: FactsOptions): Promise<HostFacts['pciDoor']> {
  if (!profile.nics.some(({ kind }) => kind === 'hostdev')) return undefined;
  const { readPciDoor } = await import('./pci-door.ts');
  return await readPciDoor({ system, places, profile, ownPid });
}

export const hasDesktop = (env: System['env']): boolean => Boolean(env['WAYLAND_DISPLAY']) || Boolean(env['DISPLAY']);

function readTools(system: System): Record<string, string> {
  const found: Record<string, string> = {};
  for (const tool of tools) {
    const file = system.which(tool);
    if (file !== undefined) found[tool] = file;
  }
  return found;
}

/** A forward may be bound to an interface's addresses, `%eth0`; a multicast group may be on one; a card must not be in use. */
function namesInterface(nic: Nic): boolean {
  if (nic.kind === 'hostdev') return true;
  if (nic.kind === 'mcast') return nic.interface !== undefined && isIP(nic.interface) === 0;
  return 'forwards' in nic && nic.forwards.some(({ hostAddress }) => hostAddress.startsWith('%'));
}
