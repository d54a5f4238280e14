/** `qrun net map`: looks at everything that is connected. Read only; of monitors only the addresses are asked. */
import { realpathSync, statSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { listProfiles } from '../host/profile-files.ts';
import { buildMap, type FoundNetwork, type FoundNic, type FoundVm } from '../map/build-map.ts';
import type { MapDocument, MapForward } from '../map/map-document.ts';
import { readHostNetwork } from '../networks/host-networks.ts';
import { listNetworkRows, type NetworkRow } from '../networks/list.ts';
import { readNetworkRecord } from '../networks/record.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { Forward, Nic } from '../profile/profile.ts';
import { readLeases } from '../resources/mac-lease.ts';
import { writeDurable } from '../system/files.ts';
import { nicsOfVm } from './nics-of.ts';
import { loadProfile, type LaunchContext } from './prepare.ts';
import { listRunning, type NicDocument, type Vm } from './vms.ts';

/** @param onlyRunning leaves out what is stopped, and networks that are not up */
export async function collectMap(onlyRunning: boolean, context: LaunchContext): Promise<MapDocument> {
  const running = listRunning(context);
  const names = new Set<string>(running.map(({ vm }) => vm));
  const stopped = onlyRunning
    ? []
    : listProfiles(context.places).filter(({ name, example }) => !example && !names.has(name));
  const vms = await Promise.all([
    ...running.map((vm) => runningVm(vm, context)),
    ...stopped.map(({ name, file }) => stoppedVm(name, file, context)),
  ]);
  const found = vms.flatMap((vm) => vm ?? []);
  const named = new Set(found.flatMap(({ nics }) => nics.flatMap(({ network }) => network ?? [])));
  const rows = await listNetworkRows(context);
  return buildMap({
    vms: found,
    networks: rows
      .filter(({ name, state, example }) => named.has(name) || state !== 'defined' || (!onlyRunning && !example))
      .map((row) => foundNetwork(row, context)),
  });
}

/** A run that has no record (a script of `show --shell`) is told as its profile says. */
async function runningVm(vm: Vm, context: LaunchContext): Promise<FoundVm | undefined> {
  const { record, state } = vm;
  if (record === undefined) {
    const profile = listProfiles(context.places).find(({ name }) => name === vm.vm);
    const found = profile && (await stoppedVm(vm.vm, profile.file, context));
    return { ...(found ?? { vm: vm.vm, nics: [] }), state };
  }
  const written = new Map(record.written?.map((nic) => [nic.id, nic]));
  const nics = await nicsOfVm(vm.vm, context);
  return {
    vm: vm.vm,
    state,
    profile: record.profile,
    nics: nics.map((nic) => foundNic(nic, written.get(nic.id))),
  };
}

function foundNic(nic: NicDocument, written: Nic | undefined): FoundNic {
  const { id, kind, model, mac, ips, source, network, hostInterface, forwards = [] } = nic;
  return {
    id,
    kind,
    model,
    mac,
    ips,
    source,
    forwards,
    lost: nic.link === 'lost',
    ...(network !== undefined && { network }),
    ...(hostInterface !== null && { hostInterface }),
    ...(written !== undefined && { written }),
  };
}

/** As its profile would have it; one with faults is left out. */
async function stoppedVm(name: string, file: string, context: LaunchContext): Promise<FoundVm | undefined> {
  try {
    const { nics } = await loadProfile(file, {}, context);
    const leases = readLeases({ places: context.places, vm: name as Vm['vm'] });
    return {
      vm: name,
      state: 'stopped',
      profile: file,
      nics: nics.map((nic) => {
        const lease = leases?.get(nic.id);
        const mac = nic.mac ?? lease?.mac;
        return {
          id: nic.id,
          kind: nic.kind,
          model: nic.model,
          ...(mac !== undefined && { mac }),
          ips: [],
          source: nic.kind,
          forwards: 'forwards' in nic ? nic.forwards.map(asWritten) : [],
          written: nic,
          ...(nic.kind === 'network' && { network: nic.network }),
        };
      }),
    };
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
    context.warn(`${name} is left out: ${error.message}`);
    return undefined;
  }
}

const asWritten = ({ guest, ...forward }: Forward): MapForward => ({ ...forward, guest: guest ?? null });

function foundNetwork(row: NetworkRow, { places, system }: LaunchContext): FoundNetwork {
  const { name, state, fault, forward, transport, scope, subnet } = row;
  const card =
    forward === 'macvtap' || forward === 'hostdev' ? readHostNetwork(name, { places, system })?.on : undefined;
  const forwards = state === 'defined' ? [] : (readNetworkRecord(networkFiles(places, name))?.forwards ?? []);
  return {
    name,
    state: fault === null ? state : 'faulty',
    ...(forward !== null && { forward }),
    ...(transport !== null && { transport }),
    ...(scope !== null && { scope }),
    ...(subnet !== null && { subnet }),
    ...(card !== undefined && { interface: card }),
    forwards: forwards.map(({ protocol, hostAddress, hostPort, guest, guestAddress, guestPort }) => ({
      protocol,
      hostAddress,
      hostPort,
      guest,
      guestAddress,
      guestPort,
    })),
  };
}

/** Replaces the file as a whole; a link is followed to its file. @throws QrunError `usage` for what is no file, `host-failed`, `permission` */
export function writePicture(file: string, svg: string): void {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isFile()) {
    throw new QrunError('usage', `${file} is no regular file`, {
      hint: 'qrun net map --svg - writes to the standard output',
    });
  }
  writeDurable(stat === undefined ? file : realpathSync(file), svg, { mode: 0o644 });
}
