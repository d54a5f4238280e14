/** Whom this host has talked to on its networks lately, from the kernel's table: no program is started for it. */
import { readFileSync } from 'node:fs';

export interface NeighbourFact {
  /** IPv4: the other family has no such file. */
  readonly address: string;
  /** Lower case. */
  readonly mac: string;
  readonly interface: string;
}

/** None where the table cannot be read. https://docs.kernel.org/filesystems/proc.html */
export function readNeighbours(file = '/proc/net/arp'): NeighbourFact[] {
  try {
    return parseNeighbours(readFileSync(file, 'utf8'));
  } catch {
    return [];
  }
}

const isComplete = 2;

/** Rows of `IP-address HW-type Flags HW-address Mask Device` under a heading. */
export function parseNeighbours(text: string): NeighbourFact[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line): NeighbourFact[] => {
      const [address = '', , flags = '', mac = '', , name = ''] = line.trim().split(/\s+/);
      if ((Number.parseInt(flags, 16) & isComplete) === 0 || name === '') return [];
      return [{ address, mac: mac.toLowerCase(), interface: name }];
    });
}
