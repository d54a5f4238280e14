/** The networks that this host reaches, from the kernel's table: no program is started for it. */
import { parseSubnet, renderAddress } from '../subnet.ts';
import { textOf } from '../system/glance.ts';

export interface RouteFact {
  /** `192.168.1.0/24`; never the default route. */
  readonly cidr: string;
  readonly interface: string;
}

/** IPv4 and IPv6. None where a table cannot be read. https://docs.kernel.org/filesystems/proc.html */
export const readRoutes = (file = '/proc/net/route', file6 = '/proc/net/ipv6_route'): RouteFact[] => [
  ...parseRoutes(textOf(file)),
  ...parseRoutes6(textOf(file6)),
];

/** Interfaces whose routes of IPv6 were announced to the kernel itself, which listens to no router any more once this host is one. */
export function readAdvertised(
  file6 = '/proc/net/ipv6_route',
  settingOf: (name: string, key: string) => string = readSetting6,
): string[] {
  const names = rows6(textOf(file6)).flatMap(({ flags, name }) => ((flags & announced) === 0 ? [] : [name]));
  return [...new Set(names)].filter(
    (name) => settingOf(name, 'accept_ra') === '1' && settingOf(name, 'forwarding') === '0',
  );
}

const readSetting6 = (name: string, key: string): string => textOf(`/proc/sys/net/ipv6/conf/${name}/${key}`).trim();

const isUp = 1;
/** RTF_ADDRCONF, RTF_REJECT, RTF_ANYCAST, RTF_LOCAL: linux/ipv6_route.h */
const announced = 0x0004_0000;
const isNoWay = 0x0200;
const isOwn = 0x8010_0000;

interface Row6 {
  readonly address: string;
  readonly prefix: number;
  readonly flags: number;
  readonly name: string;
}

/** Rows of `DESTINATION LENGTH SOURCE LENGTH NEXTHOP METRIC REFCNT USE FLAGS IFACE`, all in hex. */
function rows6(text: string): Row6[] {
  return text.split('\n').flatMap((line): Row6[] => {
    const [address = '', prefix = '', , , , , , , flags = '', name = ''] = line.trim().split(/\s+/);
    if (!/^[0-9a-f]{32}$/.test(address) || name === '') return [];
    return [{ address, prefix: Number.parseInt(prefix, 16), flags: Number.parseInt(flags, 16), name }];
  });
}

/** Without what each link has of its own, and groups. */
export function parseRoutes6(text: string): RouteFact[] {
  return rows6(text).flatMap(({ address, prefix, flags, name }): RouteFact[] => {
    if ((flags & isUp) === 0 || (flags & isNoWay) !== 0 || (flags & isOwn) !== 0) return [];
    if (prefix === 0 || /^(fe[89ab]|ff)/.test(address)) return [];
    const subnet = parseSubnet(`${renderAddress({ family: 6, value: BigInt(`0x${address}`) })}/${prefix}`);
    return subnet === undefined ? [] : [{ cidr: subnet.cidr, interface: name }];
  });
}

/** IPv4. Rows of `Iface Destination Gateway Flags RefCnt Use Metric Mask …`, addresses in hex as the machine stores them. */
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
