/** Several labs and VMs of one command line → one lab. */
import { isDeepStrictEqual } from 'node:util';
import { QrunError } from '../errors.ts';
import type { LabNetwork, LabVm } from './lab.ts';
import { findCycle } from './order.ts';

/** What one word of the command line means. */
export interface Part {
  /** As it was written. */
  readonly word: string;
  readonly networks: readonly LabNetwork[];
  readonly vms: readonly LabVm[];
}

export type Together = Pick<Part, 'networks' | 'vms'>;

/** The same VM may be meant twice, with what it comes after added up. @throws QrunError `usage` when two VMs of one name are not the same, and for a cycle */
export function mergeParts(parts: readonly Part[]): Together {
  const vms = new Map<string, { readonly vm: LabVm; readonly word: string }>();
  const networks = new Map<string, { readonly network: LabNetwork; readonly word: string }>();
  for (const { word, ...part } of parts) {
    for (const vm of part.vms) {
      const known = vms.get(vm.name);
      vms.set(vm.name, { vm: known === undefined ? vm : joined(known, { vm, word }), word: known?.word ?? word });
    }
    for (const network of part.networks) {
      const known = networks.get(network.name);
      if (known !== undefined && known.network.definition !== network.definition)
        throw differ(`the network ${network.name}`, known.word, word);
      networks.set(network.name, known ?? { network, word });
    }
  }
  const together = [...vms.values()].map(({ vm }) => vm);
  const cycle = findCycle(together);
  if (cycle !== undefined)
    throw new QrunError('usage', `${cycle.join(' → ')}: each comes after the next, so none of them can be the first`, {
      hint: 'take one of their "after" out',
    });
  return { vms: together, networks: [...networks.values()].map(({ network }) => network) };
}

interface Named {
  readonly vm: LabVm;
  readonly word: string;
}

function joined(known: Named, other: Named): LabVm {
  const { vm } = known;
  // a bare name means the VM, however a lab starts it
  if (isBare(other.vm) && isSameProfile(vm, other.vm)) return vm;
  if (isBare(vm) && isSameProfile(vm, other.vm)) return other.vm;
  const { after, at, file, ...rest } = vm;
  const { after: moreAfter, at: _at, file: _file, ...otherRest } = other.vm;
  if (!isDeepStrictEqual(rest, otherRest)) throw differ(vm.name, known.word, other.word);
  const added = moreAfter.filter((edge) => !after.some((one) => isDeepStrictEqual(one, edge)));
  return { ...rest, after: [...after, ...added], ...(at !== undefined && { at }), ...(file !== undefined && { file }) };
}

const isSameProfile = (a: LabVm, b: LabVm): boolean => a.profile === b.profile;

/** Named on the command line. */
const isBare = ({ at }: LabVm): boolean => at === undefined;

const differ = (what: string, first: string, second: string): QrunError =>
  new QrunError('usage', `${what} of ${first} is not the one of ${second}`, {
    hint: first === second ? 'give it two names' : 'bring them up one after the other',
  });
