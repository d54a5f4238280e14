/** The VMs of this user: what runs, in which state, and how the others ended. Read only; no lock is taken and no monitor asked. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { isVmName, parseVmName, type VmName } from '../names.ts';
import type { Places } from '../places.ts';
import type { PlannedNic } from '../plan/launch-plan.ts';
import { vmFiles, type VmFiles } from '../plan/vm-files.ts';
import { parseJournalText, summarise } from '../qmp/journal.ts';
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
  try {
    return readdirSync(path.join(places.state, 'vms')).filter(isVmName).toSorted();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

export function readVm(places: Places, vm: VmName): Vm {
  const files = vmFiles(places, vm);
  const record = readRun(files);
  const end = readEnd(files);
  const pid = record === undefined && !existsSync(files.journal) ? undefined : findRunningPid(files);
  return {
    vm,
    files,
    state: pid === undefined ? 'stopped' : stateOf(files, record),
    ...(pid !== undefined && { pid }),
    ...(record !== undefined && pid !== undefined && { record }),
    ...(end !== undefined && { end }),
  };
}

/** The event journal has it all; a VM whose record or monitor is gone runs on, but cannot be reached: lost. */
function stateOf(files: VmFiles, record: RunRecord | undefined): VmState {
  if (record === undefined || !existsSync(record.sockets.qmp)) return 'lost';
  const { paused, poweringDown } = summarise(parseJournalText(readTail(files.events, 65_536)));
  if (poweringDown) return 'powering-down';
  return paused ? 'paused' : 'running';
}

export const listRunning = (places: Places): Vm[] => listVmNames(places).map((vm) => readVm(places, vm)).filter(({ pid }) => pid !== undefined);

/** @throws QrunError `unknown-name` when there is no such VM, or it does not run and must */
export function requireRunning(places: Places, name: string): RunningVm {
  const vm = readVm(places, parseVmName(name));
  if (vm.pid !== undefined && vm.record !== undefined) return vm as RunningVm;
  if (vm.state === 'lost') throw new QrunError('host-failed', `${name} runs (pid ${vm.pid}), but its record is lost`, { hint: `qrun kill ${name}` });
  throw new QrunError('unknown-name', `${name} does not run`, { hint: 'qrun ps' });
}

/** As CONTRACT §4 gives them: `ps --json`. */
export function describeNic(nic: PlannedNic): Record<string, unknown> {
  const { forwards, ...rest } = nic;
  return {
    ...rest,
    ...(forwards && {
      forwards: forwards.map(({ protocol, hostAddress, hostPort, guest, guestPort }) => ({ protocol, hostAddress, hostPort, guest: guest ?? null, guestPort })),
    }),
    hostInterface: nic.hostInterface ?? null,
    ips: [],
  };
}
