/** What is kept of ports between the runs of their network: their addresses, and who had which. Removed with the network. */
import { closeSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../errors.ts';
import { hostNetworkFiles } from '../network/host-network.ts';
import type { NetworkName } from '../network/network.ts';
import { freePortMacs } from '../resources/host-network.ts';
import { tryPort } from '../resources/port-lease.ts';
import type { NetworkContext } from './context.ts';

/**
 * Of a network that is down. A lock file that somebody has (a VM whose port was taken away from under it) stays, and the others with it: who
 * opened one before it was removed finds the network gone, and leaves it.
 */
export function removePorts(name: NetworkName, { places }: Pick<NetworkContext, 'places'>): void {
  const { ports } = hostNetworkFiles(places.host, name);
  const names = namesIn(ports);
  if (names === undefined) return;
  freePortMacs(places, name);
  const locks = names.filter((file) => /^\d+$/.test(file)).map((file) => tryPort(path.join(ports, file)));
  try {
    if (!locks.includes(undefined)) rmSync(ports, { recursive: true, force: true });
  } finally {
    for (const fd of locks) if (fd !== undefined) closeSync(fd);
  }
}

function namesIn(directory: string): string[] | undefined {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
