/**
 * Theory of operation
 *
 * A user's VM that the definition or a forward names gets one of the network's ports for itself, so that its MAC, and with it its address, is known
 * before it ever runs. Root decides which, and writes it where users only read: into the registry, and beside the ports' MACs, so that the next time up
 * gives it the same one. The kernel keeps everybody else off: tap and lock file are that user's, and not the group's. What a VM's own user wrote into a
 * lock file says at most which of two ports is taken: never whose a port is.
 */
import { existsSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { readAccount, readGroups } from '../host/accounts.ts';
import type { KeptPort } from '../network/bridged/kept-ports.ts';
import { hostNetworkFiles, type HostNetwork } from '../network/host-network.ts';
import { hostNetworkOf } from '../network/network-plan.ts';
import type { Network } from '../network/network.ts';
import { renderUserVm, userVmsOf, type UserVm } from '../network/user-vm.ts';
import { readKeptPorts } from '../resources/host-network.ts';
import { readPortUse, type PortUse } from '../resources/port-lease.ts';
import type { System } from '../system/system.ts';
import type { NetworkContext } from './context.ts';
import { isFree } from './port-health.ts';
import type { NetworkRecord } from './record.ts';

type Look = Pick<NetworkContext, 'places' | 'system'>;
type Who = Pick<HostNetwork, 'user' | 'group' | 'vde'>;

/** For a network that comes up. @throws QrunError `unknown-name`, `permission`, `in-use` */
export function choosePortsToKeep(
  definition: Network,
  who: Who & { readonly count: number },
  { places, system }: Look,
): KeptPort[] {
  const { ports, macs } = hostNetworkFiles(places.host, definition.name);
  const locks = Array.from({ length: who.count }, (_, number) => `${ports}/${number}`);
  return keepPorts(definition, { who, locks, before: readKeptPorts(macs) }, system);
}

/** For one that is up, and is to have these forwards. @throws QrunError `unknown-name`, `permission`, `in-use` */
export function choosePortsNow(
  record: NetworkRecord,
  forwards: Network['forwards'],
  { system }: Pick<Look, 'system'>,
): KeptPort[] {
  const { definition, plan } = record;
  const host = hostNetworkOf(plan);
  const named = { ...definition, forwards };
  if (host === undefined) return [];
  const left = stillKept(record, forwards);
  const orStillOn = (kept: readonly KeptPort[]): KeptPort[] => [
    ...kept,
    ...left.filter(({ number }) => !kept.some((one) => one.number === number)),
  ];
  if (userVmsOf(named).length === 0) return orStillOn([]);
  const locks = host.ports.map(({ lock }) => lock);
  return orStillOn(keepPorts(named, { who: host, locks, before: keptOf(host) }, system));
}

/** As the registry has it. */
export const keptOf = ({ ports }: Pick<HostNetwork, 'ports'>): KeptPort[] =>
  ports.flatMap(({ number, kept }) => (kept === undefined ? [] : [{ number, ...kept }]));

/** Those that go on being kept when these forwards are all: one that others may take only once its VM is off it. */
export function stillKept(
  { definition, plan }: NetworkRecord,
  forwards: readonly { readonly guest: string }[],
): KeptPort[] {
  const host = hostNetworkOf(plan);
  if (host === undefined) return [];
  const named = new Set([...(definition.dhcp?.hosts ?? []).map(({ vm }) => vm), ...forwards.map(({ guest }) => guest)]);
  return keptOf(host).filter((one) => {
    const lock = host.ports.find(({ number }) => number === one.number)?.lock ?? '';
    return named.has(renderUserVm(one)) || (host.user !== one.uid && !isUnused(lock));
  });
}

interface Ports {
  readonly who: Who;
  /** By number. */
  readonly locks: readonly string[];
  readonly before: readonly KeptPort[];
}

interface Keeper extends UserVm {
  readonly uid: number;
}

function keepPorts(definition: Network, ports: Ports, system: System): KeptPort[] {
  const keepers = userVmsOf(definition).map((one) => requireTaker(one, { definition, who: ports.who, system }));
  const uses = ports.locks.map((lock) => readPortUse(lock));
  const kept = new Map<string, KeptPort>();
  const isOpen = (number: number): boolean => ![...kept.values()].some((one) => one.number === number);
  const keep = (keeper: Keeper, number: number | undefined): void => {
    if (number !== undefined) kept.set(renderUserVm(keeper), { ...keeper, number });
  };
  for (const keeper of keepers) {
    const known = ports.before.find(({ uid, vm }) => uid === keeper.uid && vm === keeper.vm)?.number;
    if (known !== undefined && known < ports.locks.length && isOpen(known)) keep(keeper, known);
  }
  const left = (): Keeper[] => keepers.filter((keeper) => !kept.has(renderUserVm(keeper)));
  for (const keeper of left()) keep(keeper, lastOf(keeper, { ports, uses, isOpen }));
  for (const keeper of left()) {
    const number = unusedFor({ ports, uses, isOpen })[0];
    if (number === undefined) throw noneLeft(keeper, { definition, ports, uses });
    keep(keeper, number);
  }
  return keepers.flatMap((keeper) => kept.get(renderUserVm(keeper)) ?? []);
}

interface Choice {
  readonly ports: Ports;
  readonly uses: readonly (PortUse | undefined)[];
  readonly isOpen: (number: number) => boolean;
}

/** Where all ports are its user's own, also the one that it has now: nobody else can have it. */
function lastOf({ uid, vm }: Keeper, { ports, uses, isOpen }: Choice): number | undefined {
  const own = uses.flatMap((use, number) =>
    use?.uid === uid && use.vm === vm && isOpen(number) ? [{ number, at: use.at }] : [],
  );
  return own
    .toSorted((a, b) => b.at.localeCompare(a.at))
    .find(({ number }) => ports.who.user === uid || isUnused(ports.locks[number] ?? ''))?.number;
}

/** One that nobody ever had first, then the one that is unused for longest. */
const unusedFor = ({ ports, uses, isOpen }: Choice): number[] =>
  ports.locks
    .map((lock, number) => ({ lock, number, at: uses[number]?.at ?? '' }))
    .filter(({ lock, number }) => isOpen(number) && isUnused(lock))
    .toSorted((a, b) => a.at.localeCompare(b.at))
    .map(({ number }) => number);

/** One without its file was never given to anybody. */
const isUnused = (lock: string): boolean => !existsSync(lock) || isFree(lock);

interface NoneLeft extends Pick<Choice, 'ports' | 'uses'> {
  readonly definition: Network;
}

function noneLeft(keeper: Keeper, { definition: { name, file }, ports }: NoneLeft): QrunError {
  const count = ports.locks.length;
  return new QrunError(
    'in-use',
    `network ${name}: no port is left to be kept for ${renderUserVm(keeper)}: ${count === 1 ? 'the only one is' : `all ${count} are`} kept for other VMs, or in use`,
    { hint: `more ports: a larger "ports" in ${file}; or stop a VM that has one: qrun net info ${name}` },
  );
}

interface TakerOf {
  readonly definition: Network;
  readonly who: Who;
  readonly system: System;
}

/** What counts from here on is the uid. */
function requireTaker(named: UserVm, { definition: { name, owner, group }, who, system }: TakerOf): Keeper {
  const at = `network ${name}: ${renderUserVm(named)}`;
  const account = readAccount(system, named.user);
  if (account === undefined)
    throw new QrunError('unknown-name', `${at}: there is no user ${named.user}`, { hint: 'getent passwd' });
  const { uid } = account;
  if (uid === 0)
    throw new QrunError('usage', `${at}: ${named.user} is root, whose VMs need no ports`, {
      hint: `write ${named.vm} alone, or root/${named.vm} where there is an owner`,
    });
  if (who.group !== undefined && who.vde !== undefined)
    throw new QrunError('usage', `${at}: whoever may join its VDE switch may take any of its ports`, {
      hint: "owner: in place of group: in its definition makes it one user's; or transport: tap",
    });
  const mayTake = who.group === undefined ? who.user === uid : isIn(who.group, { account, system });
  if (mayTake) return { ...named, uid };
  if (who.group !== undefined)
    throw new QrunError(
      'permission',
      `${at}: ${named.user} is not in the group ${group ?? who.group}, whose the ports are`,
      {
        hint: `sudo usermod -aG ${group ?? who.group} ${named.user}`,
      },
    );
  throw who.user === undefined
    ? new QrunError('usage', `${at} comes by a port, and the network has none`, {
        hint: `ports: 4 and owner: ${named.user} in its definition; then: sudo qrun net down ${name}; sudo qrun net up ${name}`,
      })
    : new QrunError('permission', `${at}: the ports are ${owner ?? `uid ${who.user}`}'s alone`, {
        hint: `group: in place of owner: in its definition gives them to several users`,
      });
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** From /etc/group; what is elsewhere (LDAP) by id. */
function isIn(gid: number, { account, system }: { readonly account: Account; readonly system: System }): boolean {
  if (account.gid === gid || readGroups(account).includes(gid)) return true;
  const { status, stdout } = system.runNow('id', ['-G', account.name]);
  return status === 0 && stdout.trim().split(/\s+/).includes(String(gid));
}
