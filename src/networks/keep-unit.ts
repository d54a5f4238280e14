/**
 * Units of systemd's, written and removed. The file is written whole; that systemd knows of it, and starts it, is told by its own tool. A unit of that
 * name that is somebody else's stays as it is. Nothing is started or stopped here.
 */
import { lstatSync, rmSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { readIdentity } from '../host/accounts.ts';
import {
  isBooted,
  isEnabled,
  isRunning,
  ownUnitOf,
  readUnit,
  unitPlacesOf,
  wantsLink,
  type FoundUnit,
  type UnitPlaces,
} from '../host/units.ts';
import { shellWord, shellWords } from '../shell-word.ts';
import { faultOfDirectory } from '../system/directories.ts';
import { failureOf } from '../system/failure.ts';
import { writeDurable } from '../system/files.ts';
import { realPathOf } from '../system/glance.ts';
import { makeMissingDirectory } from '../system/missing-directory.ts';
import type { System } from '../system/system.ts';
import { faultOfUnit, renderUnit, unitNameOf, type UnitInput, type UnitKind } from '../unit-text.ts';
import type { NetworkContext } from './context.ts';

/** What differs from unit to unit; all else is the same for all of this user's. */
export type UnitWants = Pick<UnitInput, 'kind' | 'name' | 'needsHost' | 'networks' | 'shutdownS'>;

export interface KeptUnit {
  readonly name: string;
  readonly unit: string;
  readonly file: string;
  /** False: it was so already. */
  readonly changed: boolean;
}

export type UnitContext = Pick<NetworkContext, 'system' | 'places' | 'warn'> & {
  /** Default: this host's. */
  readonly units?: UnitPlaces;
  /** What a unit calls. Default: this program. */
  readonly program?: Pick<UnitInput, 'node' | 'qrun'>;
};

/** @throws QrunError `missing-feature` without systemd, `in-use` for a unit of somebody else's, `host-failed`, `permission` */
export async function keepUnit(wants: UnitWants, context: UnitContext): Promise<KeptUnit> {
  const { system } = context;
  const places = context.units ?? unitPlacesOf(system);
  const input = inputOf(wants, places, context);
  requireSystemd(input, places, system);
  requireWritable(input);
  const unit = unitNameOf(wants.kind, wants.name);
  const found = readUnit(places, unit);
  requireOwn(found, input.state);
  warnOfOthers(input, context);
  const text = renderUnit(input);
  const file = path.join(places.directory, unit);
  const isThere = found?.text === text && isEnabled(places, unit);
  if (isThere) return { name: wants.name, unit, file, changed: false };
  try {
    makeMissingDirectory(places.directory, 0o755);
  } catch (error) {
    throw failureOf(places.directory, error, 'cannot make it');
  }
  writeDurable(file, text, { mode: 0o644 });
  try {
    await systemctl(['daemon-reload'], places, system);
    await systemctl(['enable', unit], places, system);
  } catch (error) {
    // as it was: half of it would start nothing, and look as if it did
    if (found === undefined) for (const one of [wantsLink(places, unit), file]) rmSync(one, { force: true });
    else writeDurable(file, found.text, { mode: 0o644 });
    throw error;
  }
  return { name: wants.name, unit, file, changed: true };
}

export interface Unwanted {
  readonly kind: UnitKind;
  readonly name: string;
  /** Somebody else's unit of that name is no matter. */
  readonly leave?: boolean;
  /** What it started is no more: systemd forgets it now, and not at the next boot. */
  readonly over?: boolean;
}

/** @returns undefined: there was none of ours. @throws QrunError `in-use` for a unit of somebody else's, unless `leave` */
export async function removeUnit(
  { kind, name, leave = false, over = false }: Unwanted,
  context: UnitContext,
): Promise<KeptUnit | undefined> {
  const { system, places: own } = context;
  const places = context.units ?? unitPlacesOf(system);
  const unit = unitNameOf(kind, name);
  const found = readUnit(places, unit);
  const isAsked = isRunning(places) && system.which('systemctl') !== undefined;
  const ask = async (...words: string[]): Promise<void> => {
    if (isAsked) await orNothing(() => systemctl([...words, unit], places, system));
  };
  if (found === undefined) {
    // `--off` left what was up up
    if (over && isAsked && (await isWithoutFile(unit, places, system))) await ask('stop');
    return undefined;
  }
  if (ownUnitOf(found, own.state) === undefined) {
    if (leave) return undefined;
    requireOwn(found, own.state);
  }
  // a VM's, as long as systemd knows that what still runs of it is to live; a network's, when there is no `net down` of it any more that would fail
  if (over && kind === 'vm') await ask('stop');
  // its link is removed below too, should systemd have none of it
  await ask('disable');
  for (const file of [wantsLink(places, unit), found.file]) remove(file);
  if (isAsked) await orNothing(() => systemctl(['daemon-reload'], places, system));
  if (over && kind === 'net') await ask('stop');
  // one that failed is kept by its name else
  await ask('reset-failed');
  return { name, unit, file: found.file, changed: true };
}

/** Active, and nothing else is known of it. */
async function isWithoutFile(unit: string, places: UnitPlaces, system: System): Promise<boolean> {
  const { stdout } = await callSystemctl(['show', '--property=LoadState,ActiveState', unit], places, system);
  return stdout.includes('LoadState=not-found\n') && stdout.includes('ActiveState=active\n');
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch (error) {
    throw failureOf(file, error, 'cannot remove it');
  }
}

async function orNothing(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
  }
}

const thisProgram = (system: System): Pick<UnitInput, 'node' | 'qrun'> => ({
  node: lastingNode(system),
  qrun: process.argv[1] ?? '',
});

/** The link on PATH that leads to this node: it leads to the next version too, where each has a directory of its own. */
function lastingNode(system: System): string {
  const found = system.which('node');
  return found !== undefined && realPathOf(found) === process.execPath ? found : process.execPath;
}

function inputOf(wants: UnitWants, { manager }: UnitPlaces, context: UnitContext): UnitInput {
  const { system, places, program = thisProgram(system) } = context;
  const [config = '/etc/qrun'] = places.config;
  return {
    ...wants,
    ...program,
    manager,
    state: places.state,
    env: overridesOf(system.env),
    directories: [places.state, config, path.dirname(program.node), path.dirname(program.qrun)],
  };
}

const directoryNames = ['CONFIG', 'STATE', 'RUNTIME', 'CACHE', 'HOST'].map((one) => `QRUN_${one}_DIR`);
const userNames = ['XDG_CONFIG_HOME', 'XDG_STATE_HOME', 'XDG_CACHE_HOME'];

/** What says where qrun keeps what: a unit has no environment of the session's. */
export function overridesOf(env: System['env']): Record<string, string> {
  const set = (name: string, change = (value: string): string => value): (readonly [string, string])[] => {
    const value = env[name];
    return value === undefined || value === '' ? [] : [[name, change(value)]];
  };
  return Object.fromEntries([
    ...directoryNames.flatMap((name) => set(name, (value) => path.resolve(value))),
    ...set('QRUN_QEMU', (value) => (value.includes('/') ? path.resolve(value) : value)),
    ...userNames.flatMap((name) => set(name).filter(([, value]) => path.isAbsolute(value))),
  ]);
}

/** Root starts it again and again, and asks nobody. */
function warnOfOthers({ manager, node, qrun }: UnitInput, { warn }: UnitContext): void {
  if (manager !== 'system') return;
  for (const file of [node, qrun]) {
    const fault = faultOfProgram(file);
    if (fault !== undefined) warn(`root would run ${file} at each start of the host, and ${fault}`);
  }
}

/** Both ends of a link count, and the file itself. */
function faultOfProgram(file: string): string | undefined {
  const real = realPathOf(file);
  const fault = [file, real]
    .map((one) => faultOfDirectory(path.dirname(one), { uid: 0 }))
    .find((one) => one !== undefined);
  if (fault !== undefined) return fault;
  const stat = lstatSync(real, { throwIfNoEntry: false });
  if (stat === undefined || (stat.uid === 0 && (stat.mode & 0o022) === 0)) return undefined;
  return `${real} is ${stat.uid === 0 ? 'writable by others' : `owned by uid ${stat.uid}`}`;
}

function requireWritable(input: UnitInput): void {
  const fault = faultOfUnit(input);
  if (fault !== undefined) throw new QrunError('missing-feature', fault, { hint: 'give it another place' });
}

function requireOwn(found: FoundUnit | undefined, state: string): void {
  if (found === undefined || ownUnitOf(found, state) !== undefined) return;
  throw new QrunError('in-use', `${found.file} is there already, and is not of this qrun`, {
    hint: `cat ${shellWord(found.file)}`,
  });
}

function requireSystemd(input: UnitInput, places: UnitPlaces, system: System): void {
  if (isRunning(places) && system.which('systemctl') !== undefined) return;
  const line = `@reboot ${cronLineOf(input)}`;
  if (places.manager === 'user' && isBooted(places)) {
    throw new QrunError('missing-feature', `systemd of this user does not run: ${places.running} is not there`, {
      // by name: without one it means the user of a session, and here there is none
      hint: `loginctl enable-linger ${readIdentity(system).name}`,
    });
  }
  throw new QrunError(
    'missing-feature',
    `systemd does not run here: ${input.name} starts with the host by a line of cron, or in /etc/rc.local`,
    { hint: `(crontab -l; echo ${shellWord(line)}) | crontab -` },
  );
}

/** cron reads a percent sign as the end of the line. */
function cronLineOf({ kind, name, node, qrun, env }: UnitInput): string {
  const words = kind === 'net' ? ['net', 'up', name] : ['run', '-d', name];
  const sets = Object.entries(env).map(([key, value]) => `${key}=${shellWord(value)}`);
  return [...sets, shellWords([node, qrun, ...words])].join(' ').replaceAll('%', '\\%');
}

async function callSystemctl(words: readonly string[], { manager, running }: UnitPlaces, system: System) {
  if (manager === 'system') return await system.run('systemctl', ['--quiet', ...words], { timeoutMs });
  // a session that is none of logind's does not say where it is
  const env = { XDG_RUNTIME_DIR: path.dirname(running) };
  return await system.run('systemctl', ['--quiet', '--user', ...words], { timeoutMs, env });
}

const timeoutMs = 60_000;

async function systemctl(words: readonly string[], places: UnitPlaces, system: System): Promise<void> {
  const { status, stdout, stderr } = await callSystemctl(words, places, system);
  if (status === 0) return;
  const said = (stderr.trim() || stdout.trim()).split('\n').at(-1) ?? '';
  const user = places.manager === 'user' ? '--user ' : '';
  throw new QrunError('host-failed', `systemctl ${user}${words.join(' ')} failed${said === '' ? '' : `: ${said}`}`, {
    hint: `systemctl ${user}status`,
  });
}
