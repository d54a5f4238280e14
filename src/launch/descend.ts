/** The way back: each VM after all that come after it. */
import { followersOf, type Ordered } from '../lab/order.ts';
import { createLimit } from './limit.ts';

/** @param act throws nothing: what goes wrong with one keeps no other from its turn */
export async function descend<V extends Ordered>(
  vms: readonly V[],
  act: (vm: V) => Promise<void>,
  atOnce: number,
): Promise<void> {
  const followers = followersOf(vms);
  const byName = new Map(vms.map((vm) => [vm.name, vm]));
  const limit = createLimit(atOnce);
  const ends = new Map<string, Promise<void>>();
  const end = (vm: V): Promise<void> => {
    const known = ends.get(vm.name);
    if (known !== undefined) return known;
    const before = (followers.get(vm.name) ?? []).flatMap((name) => byName.get(name) ?? []);
    const ending = Promise.all(before.map(end)).then(() => limit(() => act(vm)));
    ends.set(vm.name, ending);
    return ending;
  };
  await Promise.all(vms.map(end));
}
