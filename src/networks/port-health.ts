/** Whether the ports of a network of root's are as they were made: there, in their place, and for those whom they are for. Read only. */
import { closeSync, lstatSync, statSync, type Stats } from 'node:fs';
import { numbersOf, readHostLink, readTapNode, type HostLink } from '../host/host-link.ts';
import { takerOf, type HostNetwork, type HostPort } from '../network/host-network.ts';
import { tryPort } from '../resources/port-lease.ts';
import { readSwitchFaults } from './switch-health.ts';

export interface PortFault {
  readonly device: string;
  /** In words: `is gone`, `is not on br0`, … */
  readonly what: string;
  /** What is wrong with it: the interface is made anew, or only rights are set, or a switch is mended. */
  readonly of: 'link' | 'rights' | 'switch';
}

/** What was seen of a port. */
export interface PortSight {
  readonly link?: HostLink;
  /** Of a macvtap: its device; undefined: there is none, or it is that of another. */
  readonly node?: Rights;
  readonly lock?: Rights;
}

export type Rights = Pick<Stats, 'uid' | 'gid' | 'mode'>;

export function readPortFaults(host: HostNetwork): PortFault[] {
  const { vde, ports } = host;
  if (vde === undefined) return ports.flatMap((port) => faultsOfPort(port, host, readSight(port)));
  return [...readSwitchFaults(host, vde), ...ports.flatMap((port) => faultsOfLock(port, host, readSight(port)))];
}

/** Devices of ports that something is wrong with, each once. */
export const faultyPorts = (host: HostNetwork): string[] => [
  ...new Set(readPortFaults(host).map(({ device }) => device)),
];

export interface BrokenPorts {
  /** Devices that are there and not as they should be, and that nobody has: they can be made anew. */
  readonly links: readonly string[];
  readonly rights: readonly string[];
}

/** What `net up` mends besides what is gone. */
export function brokenPorts(host: HostNetwork): BrokenPorts {
  const faults = readPortFaults(host);
  const devices = (of: PortFault['of']): string[] => [
    ...new Set(faults.flatMap((one) => (one.of === of ? [one.device] : []))),
  ];
  const isLeft = (device: string): boolean =>
    readHostLink(device) !== undefined && host.ports.some((port) => port.device === device && isFree(port.lock));
  return { links: devices('link').filter(isLeft), rights: devices('rights') };
}

export function isFree(lock: string): boolean {
  const fd = tryPort(lock);
  if (fd !== undefined) closeSync(fd);
  return fd !== undefined;
}

function readSight({ device, index, node, lock }: HostPort): PortSight {
  const link = readHostLink(device);
  const stat = lstatSync(lock, { throwIfNoEntry: false });
  const given = node === undefined || index === undefined ? undefined : readNode(device, index, node);
  return {
    ...(link !== undefined && { link }),
    ...(stat?.isFile() === true && { lock: stat }),
    ...(given !== undefined && { node: given }),
  };
}

function readNode(device: string, index: number, node: string): Rights | undefined {
  const stat = statSync(node, { throwIfNoEntry: false });
  if (stat?.isCharacterDevice() !== true) return undefined;
  return numbersOf(stat.rdev) === readTapNode(device, index) ? stat : undefined;
}

type Who = Pick<HostNetwork, 'user' | 'group'>;

export function faultsOfPort(port: HostPort, host: Who & Pick<HostNetwork, 'on'>, sight: PortSight): PortFault[] {
  const { device, node } = port;
  const { link } = sight;
  const fault = (what: string, of: PortFault['of']): PortFault => ({ device, what, of });
  if (link === undefined) return [fault('is gone', 'link')];
  const isTap = node === undefined;
  const taker = takerOf(port, host);
  return [
    ...(link.up ? [] : [fault('is down', 'link')]),
    ...(isTap && link.master !== host.on ? [fault(`is not on ${host.on}`, 'link')] : []),
    ...(isTap && !isTapFor(link, taker) ? [fault('has another owner', 'link')] : []),
    ...(isTap || isFor(sight.node, taker) ? [] : [fault(`: ${node} ${wrong(sight.node)}`, 'rights')]),
    ...faultsOfLock(port, host, sight),
  ];
}

function faultsOfLock(port: HostPort, host: Who, { lock: rights }: PortSight): PortFault[] {
  const { device, lock } = port;
  return isFor(rights, takerOf(port, host)) ? [] : [{ device, what: `: ${lock} ${wrong(rights)}`, of: 'rights' }];
}

const isTapFor = ({ tap }: HostLink, { user, group }: Who): boolean => tap?.owner === user && tap?.group === group;

/** Its owner alone may use it, or its group. */
function isFor(rights: Rights | undefined, { user = 0, group }: Who): boolean {
  if (rights === undefined) return false;
  const mode = group === undefined ? 0o600 : 0o660;
  return rights.uid === user && (group === undefined || rights.gid === group) && (rights.mode & 0o777) === mode;
}

function wrong(rights: Rights | undefined): string {
  if (rights === undefined) return 'is not there, or is not its own';
  return `is of uid ${rights.uid}, gid ${rights.gid}, mode ${(rights.mode & 0o777).toString(8).padStart(4, '0')}`;
}
