/** Each port for users has a lasting address of its own: there must be as many. Pure. */
import type { PathFault } from '../../profile/yaml-document.ts';
import { parseAddress } from '../../subnet.ts';
import { addressPool } from '../address-pool.ts';
import { layoutOf } from '../layout.ts';
import type { Network } from '../network.ts';
import { isUserVm } from '../user-vm.ts';
import { isBridged } from './mode.ts';

/** Of a network of the host's. */
export function portAddressFaults(network: Network): PathFault[] {
  const { ports, dhcp, forward } = network;
  if (ports === undefined || dhcp === undefined || !isBridged(forward)) return [];
  const needed = ports - namedWithAddress(network) + guestsOfRoot(network);
  const { ranges, gateway, dnsServer } = layoutOf(network);
  const { free } = addressPool(network, { ranges, kept: [gateway, ...(dnsServer === undefined ? [] : [dnsServer])] });
  if (needed <= free) return [];
  const of = needed > ports ? 'and VMs that forwards name need' : 'need';
  return [
    {
      path: ['ports'],
      at: 'value',
      message: `${ports} ports ${of} ${needed} addresses, and DHCP has ${free}: fewer ports, or wider "dhcp.ranges"`,
    },
  ];
}

/** Users' VMs whose ports have what is written. */
const namedWithAddress = ({ dhcp }: Network): number =>
  new Set(
    (dhcp?.hosts ?? []).flatMap(({ vm, ip }) =>
      vm !== undefined && isUserVm(vm) && parseAddress(ip)?.family === 4 ? [vm] : [],
    ),
  ).size;

const guestsOfRoot = ({ forwards, dhcp }: Network): number =>
  new Set(
    forwards.flatMap(({ guest }) =>
      isUserVm(guest) || parseAddress(guest) !== undefined || dhcp?.hosts.some(({ vm }) => vm === guest) === true
        ? []
        : [guest],
    ),
  ).size;
