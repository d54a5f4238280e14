/** The addresses of this host, from the kernel's tables: no program is started for it. */
import { canonicalAddress, renderAddress } from '../subnet.ts';
import { contentOf } from '../system/glance.ts';

/** Of all interfaces, in canonical form. Undefined: that cannot be told. https://docs.kernel.org/filesystems/proc.html */
export function readOwnAddresses(
  file = '/proc/net/fib_trie',
  file6 = '/proc/net/if_inet6',
): ReadonlySet<string> | undefined {
  const [four, six] = [contentOf(file), contentOf(file6)];
  return four === undefined ? undefined : new Set([...parseLocal(four), ...parseLocal6(six ?? '')]);
}

/** A tree: `|-- 192.0.2.2`, and below it what leads there, `/32 host LOCAL` for an own address. */
export function parseLocal(text: string): string[] {
  let at = '';
  return text.split('\n').flatMap((line): string[] => {
    const leaf = /\|-- ([0-9.]+)$/.exec(line)?.[1];
    if (leaf !== undefined) at = leaf;
    return leaf === undefined && line.trim() === '/32 host LOCAL' ? [at] : [];
  });
}

/** Rows of `ADDRESS IFINDEX LENGTH SCOPE FLAGS NAME`, in hex. */
export function parseLocal6(text: string): string[] {
  return text.split('\n').flatMap((line): string[] => {
    const hex = /^([0-9a-f]{32}) /.exec(line)?.[1];
    if (hex === undefined) return [];
    const address = canonicalAddress(renderAddress({ family: 6, value: BigInt(`0x${hex}`) }));
    return address === undefined ? [] : [address];
  });
}
