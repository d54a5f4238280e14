/** Everything that can be found out about a lab's VMs before the first of them starts. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { LabVm } from '../lab/lab.ts';
import type { VmName } from '../names.ts';
import type { Profile } from '../profile/profile.ts';
import type { LabContext } from './lab-context.ts';
import { joinedFailures, type Failure } from './lab-errors.ts';
import { loadProfile, prepareProfile, type Prepared } from './prepare.ts';
import { readVm } from './vms.ts';

export type Profiles = ReadonlyMap<VmName, Profile>;
export type Plans = ReadonlyMap<VmName, Prepared>;

/** @throws QrunError with the faults of all profiles */
export async function loadProfiles(vms: readonly LabVm[], context: LabContext): Promise<Profiles> {
  return await forAll(vms, async (vm) => {
    const { name, profile, ephemeral, args } = vm;
    try {
      return await loadProfile(profile, { name, args, ...(ephemeral !== undefined && { ephemeral }) }, context);
    } catch (error) {
      throw withNeighbour(error, vm);
    }
  });
}

/** A profile beside the lab file is found by a path only. */
function withNeighbour(error: unknown, { profile, file }: LabVm): unknown {
  if (!(error instanceof QrunError) || error.code !== 'unknown-name' || file === undefined) return error;
  const neighbour = path.join(path.dirname(file), `${profile}.yaml`);
  if (path.isAbsolute(profile) || !existsSync(neighbour)) return error;
  return new QrunError(error.code, error.message, {
    causes: error.causes,
    hint: `profile: ./${profile}.yaml in ${path.basename(file)}: a path is relative to the lab, a name is not`,
  });
}

/**
 * The plans of those that can be planned already: not of what runs, and not of what comes after the end of another, which may make what it needs.
 * @throws QrunError with what is wrong with any of them
 */
export async function planLab(vms: readonly LabVm[], profiles: Profiles, context: LabContext): Promise<Plans> {
  const late = afterAnEnd(vms);
  const early = vms.filter(({ name }) => !late.has(name) && readVm(context, name).pid === undefined);
  return await forAll(early, ({ name }) => prepareProfile(profileOf(profiles, name), context));
}

export function profileOf(profiles: Profiles, name: VmName): Profile {
  const profile = profiles.get(name);
  if (profile === undefined) throw new QrunError('bug', `${name} has no profile`);
  return profile;
}

function afterAnEnd(vms: readonly LabVm[]): ReadonlySet<VmName> {
  const byName = new Map(vms.map((vm) => [vm.name, vm]));
  const found = new Set<VmName>();
  const known = new Map<VmName, boolean>();
  const isLate = (vm: LabVm): boolean => {
    const before = known.get(vm.name);
    if (before !== undefined) return before;
    const late = vm.after.some(({ vm: name, wait }) => {
      const other = byName.get(name);
      return (wait ?? other?.wait)?.what.what === 'end' || (other !== undefined && isLate(other));
    });
    known.set(vm.name, late);
    return late;
  };
  for (const vm of vms) if (isLate(vm)) found.add(vm.name);
  return found;
}

async function forAll<T>(vms: readonly LabVm[], act: (vm: LabVm) => Promise<T>): Promise<ReadonlyMap<VmName, T>> {
  const found = new Map<VmName, T>();
  const failures: Failure[] = [];
  // one after another: nothing in here waits for anybody, and faults come in the order of the files
  for (const vm of vms) {
    try {
      found.set(vm.name, await act(vm));
    } catch (error) {
      failures.push({ vm, error });
    }
  }
  if (failures.length > 0) throw joinedFailures(failures);
  return found;
}
