/** What the rules of a network with a bridge of its own could not do, said with its line. */
import { isIpLiteral } from '../../profile/address.ts';
import type { WrittenMap } from '../../profile/definition.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { faultOfRuleDevice } from '../../plan/nft-commands.ts';
import { parseSubnet } from '../../subnet.ts';
import { layoutOf } from '../layout.ts';
import { fullGuestName } from '../user-vm.ts';
import { valueAt, writtenAddresses, writtenForwards, writtenHosts } from '../written.ts';
import { faultOfForwardRule } from './forward-rules.ts';

/** @param name the network's: where no address is written, the subnet follows from it */
export function ruleFaults(written: WrittenMap, name: string): PathFault[] {
  return [...deviceFaults(written), ...forwardFaults(written, name)];
}

/** Those that rules are about: by nft's names, of which some are patterns. A bridge's name is held to less than that anyway. */
function deviceFaults(written: WrittenMap): PathFault[] {
  return [
    ['nat', 'dev'],
    ['route', 'dev'],
  ].flatMap((path): PathFault[] => {
    const device = valueAt(written, path);
    const fault = typeof device === 'string' ? faultOfRuleDevice(device) : undefined;
    return fault === undefined ? [] : [{ path, at: 'value', message: fault }];
  });
}

function forwardFaults(written: WrittenMap, name: string): PathFault[] {
  const addresses = writtenAddresses(written);
  // what could not be read is a fault already
  if (Array.isArray(written['addresses']) && addresses.length < written['addresses'].length) return [];
  const layout = layoutOf({ name, addresses: addresses.map((one) => one.written) });
  const subnets = [...addresses.map(({ subnet }) => subnet.cidr), ...(layout.derived ? [layout.subnet.cidr] : [])];
  const owner = valueAt(written, ['owner']);
  const inFull = (guest: string): string => fullGuestName(guest, typeof owner === 'string' ? owner : undefined);
  // a VM has an address of IPv4 from the address book, and those that it is given here
  const addressesOf = (guest: string): string[] =>
    isIpLiteral(guest)
      ? [guest]
      : [
          ...writtenHosts(written).flatMap(({ vm, ip }) =>
            vm !== undefined && inFull(vm) === inFull(guest) && ip !== undefined ? [ip] : [],
          ),
          layout.gateway,
        ];
  return writtenForwards(written).flatMap(({ forward, path }): PathFault[] => {
    const { hostAddress, guest } = forward;
    // which addresses an interface has is known when it is up
    if (hostAddress.startsWith('%')) return [];
    const faults = addressesOf(guest).map((guestAddress) => faultOf(hostAddress, guestAddress, subnets));
    const [fault] = faults;
    return fault === undefined || faults.includes(undefined) ? [] : [{ path, at: 'value', message: fault }];
  });
}

function faultOf(hostAddress: string, guestAddress: string, subnets: readonly string[]): string | undefined {
  const isInside = subnets.some((cidr) => parseSubnet(cidr)?.contains(guestAddress) === true);
  // that it does not lie in the network is said of every network
  return isInside ? faultOfForwardRule({ hostAddress, guestAddress }, subnets) : undefined;
}
