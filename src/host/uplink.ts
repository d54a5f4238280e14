/** A card of the host's that is to be a port of a bridge: what the host itself has on it, and would lose. */
import { isRecord } from '../json-object.ts';
import type { System } from '../system/system.ts';
import { readHostLink, type HostLink } from './host-link.ts';
import { parseLinks } from './links.ts';

export interface UplinkFact {
  readonly link: HostLink;
  /** Without those that the kernel makes for the link alone. */
  readonly addresses: readonly string[];
  /** `default`, `10.0.5.0/24` */
  readonly routes: readonly string[];
}

/** Undefined: there is no such interface. */
export function readUplink(name: string, system: Pick<System, 'runNow'>): UplinkFact | undefined {
  const link = readHostLink(name);
  if (link === undefined) return undefined;
  const ask = (...args: readonly string[]): string => system.runNow('ip', ['-j', ...args]).stdout;
  const [own] = parseLinks(ask('-details', 'addr', 'show', 'dev', name));
  return {
    link,
    addresses: own?.addresses ?? [],
    routes: [
      ...parseTargets(ask('route', 'show', 'dev', name)),
      ...parseTargets(ask('-6', 'route', 'show', 'dev', name)),
    ],
  };
}

/** Of `ip -j route show dev`. */
export function parseTargets(text: string): string[] {
  const rows: unknown = text.trim() === '' ? [] : JSON.parse(text);
  if (!Array.isArray(rows)) return [];
  return rows
    .flatMap((row: unknown) => (isRecord(row) && typeof row['dst'] === 'string' ? [row['dst']] : []))
    .filter((target) => !/^(fe80:|ff00:)/.test(target));
}
