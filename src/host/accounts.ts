/** Users and their groups: who runs qrun, and whom root's QEMU is dropped to. */
import { userInfo } from 'node:os';
import { QrunError } from '../errors.ts';
import { textOf } from '../system/glance.ts';
import type { System } from '../system/system.ts';
import type { Identity, RunAs } from './facts.ts';

const overflowId = 65534;

/** Of this process. A uid without an account (containers) has its number as its name. */
export function readIdentity({ uid, gid, env }: Pick<System, 'uid' | 'gid' | 'env'>): Identity {
  try {
    const { username, homedir } = userInfo();
    return { uid, gid, name: username, home: homedir };
  } catch {
    return { uid, gid, name: String(uid), home: env['HOME'] ?? '/' };
  }
}

/**
 * The user that root's QEMU runs as: the profile's, else `qrun` (made by `setup`), else `nobody`.
 * @throws QrunError `invalid-profile` for root, `host-failed` for a user that does not exist
 */
export function readRunAs(system: System, wanted: string | undefined): RunAs {
  const account =
    wanted === undefined
      ? (readAccount(system, 'qrun') ??
        readAccount(system, 'nobody') ?? { name: 'nobody', uid: overflowId, gid: overflowId })
      : readAccount(system, wanted);
  if (account === undefined) {
    throw new QrunError('host-failed', `runAs: there is no user ${JSON.stringify(wanted)} on this host`, {
      hint: `useradd --system --no-create-home ${wanted ?? ''}`,
    });
  }
  if (account.uid !== 0) return account;
  throw new QrunError('invalid-profile', `runAs: ${account.name} is root, and QEMU never runs as root`, {
    hint: 'name an ordinary user, or leave runAs out',
  });
}

/** From /etc/passwd; an account that is elsewhere (LDAP, systemd-homed) by getent. */
export function readAccount(system: System, name: string): RunAs | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/.test(name)) return undefined;
  const local = parseAccount(textOf('/etc/passwd'), name);
  if (local !== undefined || name === 'qrun' || system.which('getent') === undefined) return local;
  return parseAccount(system.runNow('getent', ['passwd', name]).stdout, name);
}

/** From /etc/passwd. */
export function userNameOf(uid: number): string | undefined {
  const line = textOf('/etc/passwd')
    .split('\n')
    .find((one) => one.split(':')[2] === String(uid));
  return line?.slice(0, line.indexOf(':'));
}

export function parseAccount(passwd: string, name: string): RunAs | undefined {
  for (const line of passwd.split('\n')) {
    const [found, , uid, gid] = line.split(':');
    if (found === name && uid !== undefined && gid !== undefined && /^\d+$/.test(uid) && /^\d+$/.test(gid)) {
      return { name, uid: Number(uid), gid: Number(gid) };
    }
  }
  return undefined;
}

/** The groups that `setpriv --init-groups` gives that user. */
export function readGroups({ name, gid }: RunAs): number[] {
  return name === 'nobody' ? [gid] : parseGroups(textOf('/etc/group'), { name, gid });
}

export function parseGroups(group: string, { name, gid }: Pick<RunAs, 'name' | 'gid'>): number[] {
  const groups = new Set([gid]);
  for (const line of group.split('\n')) {
    const [, , id, members = ''] = line.split(':');
    if (id !== undefined && /^\d+$/.test(id) && members.split(',').includes(name)) groups.add(Number(id));
  }
  return [...groups];
}
