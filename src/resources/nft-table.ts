/**
 * A table as nft lists it, held against what was put into it. In text and with the kernel's numbers (`-a`): in JSON not every nft says that a table is
 * asleep. Pure.
 */
import { joinSpans, parseSpan } from '../address-spans.ts';
import { isRecord } from '../json-object.ts';
import { ownerChain, type NftCommand, type NftTable } from '../plan/nft-commands.ts';

/** `emptied`: not all that was in it is there. `changed`: all of it, and more; or its sets, or the table itself, are others. */
export type TableState = 'own' | 'emptied' | 'changed' | 'foreign';

export interface MadeTable extends NftTable {
  readonly owner: string;
  /** Of it and of other tables. */
  readonly commands: readonly NftCommand[];
}

/** @param listing of `nft -a list table` */
export function compareTable(made: MadeTable, listing: string): TableState {
  const found = parseListing(listing);
  if (!isOurs(made, found)) return 'foreign';
  const wanted = contentOf(made);
  const counts = [
    [found.chains.length, wanted.chain.length],
    [found.rules.length, wanted.rule.length],
    [found.sets.length, wanted.set.length],
  ] as const;
  if (counts.some(([now, before]) => now < before)) return 'emptied';
  const isSame =
    counts.every(([now, before]) => now === before) &&
    !found.dormant &&
    found.chains.every(({ policy }) => policy !== 'drop') &&
    wanted.set.every((set) => hasSameElements(set, found)) &&
    !hasLater(found, wanted);
  return isSame ? 'own' : 'changed';
}

interface Listing {
  readonly dormant: boolean;
  readonly chains: readonly { readonly name: string; readonly policy?: string }[];
  readonly rules: readonly { readonly chain: string; readonly text: string; readonly handle: number }[];
  /** Maps, and whatever else has a name, are among them. */
  readonly sets: readonly { readonly name: string; readonly elements: readonly string[] }[];
}

/** Parts are a tab within the table; each begins with its kind and its name. What has a number ends with it. */
function parseListing(text: string): Listing {
  const [head = '', ...parts] = text.split(/^\t(?=[a-z]+ \S+ \{)/m);
  const named = parts.map((part) => ({ kind: part.split(' ')[0], name: part.split(' ')[1] ?? '', part }));
  const chains = named.filter(({ kind }) => kind === 'chain');
  return {
    dormant: /^\tflags [^\n]*\bdormant\b/m.test(head),
    chains: chains.map(({ name, part }) => {
      const policy = /^\t\ttype [^\n]*; policy (\w+);$/m.exec(part)?.[1];
      return { name, ...(policy !== undefined && { policy }) };
    }),
    rules: chains.flatMap(({ name, part }) =>
      [...part.matchAll(/^\t\t([^\n]*) # handle (\d+)$/gm)].map(([, rule = '', handle]) => ({
        ...{ chain: name, text: rule, handle: Number(handle) },
      })),
    ),
    sets: named.filter(({ kind }) => kind !== 'chain').map(({ name, part }) => ({ name, elements: elementsIn(part) })),
  };
}

const elementsIn = (part: string): string[] =>
  (/\telements = \{([^}]*)\}/.exec(part)?.[1] ?? '')
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');

type Item = Readonly<Record<string, unknown>>;
type Content = Readonly<Record<'chain' | 'rule' | 'set', readonly Item[]>>;

/** What was put into it. */
function contentOf({ family, name, commands }: NftTable & Pick<MadeTable, 'commands'>): Content {
  const of = (kind: string): Item[] =>
    commands.flatMap(({ add }) => {
      const one = isRecord(add) ? add[kind] : undefined;
      return isRecord(one) && one['family'] === family && one['table'] === name ? [one] : [];
    });
  return { chain: of('chain'), rule: of('rule'), set: of('set') };
}

/** As it was made: an older qrun called it otherwise. */
export const ownerChainIn = ({ commands }: Pick<MadeTable, 'commands'>, table: NftTable): string | undefined =>
  contentOf({ ...table, commands })
    .chain.map(({ name }) => String(name))
    .find((name) => name.startsWith(ownerChain));

/** Its marker says whose it is; emptied, it has the chain's name alone to tell it by. */
function isOurs(made: MadeTable, { chains, rules }: Listing): boolean {
  const marker = rules.find(({ chain }) => chain.startsWith(ownerChain));
  if (marker !== undefined) return /comment "([^"]*)"$/.exec(marker.text)?.[1] === made.owner;
  const own = ownerChainIn(made, made) ?? ownerChain;
  return chains.some(({ name }) => name === own);
}

/** Addresses by what they are together, for neighbours may be listed as one; of all else how many there are. */
function hasSameElements({ name, elem }: Item, { sets }: Listing): boolean {
  const before: readonly unknown[] = Array.isArray(elem) ? elem : [];
  const now = sets.find((one) => one.name === name)?.elements ?? [];
  const [one, other] = [spansOf(before.map(textOf)), spansOf(now)];
  return one === undefined || other === undefined ? before.length === now.length : one === other;
}

/** In words that are the same for the same addresses. Undefined: not all are addresses. */
function spansOf(elements: readonly string[]): string | undefined {
  const spans = elements.map(parseSpan);
  if (!spans.every((span) => span !== undefined)) return undefined;
  return joinSpans(spans)
    .map(({ from, to }) => `${from}-${to}`)
    .join(' ');
}

/** `10.0.0.1`, `{ prefix: { addr, len } }` */
function textOf(element: unknown): string {
  if (typeof element === 'string') return element;
  const prefix = isRecord(element) ? element['prefix'] : undefined;
  return isRecord(prefix) ? `${String(prefix['addr'])}/${String(prefix['len'])}` : '';
}

/** The kernel counts what is made in a table, one after the other: what stands before something that was made before it has come later, in place of something. */
function hasLater({ rules }: Listing, { chain }: Content): boolean {
  const inOrder = chain.flatMap(({ name }) => rules.flatMap((one) => (one.chain === name ? [one.handle] : [])));
  return inOrder.some((handle, at) => handle < (inOrder[at - 1] ?? 0));
}
