/** Which tap QEMU has got for which NIC, where somebody else than qrun made it. */
import type { TapFact } from '../host/tap-of.ts';
import type { LaunchPlan, PlannedNic } from '../plan/launch-plan.ts';

/**
 * QEMU makes its back ends in the order of its command line, so the first tap on a bridge is that of the first NIC on it.
 * @returns the plan's NICs, with `hostInterface` where it is known now
 */
export async function nicsWithTaps(plan: LaunchPlan, pid: number): Promise<readonly PlannedNic[]> {
  const { taps = [], nics } = plan;
  if (taps.length === 0) return nics;
  const { readTapsOf } = await import('../host/tap-of.ts');
  return assignTaps(plan, readTapsOf(pid));
}

export function assignTaps(
  { taps = [], nics }: Pick<LaunchPlan, 'taps' | 'nics'>,
  found: readonly TapFact[],
): PlannedNic[] {
  const named = new Set(nics.flatMap(({ hostInterface }) => hostInterface ?? []));
  const free = found.filter(({ name }) => !named.has(name));
  const names = new Map<string, string>();
  for (const { nic, bridge } of taps) {
    const at = free.findIndex((tap) => tap.bridge === bridge);
    const [tap] = at < 0 ? [] : free.splice(at, 1);
    if (tap !== undefined) names.set(nic, tap.name);
  }
  return nics.map((nic) => {
    const name = names.get(nic.id);
    return name === undefined ? nic : { ...nic, hostInterface: name };
  });
}
