/** The networks that this host reaches, from the kernel's table: no program is started for it. */
import { readFileSync } from 'node:fs';
import { parseSubnet } from '../subnet.ts';

export interface RouteFact {
  /** `192.168.1.0/24`; never the default route. */
  readonly cidr: string;
  readonly interface: string;
}

/** IPv4. None where the table cannot be read. https://docs.kernel.org/filesystems/proc.html */
export function readRoutes(file = '/proc/net/route'): RouteFact[] {
  try {
    return parseRoutes(readFileSync(file, 'utf8'));
  } catch {
    return [];
  }
}

const isUp = 1;

/** Rows of `Iface Destination Gateway Flags RefCnt Use Metric Mask …`, addresses in hex as the machine stores them. */
export function parseRoutes(text: string): RouteFact[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line): RouteFact[] => {
      const [name = '', destination = '', , flags = '', , , , mask = ''] = line.trim().split(/\s+/);
      const [address, ones] = [addressOf(destination), addressOf(mask)];
      if (address === undefined || ones === undefined || (Number.parseInt(flags, 16) & isUp) === 0) return [];
      const prefix = prefixOf(ones);
      const subnet = prefix > 0 ? parseSubnet(`${address.join('.')}/${prefix}`) : undefined;
      return subnet === undefined ? [] : [{ cidr: subnet.cidr, interface: name }];
    });
}

function addressOf(hex: string): number[] | undefined {
  if (!/^[0-9A-F]{8}$/i.test(hex)) return undefined;
  const bytes = Uint8Array.from([6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)));
  return isLittleEndian() ? [...bytes] : [...bytes].toReversed();
}

const isLittleEndian = (): boolean => new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function prefixOf(octets: readonly number[]): number {
  const bits = octets.map((octet) => octet.toString(2).padStart(8, '0')).join('');
  return bits.indexOf('0') < 0 ? 32 : bits.indexOf('0');
}
