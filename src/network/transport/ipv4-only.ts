/** Limits of what stands behind slirp, QEMU's user networking: one IPv4 network, and the host's side of forwards in IPv4. */
import { isIpv6Literal } from '../../profile/address.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import type { Transport } from '../network.ts';
import { writtenAddresses, writtenForwards, writtenHosts, writtenRanges } from '../written.ts';
import type { TransportLook } from './transport-kind.ts';

/** The gateway, the name server and a guest or two need a place each. */
const longestPrefix = 29;

export function placeFaults(transport: Transport, { written }: TransportLook): PathFault[] {
  const at = (path: PathFault['path'], message: string): PathFault => ({ path, at: 'value', message });
  const addresses = writtenAddresses(written);
  const [first, ...more] = addresses.filter(({ subnet }) => subnet.family === 4);
  const six = addresses.filter(({ subnet }) => subnet.family === 6);
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
    ...writtenForwards(written).flatMap(({ forward, path }) =>
      isIpv6Literal(forward.hostAddress) || isIpv6Literal(forward.guest ?? '')
        ? [at(path, `transport ${transport} forwards IPv4 alone`)]
        : [],
    ),
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

/** `alice/web1` is for networks of the host's. */
export function foreignVmFaults({ written }: TransportLook): PathFault[] {
  return writtenHosts(written).flatMap(({ vm = '', path }): PathFault[] =>
    vm.includes('/')
      ? [
          {
            path: [...path, 'vm'],
            at: 'value',
            message: `a network of scope user is for VMs of its user: write ${vm.slice(vm.indexOf('/') + 1)}`,
          },
        ]
      : [],
  );
}
