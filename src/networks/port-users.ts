/** Who has the ports of a network of root's: VMs, and processes that are none. */
import { existsSync } from 'node:fs';
import { userNameOf } from '../host/accounts.ts';
import { portInWords, type HostNetwork, type HostPort } from '../network/host-network.ts';
import { readPortUse, tryPort } from '../resources/port-lease.ts';
import { findHolders, readRealUser } from '../system/processes.ts';
import { isFree } from './port-health.ts';

export interface PortMember {
  /** Of another user's: `alice/web1`. */
  readonly vm: string;
  readonly nic: string;
  readonly mac: string;
  readonly since: string;
}

/** Who has which port now, as far as this user may look. */
export const readPortMembers = ({ ports }: HostNetwork, uid: number): PortMember[] =>
  ports.flatMap((port) => (isBusy(port.lock) ? usersOf(port, uid) : []));

export interface PortUser extends Pick<PortMember, 'vm' | 'mac'> {
  /** Null: the port is kept for a VM that has not come yet. */
  readonly nic: string | null;
}

/** Whom a port is kept for, by root; or who has it, or had it last. */
export const readPortUsers = ({ ports }: HostNetwork, uid: number): PortUser[] =>
  ports.flatMap((port): PortUser[] => {
    const { kept, mac } = port;
    const users = usersOf(port, uid);
    if (kept === undefined) return users;
    const vm = inFull(kept, uid);
    const own = users.filter((one) => one.vm === vm);
    return own.length > 0 ? own : [{ vm, nic: null, mac }];
  });

function usersOf({ lock, mac }: HostPort, uid: number): PortMember[] {
  const use = readPortUse(lock);
  if (use === undefined) return [];
  const { vm, nic, at } = use;
  return [{ vm: inFull({ uid: use.uid, vm }, uid), nic, mac, since: at }];
}

/** One's own by its name alone. */
const inFull = ({ uid, vm }: { readonly uid: number; readonly vm: string }, own: number): string =>
  uid === own ? vm : `${userNameOf(uid) ?? uid}/${vm}`;

function isBusy(lock: string): boolean {
  try {
    return !isFree(lock);
  } catch {
    return false;
  }
}

/** The locks of all ports, for root while the network goes; `busy`: of those that are in use. */
export function lockPorts({ ports }: HostNetwork): { readonly locks: number[]; readonly busy: readonly string[] } {
  const locks: number[] = [];
  const busy: string[] = [];
  for (const port of ports) {
    const { lock } = port;
    const fd = tryPort(lock);
    if (fd !== undefined) locks.push(fd);
    // without its file it was never given to anybody
    else if (existsSync(lock)) busy.push(`${portInWords(port)} by ${wordOf(lock)}`);
  }
  return { locks, busy };
}

function wordOf(lock: string): string {
  const use = readPortUse(lock);
  if (use === undefined) return strangerIn(lock) ?? 'somebody';
  return `${use.vm} of ${userNameOf(use.uid) ?? `uid ${use.uid}`}`;
}

/** Whoever has a port's lock and is no VM that says so; as far as this user may look. */
export function strangerOn({ lock }: HostPort): string | undefined {
  if (!isBusy(lock) || readPortUse(lock) !== undefined) return undefined;
  const found = strangerIn(lock);
  // whoever only looks has it for a moment
  return isBusy(lock) ? (found ?? 'somebody') : undefined;
}

/** `a process of alice (pid 4711)` */
function strangerIn(lock: string): string | undefined {
  const [pid, ...more] = findHolders(lock);
  const uid = pid === undefined ? undefined : readRealUser(pid);
  if (pid === undefined || uid === undefined) return undefined;
  const what = more.length === 0 ? 'a process' : 'processes';
  return `${what} of ${userNameOf(uid) ?? `uid ${uid}`} (pid ${[pid, ...more].join(', ')})`;
}
