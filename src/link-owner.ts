/** Whose the interfaces are that are in one's way, by their aliases. */
import { isPortAlias, parseLinkAlias } from './link-name.ts';

export interface NamedLink {
  readonly name: string;
  /** Empty: none. */
  readonly alias: string;
}

interface AliasOwner {
  /** `p1`, `network lan0`, `another user's p1`; undefined: it is not qrun's. */
  readonly words?: string;
  /** Of the same state directory: it can be stopped. */
  readonly vm?: string;
  readonly network?: string;
}

/** Whose an interface of qrun's is. @param own an alias of the state directory that is asked for */
function ownerOfAlias(alias: string, own: string): AliasOwner {
  const owner = parseLinkAlias(alias);
  if (owner === undefined) return {};
  if (isPortAlias(owner)) {
    const network = owner.vm.slice('net/'.length);
    return { words: `network ${network}`, network };
  }
  if (owner.state !== parseLinkAlias(own)?.state) return { words: `another user's ${owner.vm}` };
  return { words: owner.vm, vm: owner.vm };
}

/** In words, with the command that ends their use. @param alias one's own */
export function holdersInWords(uses: readonly NamedLink[], alias: string): { who: string; hint: string } {
  const owners = uses.map(({ name, alias: other }) => ({ name, ...ownerOfAlias(other, alias) }));
  const stop = [...new Set(owners.flatMap((owner) => owner.vm ?? []))];
  const [network] = owners.flatMap((owner) => owner.network ?? []);
  const [first] = owners;
  return {
    who: owners.map(({ name, words }) => (words === undefined ? name : `${name} of ${words}`)).join(', '),
    hint:
      stop.length > 0
        ? `qrun stop ${stop.join(' ')}`
        : network === undefined
          ? `ip -details link show dev ${first?.name ?? ''}`
          : `sudo qrun net down ${network}`,
  };
}
