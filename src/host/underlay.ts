/** What links between hosts go by: the way to each of the others, the interfaces on it, and the VXLANs that there are already. */
import { isRecord } from '../json-object.ts';
import type { System } from '../system/system.ts';
import { readHostLink, type HostLink } from './host-link.ts';

export interface PeerFact {
  /** An address of this host itself. */
  readonly own: boolean;
  readonly dev: string;
  /** Of that way alone, in bytes. */
  readonly mtu?: number;
}

export interface VxlanFact {
  readonly name: string;
  /** Empty: none. */
  readonly alias: string;
  readonly id: number;
  readonly port: number;
}

export interface Underlay {
  /** By address; one that is not there has no way to it. */
  readonly peers: Readonly<Record<string, PeerFact>>;
  /** By name: those that are written, and those that the ways go by. */
  readonly devices: Readonly<Record<string, HostLink>>;
  readonly vxlans: readonly VxlanFact[];
}

export interface UnderlayOf {
  readonly peers: readonly string[];
  readonly devices: readonly string[];
}

export function readUnderlay({ peers, devices }: UnderlayOf, system: Pick<System, 'runNow'>): Underlay {
  const asked = [...new Set(peers)].map((peer) => `route get ${peer}\n`).join('');
  // to one without a way that line says so, and the others go on
  const ways = parseWays(system.runNow('ip', ['-json', '-force', '-batch', '-'], { stdin: asked }).stdout);
  const names = new Set([...devices, ...Object.values(ways).map(({ dev }) => dev)]);
  const found = [...names].flatMap((name): [string, HostLink][] => {
    const link = readHostLink(name);
    return link === undefined ? [] : [[name, link]];
  });
  const vxlans = parseVxlans(system.runNow('ip', ['-json', '-details', 'link', 'show', 'type', 'vxlan']).stdout);
  return { peers: ways, devices: Object.fromEntries(found), vxlans };
}

/** Of `ip -json -batch` with `route get`: an array for each line that had an answer. */
export function parseWays(text: string): Record<string, PeerFact> {
  const rows = text.split('\n').flatMap(arrayIn);
  return Object.fromEntries(
    rows.flatMap((row): [string, PeerFact][] => {
      const { dst, dev, type, metrics } = row;
      if (typeof dst !== 'string' || typeof dev !== 'string') return [];
      const [mtu] = recordsIn(metrics).flatMap((one) => (typeof one['mtu'] === 'number' ? [one['mtu']] : []));
      return [[dst, { own: type === 'local', dev, ...(mtu !== undefined && { mtu }) }]];
    }),
  );
}

/** Of `ip -json -details link show type vxlan`. */
export function parseVxlans(text: string): VxlanFact[] {
  return arrayIn(text.replaceAll('\n', ' ')).flatMap((row): VxlanFact[] => {
    const info = isRecord(row['linkinfo']) ? row['linkinfo']['info_data'] : undefined;
    if (!isRecord(info) || typeof row['ifname'] !== 'string') return [];
    const { id, port } = info;
    if (typeof id !== 'number' || typeof port !== 'number') return [];
    const alias = typeof row['ifalias'] === 'string' ? row['ifalias'] : '';
    return [{ name: row['ifname'], alias, id, port }];
  });
}

function arrayIn(line: string): Readonly<Record<string, unknown>>[] {
  return line.trim().startsWith('[') ? recordsIn(JSON.parse(line)) : [];
}

const recordsIn = (value: unknown): Readonly<Record<string, unknown>>[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];
