/** The NICs of a running VM with what the managed networks know of them. No monitor is asked. */
import type { PlannedNic } from '../plan/launch-plan.ts';
import { describeNic, type NicDocument, type Where } from './vms.ts';

/** @param ipsOf what is known of NICs on no managed network */
export async function describeNicsNow(
  vm: string,
  nics: readonly PlannedNic[],
  options: Where & { readonly ipsOf?: (nic: PlannedNic) => readonly string[] },
): Promise<NicDocument[]> {
  if (nics.every(({ network }) => network === undefined))
    return nics.map((nic) => describeNic(nic, options.ipsOf?.(nic) ?? []));
  const { readNicOnNetwork } = await import('../networks/nic-state.ts');
  return nics.map((nic) => {
    const { network, id, mac } = nic;
    if (network === undefined) return describeNic(nic, options.ipsOf?.(nic) ?? []);
    const { ips, lost } = readNicOnNetwork({ network, vm, nic: id, mac }, options);
    return { ...describeNic(nic, ips), ...(lost && { link: 'lost' as const }) };
  });
}
