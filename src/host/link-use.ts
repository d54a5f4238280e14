/**
 * Whether any process of the host uses an interface: has its tap or its device open, or names it in its arguments. What is not seen cannot be told to
 * be unused, so it is said whether everything was seen: as root, and not from within a container, whose /proc has a part of the host's processes alone.
 */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../errors.ts';
import { textOf } from '../system/glance.ts';
import { listPids, readArguments } from '../system/processes.ts';
import { numbersOf, readHostLink, readTapNode, type HostLink } from './host-link.ts';
import { parseTapName } from './tap-of.ts';

export interface LinkUser {
  readonly pid: number;
  readonly program: string;
  /** `open`: its tap or device; `names`: it says its name. */
  readonly how: 'open' | 'names';
}

export interface OpenLock {
  readonly pid: number;
  readonly path: string;
}

export interface LinkUse {
  readonly users: readonly LinkUser[];
  /** Files called `vm.NAME` that a process of this network has open. */
  readonly locks: readonly OpenLock[];
  /** Every process of the host was looked at. */
  readonly complete: boolean;
}

/** The kernel's own number for the first of all namespaces of processes. https://man7.org/linux/man-pages/man7/pid_namespaces.7.html */
const firstPidNamespace = 'pid:[4026531836]';

/** @param vm whose locks are looked for */
export function readLinkUse(link: HostLink, vm?: string): LinkUse {
  const device = link.kind === 'macvtap' ? readTapNode(link.name, link.index) : undefined;
  const users: LinkUser[] = [];
  const locks: OpenLock[] = [];
  let complete = process.getuid?.() === 0 && linkOf('/proc/self/ns/pid') === firstPidNamespace;
  const network = linkOf('/proc/self/ns/net');
  for (const pid of listPids().filter((one) => one !== process.pid)) {
    const seen = readOpen(pid, { device, vm });
    if (seen === 'hidden') complete = false;
    else if ([network, ''].includes(linkOf(`/proc/${pid}/ns/net`)))
      locks.push(...seen.locks.map((file) => ({ pid, path: file })));
    const isOpen = seen !== 'hidden' && (seen.device || seen.taps.includes(link.name));
    const argv = readArguments(pid);
    const program = path.basename(argv[0] ?? '');
    if (isOpen) users.push({ pid, program, how: 'open' });
    else if (argv.some((word) => namesLink(word, link.name))) users.push({ pid, program, how: 'names' });
  }
  // a tap's carrier is there while anybody has it, seen or not
  return { users, locks, complete: complete && readHostLink(link.name)?.tap?.attached !== true };
}

const namesLink = (text: string, name: string): boolean => text.split(/[^A-Za-z0-9_.-]/).some((word) => word === name);

interface Looked {
  readonly device: string | undefined;
  readonly vm: string | undefined;
}

interface Seen {
  readonly taps: readonly string[];
  readonly device: boolean;
  readonly locks: readonly string[];
}

function readOpen(pid: number, looked: Looked): Seen | 'hidden' {
  const directory = `/proc/${pid}`;
  const taps: string[] = [];
  const locks: string[] = [];
  let device = false;
  const names = listOpen(`${directory}/fd`);
  if (names === 'hidden') return 'hidden';
  for (const name of names) {
    const target = linkOf(`${directory}/fd/${name}`);
    // pipes, sockets and the like have no path
    if (!target.startsWith('/')) continue;
    if (looked.vm !== undefined && isLockOf(target, looked.vm)) locks.push(target);
    // /dev/net/tun may be called anything: who has one open is told by the kernel
    const tap = parseTapName(textOf(`${directory}/fdinfo/${name}`));
    if (tap !== undefined) taps.push(tap);
    if (looked.device !== undefined && deviceOf(`${directory}/fd/${name}`) === looked.device) device = true;
  }
  return { taps, device, locks };
}

/** `…/locks/vm.web1`, also of a directory that was removed. */
const isLockOf = (file: string, vm: string): boolean => file.replace(/ \(deleted\)$/, '').endsWith(`/locks/vm.${vm}`);

/** A process that ended meanwhile has nothing open. */
function listOpen(directory: string): string[] | 'hidden' {
  try {
    return readdirSync(directory);
  } catch (error) {
    return ['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '') ? [] : 'hidden';
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

/** `246:1`, of a character device. */
function deviceOf(file: string): string | undefined {
  try {
    const stat = statSync(file);
    return stat.isCharacterDevice() ? numbersOf(stat.rdev) : undefined;
  } catch {
    return undefined;
  }
}
