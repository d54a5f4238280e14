/**
 * Directories that qrun trusts its state to: nobody but their owner and root may put anything there or swap them for something else.
 * Checked by looking at every component on the way, because one writable parent is enough to replace the whole tree below it.
 */
import { chmodSync, lstatSync, mkdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { shellWord } from '../shell-word.ts';
import { failureOf } from './failure.ts';

const groupOrOtherWrite = 0o022;
const groupWrite = 0o020;
const otherWrite = 0o002;
const sticky = 0o1000;
/** As many as the kernel follows. */
const maxLinks = 40;

export interface DirectoryOwner {
  readonly uid: number;
}

/**
 * Makes `directory` (and what is missing above it) with mode 0700, and checks the whole chain. Root's are 0711: the QEMU that root drops to
 * another user must get through to its own sockets and disks, and ordinary users to the host-wide registry, but nobody can list them.
 * @throws QrunError `unsafe-state`, `permission`, `host-failed`
 */
export function ensurePrivateDirectory(directory: string, owner: DirectoryOwner): void {
  const fault = walkDown(path.resolve(directory), { owner, create: true });
  if (fault !== undefined) throw unsafe(fault);
}

/** Checks without making anything. Undefined: safe. A directory that does not exist is a fault. */
export function faultOfDirectory(directory: string, owner: DirectoryOwner): string | undefined {
  return walkDown(path.resolve(directory), { owner, create: false, followLast: true })?.message;
}

interface Fault {
  readonly message: string;
  readonly hint: string;
}

interface Walk {
  readonly owner: DirectoryOwner;
  readonly create: boolean;
  readonly followLast?: boolean;
}

/** Resolves the path as the kernel does, one component at a time, with every directory and link on the way looked at. */
function walkDown(target: string, walk: Walk): Fault | undefined {
  let pending = componentsOf(target);
  let at = '/';
  let links = 0;
  const fault = faultOfParent('/', lstatSync('/'), walk.owner);
  if (fault !== undefined) return fault;
  while (pending.length > 0) {
    const [name = '', ...rest] = pending;
    if (name === '..') {
      at = path.dirname(at);
      pending = rest;
      continue;
    }
    const next = path.join(at, name);
    const last = rest.length === 0;
    const stat = readOrMake(next, walk);
    if (stat === undefined) return { message: `${next} does not exist`, hint: `mkdir -m 700 ${shellWord(next)}` };
    if (stat.isSymbolicLink()) {
      if (last && walk.followLast !== true) return symlinked(next);
      if (!isTrusted(stat.uid, walk.owner)) return ownedBy(next, stat);
      if (++links > maxLinks)
        return { message: `${target}: too many symbolic links`, hint: `ls -ld ${shellWord(next)}` };
      const aim = readlinkSync(next);
      if (path.isAbsolute(aim)) at = '/';
      pending = [...componentsOf(aim), ...rest];
      continue;
    }
    const found = last && walk.create ? faultOfOwn(next, stat, walk.owner) : faultOfParent(next, stat, walk.owner);
    if (found !== undefined) return found;
    at = next;
    pending = rest;
  }
  return undefined;
}

const componentsOf = (text: string): string[] => text.split('/').filter((part) => part !== '' && part !== '.');

function readOrMake(directory: string, { create, owner }: Walk): Stats | undefined {
  const found = readStat(directory);
  if (found !== undefined || !create) return found;
  try {
    mkdirSync(directory, { mode: 0o700 });
    if (owner.uid === 0) chmodSync(directory, 0o711); // whatever root's umask is
  } catch (error) {
    // somebody was faster: then what they made is looked at
    if (errnoOf(error) !== 'EEXIST') throw failureOf(directory, error, 'cannot make the directory');
  }
  return readStat(directory);
}

function readStat(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw failureOf(file, error, 'cannot look at it');
  }
}

/** Root, as this user namespace sees it, is whoever owns `/`: in a namespace that does not map root that is nobody. */
function isTrusted(uid: number, owner: DirectoryOwner): boolean {
  return uid === 0 || uid === owner.uid || uid === lstatSync('/').uid;
}

function faultOfParent(directory: string, stat: Stats, owner: DirectoryOwner): Fault | undefined {
  if (!stat.isDirectory()) return notDirectory(directory);
  if (!isTrusted(stat.uid, owner)) return ownedBy(directory, stat);
  if ((stat.mode & groupOrOtherWrite) === 0 || (stat.mode & sticky) !== 0) return undefined;
  if ((stat.mode & otherWrite) === 0 && isPrivateGroup(stat, owner)) return undefined;
  return writable(directory, stat);
}

/** The last component is qrun's own: its owner must be the user, and a sticky bit is no excuse. */
function faultOfOwn(directory: string, stat: Stats, owner: DirectoryOwner): Fault | undefined {
  if (!stat.isDirectory()) return notDirectory(directory);
  if (stat.uid !== owner.uid) return ownedBy(directory, stat);
  return (stat.mode & groupOrOtherWrite) === 0 ? undefined : writable(directory, stat);
}

/**
 * Where users have a group of their own and a umask of 002 (Ubuntu, Fedora), `~/.local` is group-writable, and that harms nobody
 * as long as the user is alone in the group.
 */
function isPrivateGroup(stat: Stats, { uid }: DirectoryOwner): boolean {
  if (uid === 0 || stat.uid !== uid || stat.gid !== uid) return false;
  try {
    const groups = readFileSync('/etc/group', 'utf8').split('\n');
    const users = readFileSync('/etc/passwd', 'utf8').split('\n');
    const name = users.find((line) => line.split(':')[2] === String(uid))?.split(':')[0];
    const members = groups.find((line) => line.split(':')[2] === String(stat.gid))?.split(':')[3];
    return members !== undefined && members.split(',').every((member) => member === '' || member === name);
  } catch {
    return false;
  }
}

const symlinked = (file: string): Fault => ({
  message: `${file} is a symbolic link`,
  hint: 'name the directory that it points to',
});
const notDirectory = (file: string): Fault => ({
  message: `${file} is not a directory`,
  hint: `choose another directory; ls -ld ${shellWord(file)}`,
});
const ownedBy = (file: string, stat: Stats): Fault => ({
  message: `${file} belongs to another user (uid ${stat.uid})`,
  hint: 'choose a directory of your own',
});
const writable = (file: string, stat: Stats): Fault => ({
  message: `${file} can be written by others (mode ${(stat.mode & 0o7777).toString(8).padStart(4, '0')})`,
  hint: `chmod ${(stat.mode & groupWrite) === 0 ? 'o-w' : 'go-w'} ${shellWord(file)}`,
});

const unsafe = (fault: Fault): QrunError =>
  new QrunError('unsafe-state', `unsafe directory: ${fault.message}`, { hint: fault.hint });
