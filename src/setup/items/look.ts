/** What `ip` says of a link. */
import { isRecord } from '../../json-object.ts';
import type { SetupHost } from '../kind.ts';

export interface LinkLook {
  readonly name: string;
  readonly kind: string | undefined;
  readonly up: boolean;
  readonly mac: string | undefined;
  readonly alias: string | undefined;
  readonly master: string | undefined;
  readonly addresses: readonly AddressLook[];
}

export interface AddressLook {
  /** With its length. */
  readonly cidr: string;
  /** Got from somebody who may take it back: a DHCP server, an IPv6 router. */
  readonly dynamic: boolean;
  /** One that the kernel makes by itself for the link alone. */
  readonly link: boolean;
  readonly broadcast?: string;
  /** Of the route to its network that comes with it; undefined: the kernel's own. */
  readonly metric?: number;
  /** The other end of a point-to-point link; the length is of its network. */
  readonly peer?: string;
  /** Behind the name of the link and a colon. */
  readonly label?: string;
  /** Undefined: global. */
  readonly scope?: string;
  /** As `ip` takes them. */
  readonly flags?: readonly string[];
  /** Made from a router's announcement: it comes again wherever that is heard. */
  readonly byItself?: true;
  /** Seconds; null: for ever. Absent: both are. */
  readonly lifetime?: { readonly valid: number | null; readonly preferred: number | null };
}

/** Undefined: there is no such link. */
export const lookAtLink = (name: string, host: SetupHost): LinkLook | undefined =>
  parseLooks(ask(['-j', '-details', 'address', 'show', 'dev', name], host)).find((one) => one.name === name);

export const portsOf = (bridge: string, host: SetupHost): string[] =>
  parseLooks(ask(['-j', 'address', 'show', 'master', bridge], host)).map(({ name }) => name);

function ask(args: readonly string[], { system }: SetupHost): string {
  const { status, stdout } = system.runNow('ip', args, { timeoutMs: 30_000 });
  return status === 0 ? stdout : '';
}

/** Of `ip -j -details address`. */
export function parseLooks(text: string): LinkLook[] {
  const rows: unknown = text.trim() === '' ? [] : JSON.parse(text);
  return Array.isArray(rows) ? rows.filter(isRecord).flatMap(parseLook) : [];
}

function parseLook(row: Readonly<Record<string, unknown>>): LinkLook[] {
  const name = textIn(row, 'ifname');
  if (name === undefined) return [];
  const info = isRecord(row['linkinfo']) ? row['linkinfo'] : {};
  const flags: readonly unknown[] = Array.isArray(row['flags']) ? row['flags'] : [];
  const addresses: readonly unknown[] = Array.isArray(row['addr_info']) ? row['addr_info'] : [];
  return [
    {
      name,
      kind: textIn(info, 'info_kind'),
      up: flags.includes('UP'),
      mac: textIn(row, 'address'),
      alias: textIn(row, 'ifalias'),
      master: textIn(row, 'master'),
      addresses: addresses.filter(isRecord).flatMap((one) => parseAddressLook(one, name)),
    },
  ];
}

function parseAddressLook(row: Readonly<Record<string, unknown>>, name: string): AddressLook[] {
  const [local, prefix] = [textIn(row, 'local'), row['prefixlen']];
  if (local === undefined || typeof prefix !== 'number') return [];
  const link = row['scope'] === 'link' && row['family'] === 'inet6';
  const broadcast = textIn(row, 'broadcast');
  const dynamic = row['dynamic'] === true;
  const metric = row['metric'];
  return [
    {
      cidr: `${local}/${prefix}`,
      dynamic,
      link,
      ...(broadcast !== undefined && { broadcast }),
      ...(typeof metric === 'number' && { metric }),
      ...moreOf(row, name),
    },
  ];
}

const keptFlags = ['noprefixroute', 'home', 'mngtmpaddr', 'autojoin'];

function moreOf(row: Readonly<Record<string, unknown>>, name: string): Partial<AddressLook> {
  const [peer, label, scope] = [textIn(row, 'address'), textIn(row, 'label'), textIn(row, 'scope')];
  const flags = keptFlags.filter((flag) => row[flag] === true);
  const announced = row['mngtmpaddr'] === true || row['temporary'] === true || textIn(row, 'protocol') === 'kernel_ra';
  const [valid, preferred] = [secondsIn(row, 'valid_life_time'), secondsIn(row, 'preferred_life_time')];
  return {
    ...(peer !== undefined && { peer }),
    ...(label?.startsWith(`${name}:`) === true && { label: label.slice(name.length + 1) }),
    ...(row['family'] === 'inet' && scope !== undefined && scope !== 'global' && { scope }),
    ...(flags.length > 0 && { flags }),
    ...(row['dynamic'] === true && row['family'] === 'inet6' && announced && { byItself: true }),
    ...((valid !== null || preferred !== null) && { lifetime: { valid, preferred } }),
  };
}

const forever = 0xffffffff;

function secondsIn(row: Readonly<Record<string, unknown>>, key: string): number | null {
  const seconds = row[key];
  return typeof seconds === 'number' && seconds !== forever ? seconds : null;
}

const textIn = (row: Readonly<Record<string, unknown>>, key: string): string | undefined => {
  const value = row[key];
  return typeof value === 'string' ? value : undefined;
};
