/**
 * A network of root's in the host-wide registry. The lock files of its ports are root's own directory's: those who may take a port may open and lock
 * them, and nobody but root can put another in their place. They are never removed: whoever holds a file that is gone locks nothing.
 */
import { chmodSync, lstatSync, mkdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { isVmName, type Mac, parseMac } from '../names.ts';
import type { KeptPort } from '../network/bridged/kept-ports.ts';
import { hostNetworkFiles } from '../network/host-network.ts';
import type { NetworkName } from '../network/network.ts';
import type { Places } from '../places.ts';
import type { Action, HostNetworkStep } from '../plan/step.ts';
import { shellWord } from '../shell-word.ts';
import { faultOfDirectory } from '../system/directories.ts';
import { failureOf } from '../system/failure.ts';
import { writeDurable, writeQuick } from '../system/files.ts';
import { readStateFile, requireKnownVersion } from '../system/state-files.ts';
import type { System } from '../system/system.ts';
import { claimOnHost, freeOnHost } from './host-claim.ts';
import { makePortLock, rightsOfLock } from './port-lock.ts';
import type { Resource } from './resource.ts';

export const hostNetwork: Resource<HostNetworkStep> = {
  describe: (step) => ({
    acquire: [
      { argv: ['install', '-d', '-m', '0755', '--', path.dirname(step.path), step.directory] },
      ...step.network.ports.flatMap((port): Action[] => {
        const { uid, gid, mode } = rightsOfLock(port, step.network);
        return [
          { op: 'write', path: port.lock, content: '' },
          { argv: ['chown', `${uid}:${gid}`, port.lock] },
          { argv: ['chmod', mode.toString(8).padStart(4, '0'), port.lock] },
        ];
      }),
      ...(step.claims === undefined ? [] : claimsOf(step)),
      { op: 'write', path: step.path, content: JSON.stringify(step.network) },
    ],
    release: [{ op: 'remove', path: step.path }],
  }),

  acquire: async (step, { system }) => {
    for (const directory of [path.dirname(step.path), step.directory]) openDirectory(directory);
    for (const port of step.network.ports) makePortLock(port.lock, rightsOfLock(port, step.network));
    keepMacs(step);
    claimMacs(step);
    requireKnownVersion(step.path);
    writeQuick(step.path, entryOf(step, system), { mode: 0o644 });
    return {};
  },

  release: async (step) => {
    if (!isOfAnotherRun(step)) rmSync(step.path, { force: true });
  },
};

/** A network of that name that has another state directory, or came up since. What cannot be read is nobody's. */
function isOfAnotherRun({ path: file, network }: HostNetworkStep): boolean {
  try {
    const read = readStateFile(file, { leave: true });
    const runId = read.state === 'read' ? read.value['runId'] : undefined;
    return typeof runId === 'string' && runId !== network.runId;
  } catch (error) {
    // a newer qrun's is left to it
    if (error instanceof QrunError) return error.code === 'newer-state';
    throw error;
  }
}

/** Those of ports that there were once and may be again stay behind them. */
function keepMacs({ macs: file, network: { ports } }: HostNetworkStep): void {
  const macs = ports.map(({ mac }) => mac);
  const before = readPortMacs(file);
  const more = before.slice(macs.length);
  const kept = ports.flatMap(({ number, kept: keeper }) => (keeper === undefined ? [] : [{ number, ...keeper }]));
  // a file that is to last takes the disk's time
  const isSame = JSON.stringify(kept) === JSON.stringify(readKeptPorts(file));
  if (isSame && macs.every((mac, number) => mac === before[number])) return;
  writeDurable(file, JSON.stringify({ v: 1, macs: [...macs, ...more], kept }), { mode: 0o644 });
}

/** Which port is kept for which user's VM, also while the network is down. */
export function readKeptPorts(file: string): KeptPort[] {
  const read = readStateFile(file, { leave: true });
  const listed: unknown = read.state === 'read' ? read.value['kept'] : undefined;
  return (Array.isArray(listed) ? listed : []).flatMap((one: unknown): KeptPort[] => {
    if (typeof one !== 'object' || one === null) return [];
    const { number, user, uid, vm } = one as Readonly<Record<string, unknown>>;
    if (typeof number !== 'number' || typeof user !== 'string' || typeof uid !== 'number') return [];
    return typeof vm === 'string' && isVmName(vm) ? [{ number, user, uid, vm }] : [];
  });
}

/** The addresses of a network's ports, in the order of the ports; none where nobody has kept any. */
export function readPortMacs(file: string): Mac[] {
  const read = readStateFile(file, { leave: true });
  const listed = read.state === 'read' && Array.isArray(read.value['macs']) ? read.value['macs'] : [];
  return listed.flatMap((text: unknown): Mac[] => {
    const parsed = typeof text === 'string' ? parseMac(text) : undefined;
    return parsed !== undefined && 'mac' in parsed ? [parsed.mac] : [];
  });
}

/** They last as the ports' addresses do: over `net down`, until `net rm`. Whoever asks for an address finds them taken. */
function claimMacs({ claims, network: { name, ports } }: HostNetworkStep): void {
  if (claims === undefined) return;
  for (const { mac, number } of ports) {
    if (claimOnHost(claims, mac, { vm: `net/${name}`, nic: `port${number}` })) continue;
    throw new QrunError('in-use', `network ${name}: ${mac} was claimed on this host by somebody else just now`, {
      hint: `sudo qrun net up ${name}`,
    });
  }
}

/** @param name of a network that is not up: nobody has its ports, and their addresses are anybody's */
export function freePortMacs(claims: Pick<Places, 'host' | 'state'>, name: NetworkName): void {
  for (const mac of readPortMacs(hostNetworkFiles(claims.host, name).macs)) freeOnHost(claims, mac, `net/${name}`);
}

const claimsOf = ({ claims, network: { name, ports } }: HostNetworkStep): Action[] =>
  ports.map(({ mac, number }) => ({
    op: 'write',
    path: `${claims?.host ?? ''}/macs/${mac.replaceAll(':', '-')}`,
    content: JSON.stringify({ v: 1, vm: `net/${name}`, nic: `port${number}`, state: claims?.state }),
  }));

const entryOf = ({ network }: HostNetworkStep, system: System): string =>
  JSON.stringify({
    v: 1,
    bootId: system.bootId(),
    space: networkSpace(),
    startedAt: new Date().toISOString(),
    ...network,
  });

/** Interfaces are of one network namespace, and their names say nothing in another. */
export const networkSpace = (): string => String(statSync('/proc/self/ns/net').ino);

/** Root's, and open to all: users must get through to the locks. */
export function openDirectory(directory: string): void {
  const missing: string[] = [];
  for (let at = directory; lstatSync(at, { throwIfNoEntry: false }) === undefined; at = path.dirname(at))
    missing.unshift(at);
  for (const one of missing) {
    try {
      mkdirSync(one, { mode: 0o755 });
      chmodSync(one, 0o755);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw failureOf(one, error, 'cannot make the directory');
    }
  }
  const fault = faultOfDirectory(directory, { uid: 0 });
  if (fault !== undefined)
    throw new QrunError('unsafe-state', `unsafe directory: ${fault}`, { hint: `ls -ld ${shellWord(directory)}` });
}
