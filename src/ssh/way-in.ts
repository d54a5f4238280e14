/**
 * Which of the ways into a VM `qrun ssh` takes. Pure: what runs is read by launch/ssh-to.
 */
import { isIPv6 } from 'node:net';

/** The port that a guest's sshd listens on. */
export const sshPort = 22;

export interface WayIn {
  /** A literal address that ssh connects to. */
  readonly address: string;
  readonly port: number;
  /** For people: `the forward of net0`. */
  readonly by: string;
}

/** A forward to the guest. */
export interface GuestForward {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  readonly hostPort: number | 'auto';
  readonly guestPort: number;
}

/** A managed network that the VM is on. */
export interface GuestNetwork {
  readonly name: string;
  /** The forwards that lead to this VM. */
  readonly forwards: readonly GuestForward[];
  /** The VM's address on it, where it is known. */
  readonly address?: string;
  /** The host itself is on that network. */
  readonly reachable: boolean;
  /** A forward can be added while it runs. */
  readonly takesForwards: boolean;
}

export interface WaysIn {
  readonly nics: readonly {
    readonly id: string;
    readonly forwards?: readonly GuestForward[];
    /** Those at which the host has met the guest lately. */
    readonly addresses?: readonly string[];
  }[];
  readonly networks: readonly GuestNetwork[];
}

export interface Choice {
  readonly way?: WayIn;
  /** There is no way yet: a forward of this network would be one. */
  readonly forwardOn?: string;
}

/** The first of: a forward of the VM's own, one of a network's, an address that the host reaches or has met it at, a forward that can be added. */
export function chooseWayIn({ nics, networks }: WaysIn): Choice {
  const ways = [
    ...nics.flatMap(({ id, forwards = [] }) => waysOf(forwards, `the forward of ${id}`)),
    ...networks.flatMap(({ name, forwards }) => waysOf(forwards, `a forward of the network ${name}`)),
    ...networks.flatMap(({ name, address, reachable }) =>
      reachable && address !== undefined ? [{ address, port: sshPort, by: `the network ${name}` }] : [],
    ),
    ...nics.flatMap(({ id, addresses = [] }) =>
      addresses.map((address) => ({ address, port: sshPort, by: `the address of ${id}` })),
    ),
  ];
  const way = ways[0];
  if (way !== undefined) return { way };
  const open = networks.find(({ takesForwards }) => takesForwards);
  return open === undefined ? {} : { forwardOn: open.name };
}

/** Loopback first: the way that no interface's coming and going can cut. */
function waysOf(forwards: readonly GuestForward[], by: string): WayIn[] {
  return forwards
    .filter(({ protocol, guestPort }) => protocol === 'tcp' && guestPort === sshPort)
    .flatMap(({ hostAddress, hostPort }) =>
      typeof hostPort === 'number' && hostPort > 0 ? [{ address: reachableFor(hostAddress), port: hostPort, by }] : [],
    )
    .toSorted((left, right) => Number(isLoopback(right.address)) - Number(isLoopback(left.address)));
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

/** What listens on every address is reached by loopback. */
function reachableFor(address: string): string {
  if (address === '0.0.0.0' || address === '') return '127.0.0.1';
  return isIPv6(address) && /^[0:]+$/.test(address) ? '::1' : address;
}
