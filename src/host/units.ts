/** Units of systemd's that start networks and VMs: where they lie, and which of them are qrun's. Read only. */
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { homeDirectory } from '../home.ts';
import type { System } from '../system/system.ts';
import { parseUnitHead, targetOf, unitNameOf, type UnitHead, type UnitKind } from '../unit-text.ts';

/** Whose systemd, and where its units are. */
export interface UnitPlaces {
  readonly manager: 'system' | 'user';
  readonly directory: string;
  /** There while that systemd runs. */
  readonly running: string;
  /** There where the host's runs. */
  readonly booted: string;
  /** Of users whose systemd begins with the host. */
  readonly linger: string;
}

const systemUnits = '/etc/systemd/system';

export function unitPlacesOf({ uid, env }: Pick<System, 'uid' | 'env'>): UnitPlaces {
  const common = { booted: '/run/systemd/system', linger: '/var/lib/systemd/linger' };
  if (uid === 0) return { ...common, manager: 'system', directory: systemUnits, running: common.booted };
  const config = absolute(env['XDG_CONFIG_HOME']) ?? path.join(homeDirectory(), '.config');
  const runtime = absolute(env['XDG_RUNTIME_DIR']) ?? `/run/user/${uid}`;
  return {
    ...common,
    manager: 'user',
    directory: path.join(config, 'systemd/user'),
    running: path.join(runtime, 'systemd'),
  };
}

const absolute = (value: string | undefined): string | undefined =>
  value !== undefined && path.isAbsolute(value) ? value : undefined;

export const isRunning = ({ running }: UnitPlaces): boolean => existsSync(running);

export const isBooted = ({ booted }: UnitPlaces): boolean => existsSync(booted);

/** A user's systemd begins with the first login, unless it is told to begin with the host. */
export const lingers = (user: string, { linger }: Pick<UnitPlaces, 'linger'>): boolean =>
  existsSync(path.join(linger, user));

export interface FoundUnit {
  readonly unit: string;
  readonly file: string;
  readonly text: string;
}

/** Undefined: there is none. */
export function readUnit({ directory }: Pick<UnitPlaces, 'directory'>, unit: string): FoundUnit | undefined {
  const file = path.join(directory, unit);
  try {
    // a link to /dev/null masks it; what is no plain file is somebody else's
    if (!lstatSync(file).isFile()) return { unit, file, text: '' };
    return { unit, file, text: readFileSync(file, 'utf8') };
  } catch {
    return undefined;
  }
}

/** What makes it start. */
export const wantsLink = ({ directory, manager }: UnitPlaces, unit: string): string =>
  path.join(directory, `${targetOf(manager)}.wants`, unit);

export const isEnabled = (places: UnitPlaces, unit: string): boolean =>
  lstatSync(wantsLink(places, unit), { throwIfNoEntry: false }) !== undefined;

export interface OwnUnit extends FoundUnit {
  readonly head: UnitHead;
}

/** Undefined: it is none that qrun wrote, for this state or, without one, for any. */
export function ownUnitOf(found: FoundUnit | undefined, state?: string): OwnUnit | undefined {
  const head = found === undefined ? undefined : parseUnitHead(found.text);
  if (found === undefined || head === undefined) return undefined;
  return state === undefined || head.state === state ? { ...found, head } : undefined;
}

/** Whether it starts with the host, or with its user's systemd. */
export function startsByItself(
  { kind, name, state }: { readonly kind: UnitKind; readonly name: string; readonly state?: string },
  places: UnitPlaces,
): boolean {
  const unit = unitNameOf(kind, name);
  return isEnabled(places, unit) && ownUnitOf(readUnit(places, unit), state) !== undefined;
}

/** By their names alone. */
export function listUnits({ directory }: Pick<UnitPlaces, 'directory'>): FoundUnit[] {
  try {
    return readdirSync(directory)
      .filter((name) => /^qrun-(net|vm)-.*\.service$/.test(name))
      .toSorted()
      .flatMap((name) => readUnit({ directory }, name) ?? []);
  } catch {
    return [];
  }
}
