/** What can only be told when all VMs of a lab are known: names that stand twice, or nowhere, and who waits for himself in the end. */
import { closestOf } from '../profile/closest.ts';
import { listed, truncated } from '../profile/words.ts';
import type { DocumentPath, PathFault } from '../profile/yaml-document.ts';
import type { LabNetwork, LabVm } from './lab.ts';
import { findCycle } from './order.ts';
import type { VmEntry } from './vms.ts';

export function consistencyFaults(entries: readonly VmEntry[], lineOf: (path: DocumentPath) => number): PathFault[] {
  const names = [...new Set(entries.flatMap(({ name }) => (name === undefined ? [] : [name])))];
  const faults = [
    ...doubledNames(entries, lineOf),
    ...entries.flatMap((entry) => faultsOfAfter(entry, names)),
    ...idleTimeouts(entries),
  ];
  return [...faults, ...faultsOfCycle(entries)];
}

export function faultsOfNetworks(networks: readonly LabNetwork[]): PathFault[] {
  return networks.flatMap(({ name }, index) =>
    networks.findIndex((one) => one.name === name) === index
      ? []
      : [fault(['networks', index], `the network ${truncated(name)} stands here twice`)],
  );
}

function doubledNames(entries: readonly VmEntry[], lineOf: (path: DocumentPath) => number): PathFault[] {
  return entries.flatMap(({ name, path }, index) => {
    const first = entries.findIndex((one) => one.name !== undefined && one.name === name);
    if (first < 0 || first === index) return [];
    const line = lineOf(entries[first]?.path ?? []);
    return [fault(path, `a second VM of the name ${truncated(name ?? '')}: the first stands on line ${line}`)];
  });
}

interface Written {
  readonly vm: string;
  readonly path: DocumentPath;
  readonly at: PathFault['at'];
}

/** The names as they stand there, also those that a parser passes over. */
function afterOf({ value, path }: VmEntry): Written[] {
  const after: unknown =
    typeof value === 'object' && value !== null && Object.hasOwn(value, 'after')
      ? (value as { after: unknown }).after
      : undefined;
  const at = [...path, 'after'];
  if (typeof after === 'string') return [{ vm: after, path: at, at: 'value' }];
  if (Array.isArray(after))
    return after.flatMap((vm: unknown, index) =>
      typeof vm === 'string' ? [{ vm, path: [...at, index], at: 'value' as const }] : [],
    );
  if (typeof after !== 'object' || after === null) return [];
  return Object.keys(after).map((vm) => ({ vm, path: [...at, vm], at: 'key' }));
}

function faultsOfAfter(entry: VmEntry, names: readonly string[]): PathFault[] {
  const written = afterOf(entry);
  return written.flatMap(({ vm, path, at }, index) => {
    if (vm === entry.name) return [{ path, at, message: `${truncated(vm)} cannot come after itself` }];
    if (!names.includes(vm)) return [{ path, at, message: unknown(vm, names) }];
    const again = written.findIndex((one) => one.vm === vm) < index;
    return again ? [{ path, at, message: `${truncated(vm)} stands here twice` }] : [];
  });
}

function unknown(vm: string, names: readonly string[]): string {
  const near = closestOf(vm, names);
  const which = names.length > 12 ? '' : `: there are ${listed(names, 'and')}`;
  return `no VM of this lab is called ${truncated(vm)}${near === undefined ? which : `, did you mean "${near}"?`}`;
}

/** A limit for a wait that nobody does is a misunderstanding. */
function idleTimeouts(entries: readonly VmEntry[]): PathFault[] {
  const waitedFor = new Set(
    entries.flatMap(({ vm }) => vm?.after.filter(({ wait }) => wait !== undefined).map((edge) => edge.vm) ?? []),
  );
  return entries.flatMap(({ vm, path }) =>
    vm?.timeoutS === undefined || vm.wait !== undefined || waitedFor.has(vm.name)
      ? []
      : [
          {
            path: [...path, 'timeout'],
            at: 'key' as const,
            message: 'a timeout of nothing: nobody waits for more than its start; say for what with "wait"',
          },
        ],
  );
}

/** One at a time: whoever breaks it sees the next. */
function faultsOfCycle(entries: readonly VmEntry[]): PathFault[] {
  const vms = entries.flatMap(({ vm }): LabVm[] => (vm === undefined ? [] : [withoutItself(vm)]));
  const cycle = findCycle(vms);
  const entry = entries.find(({ name }) => name !== undefined && name === cycle?.[0]);
  if (cycle === undefined || entry === undefined) return [];
  return [
    {
      path: [...entry.path, 'after'],
      at: 'key',
      message: `${cycle.join(' → ')}: each comes after the next, so none of them can be the first`,
    },
  ];
}

/** That is told in its own words. */
const withoutItself = (vm: LabVm): LabVm => ({ ...vm, after: vm.after.filter((edge) => edge.vm !== vm.name) });

const fault = (path: DocumentPath, message: string): PathFault => ({ path, at: 'value', message });
