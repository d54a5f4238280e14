/**
 * The taps that a QEMU has open, by the kernel's word on its descriptors. The bridge helper chooses their names, and QEMU's monitor does not tell them.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { textOf } from '../system/glance.ts';
import { bridgeOfPort } from './sysfs.ts';

export interface TapFact {
  readonly name: string;
  /** Grows with each interface that is made, so the order is that of their making. */
  readonly index: number;
  /** The bridge that it is a port of. */
  readonly bridge?: string;
}

const classDirectory = '/sys/class/net';

/** In the order in which they were made; of a process of this user's (or of anybody's for root) in this network. Empty: none, or it may not be seen. */
export function readTapsOf(pid: number): TapFact[] {
  const names = new Set(readDescriptorInfos(pid).flatMap((text) => parseTapName(text) ?? []));
  return [...names].map((name, order) => readTap(name, order)).toSorted((left, right) => left.index - right.index);
}

/** Of /proc/PID/fdinfo/N: a descriptor of /dev/net/tun says which interface it is. */
export function parseTapName(text: string): string | undefined {
  return /^iff:\t(\S+)$/m.exec(text)?.[1];
}

function readTap(name: string, order: number): TapFact {
  const directory = path.join(classDirectory, name);
  const index = Number.parseInt(textOf(path.join(directory, 'ifindex')), 10);
  const bridge = bridgeOfPort(directory);
  return { name, index: Number.isNaN(index) ? order : index, ...(bridge !== undefined && { bridge }) };
}

function readDescriptorInfos(pid: number): string[] {
  const directory = `/proc/${pid}/fdinfo`;
  try {
    return readdirSync(directory)
      .toSorted((left, right) => Number(left) - Number(right))
      .map((name) => textOf(path.join(directory, name)));
  } catch {
    return [];
  }
}
