/** Which process has a tap open: the kernel says it in what it tells of descriptors. */
import { isOfThisNetwork, listPids, readArguments } from '../system/processes.ts';
import { readTapsOf } from './tap-of.ts';

export interface TapHolder {
  readonly pid: number;
  /** Empty: it does not say. */
  readonly program: string;
}

/** Undefined: none that this user may look into. */
export function findHolderOfTap(name: string): TapHolder | undefined {
  const pid = listPids().find((one) => {
    // a name says nothing in another network namespace; if QEMU was started there with a tap of here, the kernel refuses the second one
    return isOfThisNetwork(one) && readTapsOf(one).some((tap) => tap.name === name);
  });
  return pid === undefined ? undefined : { pid, program: readArguments(pid)[0]?.split('/').at(-1) ?? '' };
}

/** `pid 4711 (qemu-system-x86_64)` */
export const holderInWords = ({ pid, program }: TapHolder): string =>
  `pid ${pid}${program === '' ? '' : ` (${program})`}`;

export function holderOfTap(name: string): string | undefined {
  const holder = findHolderOfTap(name);
  return holder === undefined ? undefined : holderInWords(holder);
}
