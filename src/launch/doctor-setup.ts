/** What `qrun doctor` says of what was prepared: what setup made and has come undone, files that keep network managers off, config.yaml. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, orNone, QrunError } from '../errors.ts';
import type { Places } from '../places.ts';
import type { Settings } from '../profile/settings.ts';
import { dhcpcdBlocks } from '../setup/dhcpcd-items.ts';
import type { SetupItem, WayItem } from '../setup/item.ts';
import { kindOf } from '../setup/items/registry.ts';
import { faultOfEditing } from '../setup/perform.ts';
import { sudoLine } from '../setup/plan.ts';
import { readRecord, type SetupEntry } from '../setup/record.ts';
import { readOwned } from '../system/regular-file.ts';
import type { System } from '../system/system.ts';
import type { Check } from './doctor.ts';

export function examineSetup(system: System, places: Places): Check[] {
  return [readSetupCheck(system, places), checkOfManagers(readManagers())];
}

function readSetupCheck(system: System, places: Places): Check {
  let entries: readonly SetupEntry[];
  try {
    entries = readRecord(places).entries;
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
    return { ...setupBase, state: 'warn', evidence: error.message, mend: error.hint ?? null };
  }
  const check = checkOfSetup(entries, (item) => stateOf(item, system));
  return check.mend === null ? check : { ...check, mend: [...outOfTheWay(entries), check.mend].join(' && ') };
}

/** Setup edits no FIFO, and none is put back in its place. */
function outOfTheWay(entries: readonly SetupEntry[]): string[] {
  const hints = entries.flatMap(({ item }) => {
    if ((item.kind !== 'file' && item.kind !== 'line') || isHidden(item.path) || isPlainFile(item.path)) return [];
    return faultOfEditing(item.path)?.hint ?? [];
  });
  return [...new Set(hints)];
}

const setupBase = { id: 'setup', what: 'what sudo qrun setup made' } as const;

/** What of an item cannot be told without root, or without a tool, counts as there. */
function stateOf(item: SetupItem, system: System): ItemState {
  if (item.kind === 'file' || item.kind === 'line') {
    if (isHidden(item.path)) return 'unknown';
    // a FIFO would be waited for
    if (!isPlainFile(item.path)) return 'undone';
  }
  if (item.kind === 'capability' && system.which('getcap') === undefined) return 'unknown';
  if (['bridge', 'up', 'address', 'uplink', 'way'].includes(item.kind) && system.which('ip') === undefined)
    return 'unknown';
  try {
    return kindOf(item).isDone(item, { system }) ? 'done' : 'undone';
  } catch (error) {
    if (error instanceof QrunError) return 'unknown';
    throw error;
  }
}

function isHidden(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return false;
  } catch (error) {
    return errnoOf(error) === 'EACCES';
  }
}

const isPlainFile = (file: string): boolean => statSync(file, { throwIfNoEntry: false })?.isFile() === true;

export type ItemState = 'done' | 'undone' | 'unknown';

/** A setup that was killed is told as well: its items were begun. */
export function checkOfSetup(entries: readonly SetupEntry[], stateOfItem: (item: SetupItem) => ItemState): Check {
  if (entries.length === 0) return { ...setupBase, state: 'ok', evidence: 'it has made nothing here', mend: null };
  const states = entries.map(({ item, state }) => ({ item, state, now: stateOfItem(item) }));
  const undone = states.filter(({ state, now }) => now === 'undone' || state === 'begun');
  if (undone.length > 0) {
    return {
      ...setupBase,
      state: 'warn',
      evidence: undone
        .map(({ item, state }) => (state === 'begun' ? `${item.what}: not finished` : `${item.what}: undone since`))
        .join('; '),
      mend: setupAgain(
        entries.map(({ item }) => item),
        undone.map(({ item }) => item),
      ),
    };
  }
  const unknown = states.filter(({ now }) => now === 'unknown').length;
  const unsure = unknown === 0 ? '' : `; ${unknown} of them only root can tell`;
  return { ...setupBase, state: 'ok', evidence: `${entries.length} things, and all are there${unsure}`, mend: null };
}

/** The commands that were given, as far as the record tells: one for each bridge and each way that something is wrong with. */
function setupAgain(items: readonly SetupItem[], undone: readonly SetupItem[]): string {
  const ways = undone.filter((item) => item.kind === 'way');
  const named = [...new Set(undone.flatMap((item) => bridgeOf(item) ?? []))];
  const any = items.flatMap((item) => bridgeOf(item) ?? [])[0];
  const someWay = items.filter((item) => item.kind === 'way').slice(0, 1);
  const bridges = named.length > 0 || ways.length > 0 || any === undefined ? named : [any];
  const lines = [
    ...bridges.map((bridge) => bridgeAgain(bridge, items)),
    ...(bridges.length + ways.length === 0 ? someWay : ways).map(wayAgain),
  ];
  if (lines.length > 0) return lines.join(' && ');
  const group = groupOf(undefined, items);
  return sudoLine({ ...(group !== undefined && { group }), yes: false, undo: false });
}

function wayAgain({ parent: hostAccess, own }: WayItem): string {
  return sudoLine({ hostAccess, ...(own !== undefined && { address: own }), yes: false, undo: false });
}

function bridgeAgain(bridge: string, items: readonly SetupItem[]): string {
  const uplink = items.find((item) => item.kind === 'uplink' && item.bridge === bridge);
  const address = items.find((item) => item.kind === 'address' && item.link === bridge);
  const group = groupOf(bridge, items);
  return sudoLine({
    bridge,
    ...(uplink?.kind === 'uplink' && { uplink: uplink.link }),
    ...(address?.kind === 'address' && { address: address.cidr }),
    ...(group !== undefined && { group }),
    // it was said once, and may be the only way out again
    yes: uplink !== undefined,
    undo: false,
  });
}

/** Whom a bridge was prepared for; another group, or one at all, would be a new decision. */
function groupOf(bridge: string | undefined, items: readonly SetupItem[]): string | undefined {
  const rules = items.filter(
    (item) =>
      (item.kind === 'file' && item.path.endsWith(`/qrun-${bridge}.conf`)) ||
      (item.kind === 'line' && item.line === `allow ${bridge}`),
  );
  if (rules.length > 0) return rules.flatMap((item) => ('group' in item ? (item.group ?? []) : []))[0];
  return items.flatMap((item) => (item.kind === 'group' ? [item.name] : [])).at(-1);
}

function bridgeOf(item: SetupItem): string | undefined {
  if (item.kind === 'bridge') return item.name;
  if (item.kind === 'uplink') return item.bridge;
  if (item.kind === 'up' || item.kind === 'address') return item.link;
  if (item.kind !== 'line') return undefined;
  return /^allow (\S+)$/.exec(item.line)?.[1] ?? /^include \S*\/qrun-(\S+)\.conf$/.exec(item.line)?.[1];
}

export interface ManagerFact {
  readonly name: string;
  /** It runs here. */
  readonly present: boolean;
  /** That it leaves qrun's interfaces alone stands here. */
  readonly file: string;
  readonly text: string | undefined;
  /** From a line that begins with one of these on it is about something else. */
  readonly above?: readonly string[];
}

function headOf(text = '', above: readonly string[] = []): string {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => above.includes(line.trim().split(/[ \t]/)[0] ?? ''));
  return lines.slice(0, at < 0 ? lines.length : at).join('\n');
}

/** Of setup's own names of files, or any text of somebody else's that means the same. */
export function checkOfManagers(managers: readonly ManagerFact[]): Check {
  const base = { id: 'unmanaged', what: "network managers and qrun's interfaces" };
  const present = managers.filter((one) => one.present);
  if (present.length === 0) return { ...base, state: 'ok', evidence: 'no network manager would take them', mend: null };
  const missing = present.filter(({ text, above }) => !headOf(text, above).includes('qr-*'));
  if (missing.length === 0)
    return { ...base, state: 'ok', evidence: present.map(({ file }) => `${file} names qr-*`).join(', '), mend: null };
  return {
    ...base,
    state: 'warn',
    evidence: missing
      .map(
        ({ name, file, text, above }) =>
          `${name}: ${text === undefined ? `there is no ${file}` : `${file} does not name qr-*${above === undefined ? '' : ` above its ${above.join(', ')}`}`}`,
      )
      .join('; '),
    mend: 'sudo qrun setup',
  };
}

/** By what they leave in /run, and not by asking systemd, which takes longer. */
function readManagers(): ManagerFact[] {
  const fact = (name: string, present: boolean, file: string): ManagerFact => ({
    name,
    present,
    file,
    text: textOf(file),
  });
  return [
    fact('NetworkManager', existsSync('/run/NetworkManager'), '/etc/NetworkManager/conf.d/90-qrun.conf'),
    fact('systemd-networkd', existsSync('/run/systemd/netif/state'), '/etc/systemd/network/06-qrun.network'),
    { ...fact('dhcpcd', existsSync('/etc/dhcpcd.conf'), '/etc/dhcpcd.conf'), above: dhcpcdBlocks },
  ];
}

/** @param settings what reading it came to */
export function checkOfSettings(settings: Settings | QrunError, directories: readonly string[]): Check {
  const base = { id: 'config', what: 'config.yaml' };
  const files = directories.map((directory) => path.join(directory, 'config.yaml'));
  if (settings instanceof QrunError) {
    const mend = settings.hint ?? `"\${EDITOR:-vi}" ${files[0] ?? 'config.yaml'}`;
    return { ...base, state: 'fail', evidence: [settings.message, ...settings.causes].join(': '), mend };
  }
  const file = files.find((one) => existsSync(one));
  const where = file ?? `no ${files[0] ?? 'config.yaml'}`;
  return { ...base, state: 'ok', evidence: `${where}: sudo: ${settings.sudo}`, mend: null };
}

/** Of what may be read, and is a plain file that is no link; dhcpcd.conf is the largest of them. */
const textOf = (file: string): string | undefined => orNone(() => readOwned(file, { maxBytes: 1024 * 1024 })?.text);
