/**
 * How a value becomes an argument of QEMU's: JSON where that version understands it, else `key=value,…` with commas doubled. One typed value
 * stands behind both, so nothing that a profile holds can start an option of its own.
 */
import { QrunError } from '../errors.ts';
import type { OptionValue } from '../nic/nic-kind.ts';
import { versionAtLeast, type QemuVersion } from './capabilities.ts';

export type OptionObject = Readonly<Record<string, OptionValue>>;

/** `-netdev` reads JSON from 7.2 on. */
export const netdevTakesJson = (version: QemuVersion): boolean => versionAtLeast(version, 7, 2);
/** `-device` reads JSON from 6.2 on. */
export const deviceTakesJson = (version: QemuVersion): boolean => versionAtLeast(version, 6, 2);

export function renderJson(value: OptionObject): string {
  return JSON.stringify(value);
}

/**
 * `user,id=net0,hostfwd=…,hostfwd=…,addr.type=unix`. The value of `implied` (the type, or the driver) comes first and without its key.
 * @throws QrunError `missing-feature` for a value that the old syntax cannot carry
 */
export function renderKeyval(value: OptionObject, implied?: string): string {
  const first = implied === undefined ? undefined : value[implied];
  const parts = first === undefined ? [] : [escapeComma(scalar(first, implied ?? ''))];
  for (const [key, member] of Object.entries(value)) {
    if (key !== implied) parts.push(...pairs(key, member));
  }
  return parts.join(',');
}

/** The one escape that the key=value syntax has. */
export function escapeComma(text: string): string {
  return text.replaceAll(',', ',,');
}

function pairs(key: string, value: OptionValue): string[] {
  if (isList(value)) return value.flatMap((member) => pairs(key, unwrapped(member)));
  if (typeof value === 'object') {
    return Object.entries(value).flatMap(([name, member]) => pairs(`${key}.${name}`, member));
  }
  return [`${key}=${escapeComma(scalar(value, key))}`];
}

/** QAPI wraps the strings of some lists: `hostfwd: [{ "str": "tcp:…" }]` is `hostfwd=tcp:…` in the old syntax. */
function unwrapped(value: OptionValue): OptionValue {
  if (typeof value !== 'object' || isList(value)) return value;
  const keys = Object.keys(value);
  const text = value['str'];
  return keys.length === 1 && text !== undefined ? text : value;
}

function scalar(value: OptionValue, key: string): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'object')
    throw new QrunError('missing-feature', `this QEMU is too old to be told ${key} (it reads no JSON)`, {
      hint: 'use a newer QEMU (QRUN_QEMU)',
    });
  return String(value);
}

function isList(value: OptionValue): value is readonly OptionValue[] {
  return Array.isArray(value);
}
