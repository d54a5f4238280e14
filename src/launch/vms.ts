/** The VMs of this user: what runs, in which state, and how the others ended. Read only; no lock is taken and no monitor asked. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, orNone, QrunError } from '../errors.ts';
import { listProfiles } from '../host/profile-files.ts';
import { readJournal } from '../journal/journal.ts';
import { isVmName, parseVmName, type VmName } from '../names.ts';
import type { Places } from '../places.ts';
import { failureOf } from '../system/failure.ts';
import type { System } from '../system/system.ts';
import type { PlannedNic } from '../plan/launch-plan.ts';
import { vmFiles, type VmFiles } from '../plan/vm-files.ts';
import { parseJournal, summarise } from '../qmp/journal.ts';
import { readTail } from '../system/files.ts';
import { findRunningPid } from './liveness.ts';
import { readEnd, readRun, type EndRecord, type RunRecord } from './run-record.ts';

export type VmState = 'running' | 'paused' | 'powering-down' | 'lost' | 'stopped';

export interface Vm {
  readonly vm: VmName;
  readonly files: VmFiles;
  readonly state: VmState;
  readonly pid?: number;
  readonly record?: RunRecord;
  readonly end?: EndRecord;
}

export interface RunningVm extends Vm {
  readonly pid: number;
  readonly record: RunRecord;
}

/** Names of all VMs that have state, sorted. */
export function listVmNames(places: Places): VmName[] {
  const directory = path.join(places.state, 'vms');
  try {
    return readdirSync(directory).filter(isVmName).toSorted();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw failureOf(directory, error, 'cannot list it');
  }
}

/** Where VMs are looked for. */
export interface Where {
  readonly places: Places;
  readonly system: System;
}

/**
 * Never throws for what lies in the state: a record that a newer qrun wrote is as good as none for telling what runs.
 * `thoroughly`: also looks for a holder of the lock when nothing else says that the VM runs; that costs a look at every process.
 */
export function readVm({ places }: Where, vm: VmName, thoroughly = false): Vm {
  const files = vmFiles(places, vm);
  const record = orNone(() => readRun(files));
  const end = orNone(() => readEnd(files));
  const mayRun = thoroughly || [files.run, files.journal].some((file) => existsSync(file));
  const pid = mayRun ? findRunningPid(files) : undefined;
  return {
    vm,
    files,
    state: pid === undefined ? 'stopped' : stateOf(files, record),
    ...(pid !== undefined && { pid }),
    ...(record !== undefined && pid !== undefined && { record }),
    ...(end !== undefined && { end }),
  };
}

/** A VM that is just being started has no monitor yet. */
const hasStarted = ({ journal }: VmFiles): boolean => orNone(() => readJournal(journal))?.started ?? true;

/** Why a VM is lost. */
export const socketsGone = 'its sockets are gone';

/** The event journal has it all; a VM whose monitor is gone runs on, but cannot be reached: lost. A script of `show --shell` writes no record. */
function stateOf(files: VmFiles, record: RunRecord | undefined): VmState {
  if (!existsSync(record?.sockets.qmp ?? files.qmp)) return hasStarted(files) ? 'lost' : 'running';
  const text = readTail(files.events, 65_536);
  const { paused, poweringDown } = summarise(parseJournal(text));
  if (poweringDown) return 'powering-down';
  return paused || (record?.startsPaused === true && !text.includes('"RESUME"')) ? 'paused' : 'running';
}

export const listRunning = (where: Where): Vm[] =>
  listVmNames(where.places)
    .map((vm) => readVm(where, vm))
    .filter(({ pid }) => pid !== undefined);

export const isRunningVm = (vm: Vm): vm is RunningVm => vm.pid !== undefined && vm.record !== undefined;

/** @throws QrunError `unknown-name` when there is no such VM, or it does not run and must */
export function requireRunning(where: Where, name: string): RunningVm {
  const vm = readVm(where, parseVmName(name), true);
  if (isRunningVm(vm)) return vm;
  throw notRunning(vm);
}

export function notRunning({ vm, pid }: Vm): QrunError {
  if (pid === undefined) return new QrunError('unknown-name', `${vm} does not run`, { hint: 'qrun ps' });
  return new QrunError(
    'host-failed',
    `${vm} runs (pid ${pid}), but has no record; a script of qrun show --shell writes none`,
    { hint: `qrun stop ${vm}` },
  );
}

export const isKnownVm = (vm: VmName, places: Places): boolean =>
  existsSync(vmFiles(places, vm).dir) || listProfiles(places).some((profile) => profile.name === vm);

/** A VM that has state or runs, or whose profile exists: stopping what does not run is fine, an unknown name is not. @throws QrunError `unknown-name` */
export function requireKnown({ places }: Where, name: string): VmName {
  const vm = parseVmName(name);
  if (isKnownVm(vm, places)) return vm;
  throw new QrunError('unknown-name', `there is no VM ${vm}`, { hint: 'qrun ls' });
}

export interface NicDocument extends Omit<PlannedNic, 'forwards' | 'hostInterface'> {
  readonly forwards?: readonly {
    readonly protocol: 'tcp' | 'udp';
    readonly hostAddress: string;
    readonly hostPort: number | 'auto';
    readonly guest: string | null;
    readonly guestPort: number;
  }[];
  readonly hostInterface: string | null;
  readonly ips: readonly string[];
  /** What carried it is gone for good: only a new start of the VM brings it back. */
  readonly link?: 'lost';
  /** Of a NIC on a macvtap: the MAC that the guest uses instead of it. */
  readonly guestMac?: string;
  /** Of a NIC on a macvtap: the guest asks for all frames. */
  readonly promiscuous?: true;
  /** Of a NIC on a macvtap that the host was to reach: the card that its way has gone from, and what makes it again. */
  readonly hostWay?: { readonly lost: string; readonly mend: string };
}

/** A NIC as `ps --json` and `nics --json` give it. */
export function describeNic(nic: PlannedNic, ips: readonly string[]): NicDocument {
  const { forwards, hostInterface, ...rest } = nic;
  return {
    ...rest,
    ...(forwards && {
      forwards: forwards.map(({ protocol, hostAddress, hostPort, guest, guestPort }) => ({
        protocol,
        hostAddress,
        hostPort,
        guest: guest ?? null,
        guestPort,
      })),
    }),
    hostInterface: hostInterface ?? null,
    ips,
  };
}

/** One element of `ps --json`. */
export function runningDocument(
  record: RunRecord,
  { pid, state, nics }: { readonly pid: number; readonly state: VmState; readonly nics: readonly NicDocument[] },
): Record<string, unknown> {
  const { vm, startedAt, accel, sockets, profile, qemu } = record;
  return {
    vm,
    pid,
    state,
    startedAt,
    accel,
    qmp: sockets.qmp,
    profile,
    qemu,
    nics,
  };
}
