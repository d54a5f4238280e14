/** A systemd that is none: directories of the test's own, and a systemctl that writes down what it is told and makes the links. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { UnitPlaces } from '../../../src/host/units.ts';
import type { Places } from '../../../src/places.ts';
import type { System } from '../../../src/system/system.ts';
import { targetOf } from '../../../src/unit-text.ts';

export interface ASystemd {
  readonly dir: string;
  readonly units: UnitPlaces;
  readonly context: {
    readonly system: System;
    readonly places: Places;
    readonly units: UnitPlaces;
    readonly warn: (message: string) => void;
  };
  /** What systemctl was told. */
  readonly told: string[];
  readonly warnings: string[];
  /** Those words of systemctl fail. */
  readonly failing: Set<string>;
}

export interface SystemdOptions {
  readonly manager?: UnitPlaces['manager'];
  readonly runs?: boolean;
  readonly booted?: boolean;
  readonly env?: System['env'];
  /** What has no unit is active. */
  readonly lost?: boolean;
}

export function createSystemd({
  manager = 'system',
  runs = true,
  booted = runs,
  env = {},
  lost = false,
}: SystemdOptions = {}): ASystemd {
  const dir = mkdtempSync(path.join(tmpdir(), 'qrun-systemd-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const at = (name: string): string => path.join(dir, name);
  const units: UnitPlaces = {
    manager,
    directory: at('units'),
    running: at(manager === 'system' ? 'booted' : 'run/systemd'),
    booted: at('booted'),
    linger: at('linger'),
  };
  if (booted) mkdirSync(units.booted);
  if (runs) mkdirSync(units.running, { recursive: true });
  const told: string[] = [];
  const warnings: string[] = [];
  const failing = new Set<string>();
  const run = (args: readonly string[]) => {
    const words = args.filter((word) => !word.startsWith('--'));
    told.push(args.filter((word) => word !== '--quiet').join(' '));
    if (failing.has(words[0] ?? '')) return { status: 1, stdout: '', stderr: 'first\nFailed: no\n' };
    if (words[0] === 'show')
      return {
        status: 0,
        stdout: lost ? 'LoadState=not-found\nActiveState=active\n' : 'LoadState=not-found\nActiveState=inactive\n',
        stderr: '',
      };
    if (words[0] === 'enable') link(words[1] ?? '');
    if (words[0] === 'disable') rmSync(linkOf(words[1] ?? ''), { force: true });
    return { status: 0, stdout: '', stderr: '' };
  };
  const linkOf = (unit: string): string => path.join(units.directory, `${targetOf(manager)}.wants`, unit);
  const link = (unit: string): void => {
    mkdirSync(path.dirname(linkOf(unit)), { recursive: true });
    if (!existsSync(linkOf(unit))) symlinkSync(path.join(units.directory, unit), linkOf(unit));
  };
  const system: System = {
    env,
    uid: manager === 'system' ? 0 : 1000,
    gid: 0,
    bootId: () => 'boot',
    which: (tool) => `/usr/bin/${tool}`,
    run: (_tool, args) => Promise.resolve(run(args)),
    runNow: (_tool, args) => run(args),
  };
  const places: Places = {
    config: [at('config')],
    examples: at('examples/profiles'),
    state: at('state'),
    runtime: at('runtime'),
    cache: at('cache'),
    host: at('host'),
  };
  const warn = (message: string): number => warnings.push(message);
  return { dir, units, context: { system, places, units, warn }, told, warnings, failing };
}
