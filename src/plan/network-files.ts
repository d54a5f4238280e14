/** Every path that belongs to one managed network of this user. Pure. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { NetworkName } from '../network/network.ts';
import type { Places } from '../places.ts';
import { maxSocketPath } from './vm-files.ts';

export interface NetworkFiles {
  readonly dir: string;
  /** Held while a network is taken up, down, joined or left. Taken after a VM's lock, never before it. */
  readonly lock: string;
  /** Each VM on the network holds a shared flock on it, through a descriptor that its QEMU inherits: the count that cannot be wrong. Never unlinked. */
  readonly users: string;
  readonly journal: string;
  /** What runs now: definition, plan, pin. */
  readonly record: string;
  /** The definition of one that was made on the spot: it goes with it. */
  readonly spot: string;
  /** One file for each NIC that is on it, written and removed by qrun, read by the switch. */
  readonly members: string;
  /** Which VM has which address, kept from run to run. */
  readonly addresses: string;
  /** What DHCP has handed out; written by the switch. */
  readonly leases: string;
  /** What its programs say. */
  readonly log: string;
  readonly switchConfig: string;
  /** The gateway's command, run again by its keeper whenever it ends. */
  readonly gatewayScript: string;
  /** Sockets: 0700. */
  readonly runtimeDir: string;
  /** Where VMs' port sockets appear. */
  readonly ports: string;
  readonly gatewayPort: string;
  readonly gatewayMonitor: string;
  readonly vdeDirectory: string;
  readonly vdeManagement: string;
}

export function networkFiles(places: Places, network: NetworkName): NetworkFiles {
  const dir = path.join(places.state, 'networks', network);
  const locks = path.join(places.state, 'locks');
  const runtimeDir = runtimeDirOf(places.runtime, network);
  const ports = path.join(runtimeDir, 'ports');
  const inDir = (name: string): string => path.join(dir, name);
  return {
    dir,
    lock: path.join(locks, `net.${network}`),
    users: path.join(locks, `users.${network}`),
    journal: inDir('journal'),
    record: inDir('network.json'),
    spot: inDir(`${network}.yaml`),
    members: inDir('members'),
    addresses: inDir('addresses.json'),
    leases: inDir('leases.json'),
    log: inDir('log'),
    switchConfig: inDir('switch.json'),
    gatewayScript: inDir('gateway.sh'),
    runtimeDir,
    ports,
    gatewayPort: path.join(ports, 'gateway'),
    gatewayMonitor: path.join(runtimeDir, 'gateway.qmp'),
    vdeDirectory: path.join(runtimeDir, 'vde'),
    vdeManagement: path.join(runtimeDir, 'vde.mgmt'),
  };
}

/** `_net` is no VM's runtime directory: names begin with a letter or digit, and digests have ten digits. */
export const networksDirectory = (runtime: string): string => path.join(runtime, '_net');

function runtimeDirOf(runtime: string, network: NetworkName): string {
  const plain = path.join(networksDirectory(runtime), network);
  const isShort = Buffer.byteLength(longestSocket(plain)) <= maxSocketPath;
  return isShort ? plain : path.join(networksDirectory(runtime), digest(network));
}

/** Of all sockets of a network, when those with long names have digests: what must fit. */
export const longestSocket = (runtimeDir: string): string => path.join(runtimeDir, 'ports', `${'x'.repeat(10)}.port`);

/** The socket on which a guest's QEMU waits for the switch; a digest where the readable name would be too long. */
export function portSocket(files: NetworkFiles, vm: string, nic: string): string {
  const readable = path.join(files.ports, `${placeName(vm, nic)}.port`);
  return Buffer.byteLength(readable) <= maxSocketPath
    ? readable
    : path.join(files.ports, `${digest(`${vm}/${nic}`)}.port`);
}

export const memberFile = (files: NetworkFiles, vm: string, nic: string): string =>
  path.join(files.members, `${placeName(vm, nic)}.json`);

/** As qrun called it once, whatever names: `a` with `b.c` was `a.b` with `c`. Such files lie there until their VMs have ended. */
export const olderMemberFile = (files: NetworkFiles, vm: string, nic: string): string =>
  path.join(files.members, `${vm}.${nic}.json`);

/** Both names may have dots. Then a colon is between them, which neither has. */
const placeName = (vm: string, nic: string): string => `${vm}${/\./.test(vm + nic) ? ':' : '.'}${nic}`;

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 10);
