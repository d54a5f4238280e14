/** Settings of the kernel's. An interface's own go with it; the host's stay, and what was there before is kept for `qrun setup --undo`. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import type { SysctlStep } from '../plan/step.ts';
import { writeDurable } from '../system/files.ts';
import { makeMissingDirectory } from '../system/missing-directory.ts';
import { readStateFile } from '../system/state-files.ts';
import type { System } from '../system/system.ts';
import type { Resource } from './resource.ts';

const root = '/proc/sys';

export const sysctl: Resource<SysctlStep> = {
  describe: ({ values }) => ({
    acquire: Object.entries(values).map(([key, value]) => ({
      argv: ['sysctl', '-q', '-w', `${dotted(key)}=${value}`],
    })),
    release: [],
  }),

  acquire: async (step, { system }) => {
    const changed = Object.entries(step.values).filter(([key, value]) => readSetting(key) !== value);
    if (step.kept !== undefined && changed.length > 0)
      keepBefore(
        step.kept,
        changed.map(([key]) => key),
        system,
      );
    for (const [key, value] of changed) writeSetting(key, value);
    return {};
  },

  release: async () => undefined,
};

/** `net/ipv4/conf/eth0.5/forwarding`: sysctl takes both signs, and a name with a dot needs this one. */
export const dotted = (key: string): string => (key.includes('.') ? key : key.replaceAll('/', '.'));

export function readSetting(key: string): string | undefined {
  try {
    return readFileSync(path.join(root, key), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** @throws QrunError `host-failed` */
export function writeSetting(key: string, value: string): void {
  try {
    writeFileSync(path.join(root, key), `${value}\n`);
  } catch (error) {
    throw new QrunError('host-failed', `${dotted(key)} cannot be set to ${value}: ${errnoOf(error) ?? String(error)}`, {
      hint: `sudo sysctl -w ${dotted(key)}=${value}`,
    });
  }
}

/** @param host the host-wide directory */
export const switchedOnFile = (host: string): string => path.join(host, 'switched-on.json');

export interface SwitchedOn {
  readonly v: 1;
  readonly bootId: string;
  /** By path below /proc/sys: what was there before. */
  readonly values: Readonly<Record<string, string>>;
}

/** Undefined: none of this boot's. */
export function readSwitchedOn(file: string, bootId: string): SwitchedOn | undefined {
  const read = readStateFile(file, { leave: true });
  if (read.state !== 'read' || read.value['bootId'] !== bootId) return undefined;
  const { values } = read.value;
  return typeof values === 'object' && values !== null ? (read.value as unknown as SwitchedOn) : undefined;
}

/** The first that switched it on is the one who saw how it was. */
function keepBefore(file: string, keys: readonly string[], system: System): void {
  const before = readSwitchedOn(file, system.bootId())?.values ?? {};
  const now = Object.fromEntries(keys.map((key) => [key, readSetting(key) ?? '']));
  makeMissingDirectory(path.dirname(file), 0o755);
  writeDurable(file, JSON.stringify({ v: 1, bootId: system.bootId(), values: { ...now, ...before } }), { mode: 0o644 });
}
