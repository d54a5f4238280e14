/** Which VM comes after which: an order that respects it, or why there is none. */

export interface Ordered {
  readonly name: string;
  readonly after: readonly { readonly vm: string }[];
}

/** Each behind all that it comes after, else as they are given. An `after` that names none of them counts for nothing. Of a cycle, none is in the result. */
export function orderOf<V extends Ordered>(vms: readonly V[]): V[] {
  const waits = new Map(vms.map((vm) => [vm.name, new Set<string>()]));
  const followers = followersOf(vms);
  for (const { name, after } of vms) for (const { vm } of after) if (waits.has(vm)) waits.get(name)?.add(vm);
  const order: V[] = [];
  const byName = new Map(vms.map((vm) => [vm.name, vm]));
  const free = vms.filter(({ name }) => waits.get(name)?.size === 0).map(({ name }) => name);
  // it grows while it is walked
  for (const name of free) {
    const vm = byName.get(name);
    if (vm !== undefined) order.push(vm);
    for (const follower of followers.get(name) ?? []) {
      const left = waits.get(follower);
      if (left?.delete(name) === true && left.size === 0) free.push(follower);
    }
  }
  return order;
}

/** By VM: those that come right after it. */
export function followersOf(vms: readonly Ordered[]): ReadonlyMap<string, readonly string[]> {
  const followers = new Map<string, string[]>(vms.map(({ name }) => [name, []]));
  for (const { name, after } of vms) for (const { vm } of after) followers.get(vm)?.push(name);
  return followers;
}

/** A cycle of those that no order can hold, from its first VM back to it: `[a, b, a]` when a comes after b, and b after a. Undefined: there is none. */
export function findCycle(vms: readonly Ordered[]): readonly string[] | undefined {
  const ordered = new Set(orderOf(vms).map(({ name }) => name));
  const stuck = new Map(vms.filter(({ name }) => !ordered.has(name)).map((vm) => [vm.name, vm]));
  // each of these waits for another of these: whoever goes on must come by somewhere a second time
  const way: string[] = [];
  for (let next = stuck.keys().next().value; next !== undefined;) {
    const before = way.indexOf(next);
    way.push(next);
    if (before >= 0) return way.slice(before);
    next = stuck.get(next)?.after.find(({ vm }) => stuck.has(vm))?.vm;
  }
  return undefined;
}
