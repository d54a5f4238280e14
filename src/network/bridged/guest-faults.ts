/** VMs of users by their names: each takes a port of its own, which must be there for it, and its name is one guest's. Said with its line. */
import type { LineOf, WrittenMap } from '../../profile/definition.ts';
import type { DocumentPath, PathFault } from '../../profile/yaml-document.ts';
import { fullGuestName, parseUserVm } from '../user-vm.ts';
import { valueAt, writtenForwards, writtenHosts, type WrittenHost } from '../written.ts';
import { isHostLabel } from './leases.ts';

export function guestFaults(written: WrittenMap, lineOf: LineOf): PathFault[] {
  const owner = textAt(written, 'owner');
  const named = namedVms(written, owner);
  return [...takerFaults(named, { owner, written }), ...twiceFaults(written, { owner, lineOf })];
}

const textAt = (written: WrittenMap, key: string): string | undefined => {
  const value = valueAt(written, [key]);
  return typeof value === 'string' ? value : undefined;
};

interface Named {
  /** In full: `alice/web1`. */
  readonly name: string;
  readonly user: string;
  readonly path: DocumentPath;
}

/** Those of users, in the order in which ports are kept for them. */
function namedVms(written: WrittenMap, owner: string | undefined): Named[] {
  const all = [
    ...writtenHosts(written).flatMap(({ vm, path }) =>
      vm === undefined ? [] : [{ guest: vm, path: [...path, 'vm'] as DocumentPath }],
    ),
    ...writtenForwards(written).map(({ forward, path }) => ({ guest: forward.guest, path })),
  ];
  return all.flatMap(({ guest, path }): Named[] => {
    const name = fullGuestName(guest, owner);
    const user = parseUserVm(name)?.user;
    return user === undefined ? [] : [{ name, user, path }];
  });
}

interface Look {
  readonly owner: string | undefined;
  readonly written: WrittenMap;
}

function takerFaults(named: readonly Named[], { owner, written }: Look): PathFault[] {
  const ports = valueAt(written, ['ports']);
  const count = typeof ports === 'number' ? ports : 0;
  const seen = new Set<string>();
  return named.flatMap(({ name, user, path }): PathFault[] => {
    const at = (message: string): PathFault[] => [{ path, at: 'value', message }];
    const isNew = !seen.has(name);
    if (count === 0)
      return at(`${name} is another user's, and comes by a port: write "ports", and "owner" or "group" too`);
    if (owner === undefined && written['transport'] === 'vde')
      return at(
        `${name}: whoever may join a VDE switch may take any of its ports: with "owner" in place of "group" it is one user's`,
      );
    if (owner !== undefined && user !== owner)
      return at(`${name} can take no port: all of them are ${owner}'s, who is the owner`);
    if (isNew && seen.size === count)
      return at(`${name} is one VM too many: a port is kept for each that is named, and there are ${count}`);
    seen.add(name);
    return [];
  });
}

interface Lines {
  readonly owner: string | undefined;
  readonly lineOf: LineOf;
}

interface Host extends WrittenHost {
  /** Whose it is: a VM in full, or a MAC. */
  readonly holder: string;
}

function twiceFaults(written: WrittenMap, { owner, lineOf }: Lines): PathFault[] {
  const hosts = writtenHosts(written).flatMap((host): Host[] => {
    const holder = host.vm === undefined ? host.mac : fullGuestName(host.vm, owner);
    return holder === undefined ? [] : [{ ...host, holder }];
  });
  return hosts.flatMap((host, index): PathFault[] => {
    const before = hosts.slice(0, index);
    return [...sameVm(host, before, lineOf), ...sameName(host, before, lineOf)];
  });
}

/** The same VM, written otherwise: what is written alike is told of every network. */
function sameVm({ vm, holder, ip, path }: Host, before: readonly Host[], lineOf: LineOf): PathFault[] {
  const isSix = (one: string | undefined): boolean => one?.includes(':') === true;
  const twin = before.find(
    (one) => one.holder === holder && one.vm !== undefined && one.vm !== vm && isSix(one.ip) === isSix(ip),
  );
  if (twin === undefined) return [];
  const message = `${vm} is ${holder}, which stands on line ${lineOf([...twin.path, 'vm'])} already`;
  return [{ path: [...path, 'vm'], at: 'value', message }];
}

const calledOf = ({ name, holder }: Host): string | undefined => name ?? parseUserVm(holder)?.vm ?? holder;

/** The name server knows one of each name. */
function sameName(host: Host, before: readonly Host[], lineOf: LineOf): PathFault[] {
  const name = calledOf(host)?.toLowerCase();
  if (name === undefined || !isHostLabel(name)) return [];
  const twin = before.find(
    (one) =>
      one.holder !== host.holder &&
      [one, host].some(({ vm }) => vm !== undefined) &&
      calledOf(one)?.toLowerCase() === name,
  );
  if (twin === undefined) return [];
  const message = `${host.holder} would be known as ${name}, as is ${twin.holder} on line ${lineOf(twin.path)}: give it another "name"`;
  return [{ path: host.path, at: 'value', message }];
}
