/** What a network of `forward: bridge` cannot honour: refused with the reason, never ignored. */
import { isRecord } from '../../json-object.ts';
import type { WrittenMap } from '../../profile/definition.ts';
import type { DocumentPath, PathFault } from '../../profile/yaml-document.ts';
import { canonicalAddress, parseAddress } from '../../subnet.ts';
import { bridgeNameFaults } from '../bridged/faults.ts';
import { isHarmless } from '../harmless.ts';
import { portWhoFaults, unhonoured } from '../transport/tap.ts';
import { valueAt } from '../written.ts';

const asItIs = 'the bridge is there already, and stays as it is';

/** With a name and no card of its own it is one of the host's. */
const ofTheirs = [
  { path: ['addresses'], why: asItIs },
  ...['stp', 'forwardDelay', 'mac'].map((key) => ({ path: ['bridge', key], why: asItIs })),
];

export function joinedFaults(written: WrittenMap): PathFault[] {
  const named = !isHarmless(valueAt(written, ['bridge', 'name']));
  const theirs = named && isHarmless(valueAt(written, ['bridge', 'uplink']));
  const refused = [...unhonoured, ...(theirs ? ofTheirs : [])];
  return [
    ...portWhoFaults(written),
    ...refused.flatMap(({ path, why }): PathFault[] =>
      isHarmless(valueAt(written, path))
        ? []
        : [{ path, at: 'key', message: `forward: bridge cannot honour ${path.join('.')}: ${why}` }],
    ),
    ...(named && !theirs ? bridgeNameFaults(written) : []),
    ...linkFaults(written),
  ];
}

interface WrittenLink {
  readonly path: DocumentPath;
  readonly key: string;
  readonly peers: readonly { readonly path: DocumentPath; readonly address: string }[];
}

const at = (path: DocumentPath, message: string): PathFault => ({ path, at: 'value', message });

function linkFaults(written: WrittenMap): PathFault[] {
  const links = writtenLinks(written);
  const doubled = links.flatMap(({ key, path }, number): PathFault[] => {
    const first = links.slice(0, number).findIndex((one) => one.key === key);
    return first === -1 ? [] : [at(path, `links[${first}] has that id on that port already`)];
  });
  return [...doubled, ...links.flatMap(({ peers }) => peerFaults(peers))];
}

function peerFaults(peers: WrittenLink['peers']): PathFault[] {
  return peers.flatMap(({ address, path }, number): PathFault[] => {
    const [first] = peers;
    if (peers.slice(0, number).some((one) => one.address === address))
      return [at(path, `${address} stands there twice`)];
    if (isOfNobody(address)) return [at(path, `${address} is the address of no one host`)];
    if (first !== undefined && first.address.includes(':') !== address.includes(':'))
      return [at(path, `${first.address} and ${address} are of two families: write a link for each`)];
    return [];
  });
}

/** Groups, what is no address of anybody's, and those that need an interface to mean something. */
function isOfNobody(address: string): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined) return false;
  const { family, value } = parsed;
  if (family === 4) return value >> 24n === 0n || value >> 24n === 127n || value >> 28n >= 0xen;
  return value <= 1n || value >> 120n === 0xffn || value >> 118n === 0x3fan;
}

function writtenLinks(written: WrittenMap): WrittenLink[] {
  const links: unknown = written['links'];
  if (!Array.isArray(links)) return [];
  return links.flatMap((link: unknown, number): WrittenLink[] => {
    const vxlan = isRecord(link) ? link['vxlan'] : undefined;
    if (!isRecord(vxlan)) return [];
    const path = ['links', number, 'vxlan'];
    const peers: readonly unknown[] = Array.isArray(vxlan['peers']) ? vxlan['peers'] : [];
    return [
      {
        path: [...path, 'id'],
        key: JSON.stringify([vxlan['id'], vxlan['port'] ?? defaultPort]),
        peers: peers.flatMap((peer, place) =>
          typeof peer === 'string'
            ? [{ path: [...path, 'peers', place], address: canonicalAddress(peer) ?? peer }]
            : [],
        ),
      },
    ];
  });
}

const defaultPort = 4789;
