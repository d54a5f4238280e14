/** The host's network interfaces, from `ip -j addr`. */
import { QrunError } from '../errors.ts';
import { isRecord } from '../json-object.ts';
import type { System } from '../system/system.ts';
import type { LinkFact } from './facts.ts';

/** @throws QrunError `missing-tool`, `host-failed` */
export async function readLinks(system: System): Promise<LinkFact[]> {
  const { status, stdout, stderr } = await system.run('ip', ['-j', '-details', 'addr']);
  if (status === 0) return parseLinks(stdout);
  throw new QrunError('host-failed', 'ip -j -details addr failed', {
    causes: [stderr.trim()],
    hint: 'ip -details addr',
  });
}

export function parseLinks(text: string): LinkFact[] {
  const rows: unknown = text.trim() === '' ? [] : JSON.parse(text);
  return Array.isArray(rows) ? rows.map(parseLink).filter((link) => link !== undefined) : [];
}

function parseLink(row: unknown): LinkFact | undefined {
  if (!isRecord(row) || typeof row['ifname'] !== 'string') return undefined;
  const kind = isRecord(row['linkinfo']) ? row['linkinfo']['info_kind'] : undefined;
  const flags = Array.isArray(row['flags']) ? row['flags'] : [];
  return {
    name: row['ifname'],
    addresses: addressesOf(row['addr_info']),
    up: flags.includes('UP'),
    ...(row['link_type'] === 'ether' && typeof row['address'] === 'string' && { mac: row['address'] }),
    ...(typeof kind === 'string' && { kind }),
  };
}

/** Without the prefix length. A link-local IPv6 address cannot be bound without its scope, so it is left out. */
function addressesOf(info: unknown): string[] {
  if (!Array.isArray(info)) return [];
  return info
    .filter(isRecord)
    .filter((entry) => entry['scope'] !== 'link' || entry['family'] === 'inet')
    .map((entry) => entry['local'])
    .filter((address) => typeof address === 'string');
}
