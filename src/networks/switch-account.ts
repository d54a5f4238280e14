/** Whom the switch of a network of root's runs as: never root. Read only. */
import { existsSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { readAccount } from '../host/accounts.ts';
import type { RunAs } from '../host/facts.ts';
import { accessOf } from '../host/file-access.ts';
import type { Network } from '../network/network.ts';
import type { PortFacts } from '../network/plan-input.ts';
import type { System } from '../system/system.ts';

/** Of Debian's package vde2, for nothing else. */
const ofPackage = 'vde2-net';

/**
 * The owner, whose guests alone are on it. For a group nobody of its members, in that group: the account that the package made for switches, else nobody.
 * @throws QrunError `host-failed` when there is no such account
 */
export function readSwitchAccount(
  { name, owner }: Network,
  { group }: Pick<PortFacts, 'group'>,
  system: System,
): Pick<PortFacts, 'account'> {
  const found = owner === undefined ? ofGroup(system) : readAccount(system, owner);
  if (found !== undefined && found.uid !== 0) {
    requireTun(name, found);
    return { account: { uid: found.uid, gid: group ?? found.gid } };
  }
  throw new QrunError('host-failed', `network ${name}: no account is there that its switch could run as`, {
    hint:
      found?.uid === 0
        ? 'it runs as the owner, and never as root: another owner, or a group'
        : `sudo useradd --system --no-create-home ${owner ?? ofPackage}`,
  });
}

const tun = '/dev/net/tun';

/** Where it is not there at all, whoever makes the tap says so. */
function requireTun(name: string, account: RunAs): void {
  if (!existsSync(tun) || accessOf(account).mayWrite(tun)) return;
  throw new QrunError('permission', `network ${name}: ${account.name}, who runs its switch, may not open ${tun}`, {
    hint: `sudo chmod 0666 ${tun}`,
  });
}

const ofGroup = (system: System): ReturnType<typeof readAccount> =>
  readAccount(system, ofPackage) ?? readAccount(system, 'nobody');
