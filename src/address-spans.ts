/** Sets of addresses, as rules of firewalls have them. Pure. */
import { parseAddress, parseSubnet, type AddressFamily } from './subnet.ts';

/** From the first to the last of them. */
export interface AddressSpan {
  readonly family: AddressFamily;
  readonly from: bigint;
  readonly to: bigint;
}

/** `10.0.0.1`, `10.0.0.0/24` or `10.0.0.1-10.0.0.9`. Undefined: it is none of these. */
export function parseSpan(text: string): AddressSpan | undefined {
  const subnet = parseSubnet(text);
  if (subnet !== undefined) return { family: subnet.family, from: subnet.first, to: subnet.last };
  const [first = '', last = first] = text.split('-');
  const [from, to] = [parseAddress(first), parseAddress(last)];
  if (from === undefined || to === undefined || from.family !== to.family) return undefined;
  return { family: from.family, from: from.value, to: to.value };
}

/** In order; those that meet or are neighbours are one. */
export function joinSpans(spans: readonly AddressSpan[]): AddressSpan[] {
  const joined: AddressSpan[] = [];
  for (const span of spans.toSorted(inOrder)) {
    const last = joined.at(-1);
    if (last === undefined || last.family !== span.family || span.from > last.to + 1n) joined.push(span);
    else joined.splice(-1, 1, { ...last, to: span.to > last.to ? span.to : last.to });
  }
  return joined;
}

function inOrder(a: AddressSpan, b: AddressSpan): number {
  if (a.family !== b.family) return a.family - b.family;
  return a.from < b.from ? -1 : a.from > b.from ? 1 : 0;
}

/** How many of these are among the others. */
export function shareOf(spans: readonly AddressSpan[], others: readonly AddressSpan[]): 'all' | 'some' | 'none' {
  const joined = joinSpans(others);
  const meets = (a: AddressSpan, b: AddressSpan): boolean => a.family === b.family && a.from <= b.to && b.from <= a.to;
  const isWithin = (one: AddressSpan): boolean =>
    joined.some((other) => other.family === one.family && other.from <= one.from && one.to <= other.to);
  if (spans.length > 0 && spans.every(isWithin)) return 'all';
  return spans.some((one) => joined.some((other) => meets(one, other))) ? 'some' : 'none';
}
