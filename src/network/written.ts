/** A definition as it is written, as far as it makes sense: so that what takes several keys to see is found together with all other faults. */
import { parseMac } from '../names.ts';
import type { WrittenMap } from '../profile/definition.ts';
import type { PlacedForward } from '../profile/forward-faults.ts';
import type { DocumentPath } from '../profile/yaml-document.ts';
import { canonicalAddress, parseInterfaceAddress, type Address, type Subnet } from '../subnet.ts';
import { parseCidr, parseRange, type AddressRange } from './address-text.ts';
import { encodeDhcpOption, parseOptionName } from './dhcp-options.ts';
import { faultOfPlainText } from './plain-text.ts';
import { parseGuestForward, type GuestForward } from './guest-forward.ts';

interface Placed {
  readonly path: DocumentPath;
}

export interface WrittenAddress extends Placed {
  readonly written: string;
  readonly address: Address;
  readonly subnet: Subnet;
}

export interface WrittenRange extends Placed, AddressRange {}

export interface WrittenHost extends Placed {
  readonly vm?: string;
  readonly mac?: string;
  readonly ip?: string;
  /** What it is to be called. */
  readonly name?: string;
  /** It says who it is, be it well or badly. */
  readonly named: boolean;
}

export interface WrittenForward extends PlacedForward {
  readonly forward: GuestForward;
}

export const isMap = (value: unknown): value is WrittenMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What stands at a path; undefined where there is nothing. */
export function valueAt(written: WrittenMap, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined),
    written,
  );
}

function listAt<T>(
  written: WrittenMap,
  path: readonly string[],
  read: (one: unknown, at: DocumentPath) => T | undefined,
): T[] {
  const list = valueAt(written, path);
  if (!Array.isArray(list)) return [];
  return list.flatMap((one: unknown, index) => {
    const found = read(one, [...path, index]);
    return found === undefined ? [] : [found];
  });
}

export const writtenAddresses = (written: WrittenMap): WrittenAddress[] =>
  listAt(written, ['addresses'], (one, path) => {
    if (typeof one !== 'string' || 'fault' in parseCidr(one)) return undefined;
    const parsed = parseInterfaceAddress(one);
    return parsed === undefined ? undefined : { path, written: one, ...parsed };
  });

export const writtenRanges = (written: WrittenMap): WrittenRange[] =>
  listAt(written, ['dhcp', 'ranges'], (one, path) => {
    const parsed = typeof one === 'string' ? parseRange(one) : undefined;
    return parsed === undefined || 'fault' in parsed ? undefined : { path, ...parsed.value };
  });

export const writtenHosts = (written: WrittenMap): WrittenHost[] =>
  listAt(written, ['dhcp', 'hosts'], (one, path) => {
    if (!isMap(one)) return undefined;
    const parsed = typeof one['mac'] === 'string' ? parseMac(one['mac']) : undefined;
    const ip = typeof one['ip'] === 'string' ? canonicalAddress(one['ip']) : undefined;
    return {
      path,
      ...(typeof one['vm'] === 'string' && { vm: one['vm'] }),
      ...(parsed !== undefined && 'mac' in parsed && { mac: parsed.mac }),
      ...(ip !== undefined && { ip }),
      ...(typeof one['name'] === 'string' && { name: one['name'] }),
      named: Object.hasOwn(one, 'vm') || Object.hasOwn(one, 'mac'),
    };
  });

export const writtenForwards = (written: WrittenMap): WrittenForward[] =>
  listAt(written, ['forwards'], (one, path) => {
    const parsed = typeof one === 'string' ? parseGuestForward(one) : undefined;
    return parsed === undefined || 'fault' in parsed ? undefined : { forward: parsed.value, path };
  });

export interface WrittenOption extends Placed {
  readonly code: number;
  /** Its bytes in hex, where they make sense. */
  readonly hex?: string;
}

export const writtenOptions = (written: WrittenMap): WrittenOption[] =>
  listAt(written, ['dhcp', 'options'], (one, path) => {
    if (!isMap(one)) return undefined;
    const { option, value } = one;
    const name = typeof option === 'number' ? String(option) : option;
    const parsed = typeof name === 'string' ? parseOptionName(name) : undefined;
    if (typeof name !== 'string' || parsed === undefined || 'fault' in parsed) return undefined;
    const isPlain = typeof value === 'string' && faultOfPlainText(value) === undefined;
    const encoded = isPlain ? encodeDhcpOption({ option: name, value }) : undefined;
    return {
      code: parsed.value.code,
      path,
      ...(encoded !== undefined && 'value' in encoded && { hex: encoded.value.hex }),
    };
  });

/** Addresses of hosts that have names of their own. */
export const writtenNamed = (written: WrittenMap): { readonly ip: string }[] =>
  listAt(written, ['dns', 'hosts'], (one) => {
    const ip = isMap(one) && typeof one['ip'] === 'string' ? canonicalAddress(one['ip']) : undefined;
    return ip === undefined ? undefined : { ip };
  });
