/**
 * qemu-bridge-helper: where it is, whether this user can run it, and whether it can make a tap then. It is QEMU that starts it, by the path that is
 * compiled into QEMU; its own configuration file is compiled into the helper.
 */
import { lstatSync, readFileSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import { realPathOf, textOf } from '../system/glance.ts';
import type { System } from '../system/system.ts';
import { faultOfDirectory } from '../system/directories.ts';
import { blockedBy, type BlockedBy } from './blocked-by.ts';
import type { RunAs } from './facts.ts';
import { accessOf } from './file-access.ts';

/**
 * What lets it make taps. `unknown`: there is no getcap to ask. `nosuid`: its file system is mounted so that no program gains by its file.
 * `mixed`: it is setuid and has capabilities as well; then only those count, and to change back to its caller it would need more of them.
 */
export type HelperRights = 'capability' | 'setuid' | 'none' | 'nosuid' | 'mixed' | 'unknown';

export interface BridgeHelperFact {
  /** Absolute. Where it was looked for first, if there is none. */
  readonly file: string;
  readonly found: boolean;
  /** QEMU does not look there by itself. */
  readonly told: boolean;
  /** A profile names it, and QEMU's own is another or there is none. */
  readonly foreign?: true;
  /** Why one that a profile names is not to be trusted. */
  readonly unsafe?: string;
  /** This user may not run it. */
  readonly blocked?: BlockedBy;
  readonly rights: HelperRights;
  /** What must not be barred from it, or it cannot start: `net_admin`, … or `all`. */
  readonly gains: readonly string[];
  /** The configuration file that is compiled into it. */
  readonly conf: string;
}

export interface HelperSearch {
  readonly system: Pick<System, 'which' | 'runNow' | 'uid'>;
  /** Compiled into QEMU. */
  readonly compiledIn: string | undefined;
  /** The profile's. */
  readonly written: string | undefined;
  /** Whom root's QEMU is dropped to. */
  readonly runAs: RunAs | undefined;
  readonly user: Pick<RunAs, 'name' | 'gid'>;
}

/** Debian, Arch, Alpine; Fedora, openSUSE, Gentoo; old Ubuntu; built from source; NixOS. */
const usualFiles = [
  '/usr/lib/qemu/qemu-bridge-helper',
  '/usr/libexec/qemu-bridge-helper',
  '/usr/lib/qemu-bridge-helper',
  '/usr/local/libexec/qemu-bridge-helper',
  '/run/wrappers/bin/qemu-bridge-helper',
];
const usualConf = '/etc/qemu/bridge.conf';

export function readBridgeHelper(search: HelperSearch): BridgeHelperFact {
  const { compiledIn, written, system, runAs, user } = search;
  const usual = [compiledIn ?? [], usualFiles].flat();
  const candidates = written === undefined ? usual : [written];
  const isThere = (one: string): boolean => statOf(one)?.isFile() === true;
  const file = candidates.find(isThere);
  const [first = ''] = candidates;
  if (file === undefined)
    return { file: first, found: false, told: written !== undefined, rights: 'none', gains: [], conf: usualConf };
  const unsafe = written === undefined ? undefined : faultOfRootsFile(written);
  const own = usual.find(isThere);
  const foreign = own === undefined || realPathOf(file) !== realPathOf(own);
  const may = accessOf(runAs).mayExecute(file);
  return {
    file,
    found: true,
    told: file !== compiledIn,
    ...(foreign && { foreign }),
    ...(unsafe !== undefined && { unsafe }),
    ...(!may && { blocked: blockedBy(file, 1, runAs ?? user) }),
    // what is not trusted is not opened either
    ...(unsafe === undefined ? readRights(file, system) : { rights: 'unknown', gains: [] }),
    conf: unsafe === undefined ? readConfPath(file) : usualConf,
  };
}

/** Whether root alone can have put it there, and nobody else can change it: only such a program may be started for a profile. Undefined: it is so. */
export function faultOfRootsFile(file: string): string | undefined {
  const link = lstatSync(file, { throwIfNoEntry: false });
  if (link?.isSymbolicLink() === true && link.uid !== 0) return `${file} is another user's link (uid ${link.uid})`;
  const real = realPathOf(file);
  const stat = statOf(real);
  if (stat === undefined) return `${file} does not exist`;
  if (stat.uid !== 0) return `${real} belongs to uid ${stat.uid}, not to root`;
  if ((stat.mode & 0o022) !== 0) return `${real} can be written by others (mode ${(stat.mode & 0o7777).toString(8)})`;
  const directories = new Set([path.dirname(file), path.dirname(real)]);
  for (const directory of directories) {
    const fault = faultOfDirectory(directory, { uid: 0 });
    if (fault !== undefined) return fault;
  }
  return undefined;
}

type Rights = Pick<BridgeHelperFact, 'rights' | 'gains'>;

/** For one that is setuid: it changes back to its caller, and empties its own bounding set. */
const setuidGains = ['net_admin', 'setpcap', 'setuid', 'setgid'];

function readRights(file: string, system: HelperSearch['system']): Rights {
  const stat = statOf(file);
  const setuid = stat !== undefined && stat.uid === 0 && (stat.mode & 0o4000) !== 0;
  const rights = rightsOf(setuid, readCapabilities(file, system));
  const gained = rights.rights === 'capability' || rights.rights === 'setuid';
  if (gained && isNosuid(realPathOf(file), textOf('/proc/self/mountinfo'))) return { rights: 'nosuid', gains: [] };
  return rights;
}

/** @param text what getcap says behind the file's name; undefined: it could not be asked */
export function rightsOf(setuid: boolean, text: string | undefined): Rights {
  if (text === undefined)
    return setuid ? { rights: 'setuid', gains: setuidGains } : { rights: 'unknown', gains: setuidGains };
  if (text.trim() === '') return setuid ? { rights: 'setuid', gains: setuidGains } : { rights: 'none', gains: [] };
  const gains = parseCapabilities(text);
  const has = (name: string): boolean => gains.includes(name) || gains.includes('all');
  const enough = setuid ? setuidGains.every(has) : has('net_admin');
  if (enough) return { rights: 'capability', gains };
  return { rights: setuid ? 'mixed' : 'none', gains: [] };
}

/** Empty: it has none. Undefined: there is no getcap, or it failed. */
function readCapabilities(file: string, { which, runNow }: HelperSearch['system']): string | undefined {
  if (which('getcap') === undefined) return undefined;
  const { status, stdout } = runNow('getcap', [file], { timeoutMs: 30_000 });
  if (status !== 0) return undefined;
  return stdout.startsWith(file) ? stdout.slice(file.length) : stdout;
}

/**
 * ` cap_net_admin=ep`, ` = cap_net_admin,cap_net_raw+ep`, ` =ep` (all): the names of those that are permitted and effective at once. The helper raises
 * nothing by itself, so one that is permitted alone is none.
 */
export function parseCapabilities(text: string): string[] {
  const clauses = text.trim().replace(/^= /, '').split(/\s+/);
  return clauses.flatMap((clause) => {
    const [, names = '', flags = ''] = /^([a-z0-9_,]*)[=+]([eip]+)$/.exec(clause) ?? [];
    if (!flags.includes('e') || !flags.includes('p')) return [];
    return names === '' ? ['all'] : names.split(',').map((name) => name.replace(/^cap_/, ''));
  });
}

/** By the mount that the file is on: the last of the longest mount points above it. */
export function isNosuid(file: string, mountInfo: string): boolean {
  let longest = '';
  let options = '';
  for (const line of mountInfo.split('\n')) {
    const [, , , , escaped = '', found = ''] = line.split(' ');
    const point = escaped.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCodePoint(Number.parseInt(octal, 8)),
    );
    const above = point === file || file.startsWith(point.endsWith('/') ? point : `${point}/`);
    if (point === '' || !above || point.length < longest.length) continue;
    [longest, options] = [point, found];
  }
  return options.split(',').includes('nosuid');
}

const mostBytes = 32 * 1024 * 1024;

/** A helper that is a wrapper, or that this user may not read, does not tell. */
function readConfPath(file: string): string {
  const stat = statOf(file);
  if (stat === undefined || stat.size > mostBytes) return usualConf;
  try {
    return confPathIn(readFileSync(file)) ?? usualConf;
  } catch {
    return usualConf;
  }
}

/** The string that ends in `/bridge.conf`. */
export function confPathIn(program: Buffer): string | undefined {
  const end = program.indexOf('/bridge.conf\0', 0, 'latin1');
  if (end < 0) return undefined;
  const start = program.lastIndexOf(0, end) + 1;
  const text = program.toString('utf8', start, end + '/bridge.conf'.length);
  return path.isAbsolute(text) && text.length < 4096 ? path.normalize(text) : undefined;
}

function statOf(file: string): Stats | undefined {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}
