/** Limits of slirp, QEMU's user networking: one network of each family, and the host's side of forwards in IPv4. */
import { isIpv6Literal } from '../../profile/address.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { faultOfForward } from '../forwards.ts';
import type { Transport } from '../network.ts';
import { writtenAddresses, writtenForwards, writtenHosts, writtenRanges, type WrittenAddress } from '../written.ts';
import type { TransportLook } from './transport-kind.ts';

/** The gateway, the name server and a guest or two need a place each. */
const longestPrefix = 29;

export function placeFaults(transport: Transport, { written, forward: mode }: TransportLook): PathFault[] {
  const at = (path: PathFault['path'], message: string): PathFault => ({ path, at: 'value', message });
  const addresses = writtenAddresses(written);
  const [first, ...more] = addresses.filter(({ subnet }) => subnet.family === 4);
  const six = addresses.filter(({ subnet }) => subnet.family === 6);
  const isIsolated = mode === 'isolated';
  return [
    ...(first === undefined && six.length > 0
      ? [at(['addresses'], `transport ${transport} needs an IPv4 address`)]
      : []),
    ...more.map(({ path }) => at(path, `transport ${transport} has one IPv4 network, and this is another`)),
    ...(first !== undefined && first.subnet.prefix > longestPrefix
      ? [
          at(
            first.path,
            `${first.written} is too small: the gateway, the name server and guests need a prefix of ${longestPrefix} or less`,
          ),
        ]
      : []),
    ...six.flatMap((one, index) => {
      const fault = faultOfIpv6(one, { transport, index, isIsolated });
      return fault === undefined ? [] : [at(one.path, fault)];
    }),
    ...writtenForwards(written).flatMap(({ forward, path }) => {
      const fault = faultOfForward(forward, mode);
      return fault === undefined ? [] : [at(path, fault)];
    }),
    ...writtenRanges(written).flatMap(({ from, path }) =>
      isIpv6Literal(from) ? [at(path, `transport ${transport} gives IPv4 addresses by DHCP, and no others`)] : [],
    ),
    ...writtenHosts(written).flatMap(({ ip = '', path }) =>
      isIpv6Literal(ip)
        ? [at([...path, 'ip'], `transport ${transport} gives IPv4 addresses by DHCP, and no others`)]
        : [],
    ),
  ];
}

interface Ipv6Look {
  readonly transport: Transport;
  readonly index: number;
  readonly isIsolated: boolean;
}

/** Guests give themselves their addresses, by what slirp announces as a router. */
function faultOfIpv6(
  { written, subnet }: WrittenAddress,
  { transport, index, isIsolated }: Ipv6Look,
): string | undefined {
  if (index > 0) return `transport ${transport} has one IPv6 network, and ${written} is another`;
  if (subnet.prefix !== 64) return `${written}: guests give themselves IPv6 addresses in a network of /64 alone`;
  if (!isIsolated) return undefined;
  return 'an isolated network has no router, and so nobody tells its guests of IPv6: they have link-local addresses';
}

/** `alice/web1` is for networks of the host's. */
export function foreignVmFaults({ written }: TransportLook): PathFault[] {
  const named = [
    ...writtenHosts(written).map(({ vm = '', path }) => ({ vm, path: [...path, 'vm'] })),
    ...writtenForwards(written).map(({ forward, path }) => ({ vm: forward.guest, path })),
  ];
  return named.flatMap(({ vm, path }): PathFault[] => {
    const message = `a network of scope user is for VMs of its user: write ${vm.slice(vm.indexOf('/') + 1)}`;
    return vm.includes('/') ? [{ path, at: 'value', message }] : [];
  });
}
