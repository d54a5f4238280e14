/**
 * Whom this host has talked to on its networks lately, from the kernel's tables: both families by one run of `ip`; where it is missing or refuses, those
 * of IPv4, which are in a file.
 */
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import type { System } from '../system/system.ts';

export interface NeighbourFact {
  readonly address: string;
  /** Lower case. */
  readonly mac: string;
  readonly interface: string;
}

/** By the one that looked: a command that lists a hundred VMs looks once. */
const seen = new WeakMap<LooksWith, readonly NeighbourFact[]>();

type LooksWith = Pick<System, 'which' | 'runNow'>;

/** None where the tables cannot be read. @param again for who waits for a change: what was seen before does not count */
export function readNeighbours(system: LooksWith, again = false): readonly NeighbourFact[] {
  const known = again ? undefined : seen.get(system);
  const facts = known ?? readRows(system) ?? readFile();
  seen.set(system, facts);
  return facts;
}

function readRows(system: LooksWith): NeighbourFact[] | undefined {
  if (system.which('ip') === undefined) return undefined;
  const { status, stdout } = system.runNow('ip', ['-j', 'neigh', 'show']);
  return status === 0 ? parseNeighbourRows(stdout) : undefined;
}

/** https://docs.kernel.org/filesystems/proc.html */
function readFile(): NeighbourFact[] {
  try {
    return parseNeighbours(readFileSync('/proc/net/arp', 'utf8'));
  } catch {
    return [];
  }
}

const isComplete = 2;

/** Rows of `IP-address HW-type Flags HW-address Mask Device` under a heading. */
export function parseNeighbours(text: string): NeighbourFact[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line): NeighbourFact[] => {
      const [address = '', , flags = '', mac = '', , name = ''] = line.trim().split(/\s+/);
      if ((Number.parseInt(flags, 16) & isComplete) === 0 || name === '') return [];
      return [{ address, mac: mac.toLowerCase(), interface: name }];
    });
}

/** What `ip -j neigh` prints; undefined: that is not what it was. Rows of whom nobody answered for are left out. */
export function parseNeighbourRows(text: string): NeighbourFact[] | undefined {
  const rows = parseJson(text.trim() === '' ? '[]' : text);
  if (!Array.isArray(rows)) return undefined;
  return rows.flatMap((row: unknown): NeighbourFact[] => {
    if (typeof row !== 'object' || row === null) return [];
    const [address, mac, name, state] = ['dst', 'lladdr', 'dev', 'state'].map(
      (key) => Reflect.get(row, key) as unknown,
    );
    if (typeof address !== 'string' || typeof mac !== 'string' || typeof name !== 'string') return [];
    if (Array.isArray(state) && state.some((one) => one === 'FAILED' || one === 'INCOMPLETE')) return [];
    return [{ address, mac: mac.toLowerCase(), interface: name }];
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Where a MAC was met: those of IPv4 first; link-local ones, with the interface that they count on. */
export const addressesMet = (mac: string, neighbours: readonly NeighbourFact[]): string[] =>
  neighbours
    .flatMap((one) =>
      one.mac === mac ? [isLinkLocal(one.address) ? `${one.address}%${one.interface}` : one.address] : [],
    )
    .toSorted((one, other) => Number(isIPv6(one)) - Number(isIPv6(other)));

/** Every guest has a link-local address: it says something where nothing else is known. */
export function mostTelling(addresses: readonly string[]): string[] {
  const wide = addresses.filter((address) => !isLinkLocal(address));
  return [...new Set(wide.length > 0 ? wide : addresses)];
}

const isLinkLocal = (address: string): boolean => /^fe[89ab][0-9a-f]:/i.test(address);
