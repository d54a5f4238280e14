/** What would lead guests of an isolated network out of it, or have them believe so: refused with the reason. Pure. */
import type { WrittenMap } from '../../profile/definition.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { parseSubnet } from '../../subnet.ts';
import { isHarmless } from '../harmless.ts';
import { layoutOf } from '../layout.ts';
import { valueAt, writtenAddresses, writtenOptions } from '../written.ts';

/** @param name the network's: where no address is written, the subnet follows from it */
export function isolatedFaults(written: WrittenMap, name: string): PathFault[] {
  if (written['forward'] !== 'isolated') return [];
  const path = ['dns', 'forwarders'];
  const message = 'an isolated network resolves no names but its own: nobody is asked';
  const asks: PathFault[] = isHarmless(valueAt(written, path)) ? [] : [{ path, at: 'key', message }];
  return [...asks, ...isolatedOptionFaults(written, name)];
}

/** router, static routes, classless static routes, and Microsoft's number of the same. */
const routes = [3, 33, 121, 249];
const nameServer = 6;

/** A guest there that is a name server is within reach; others are not. */
export function isolatedOptionFaults(written: WrittenMap, name: string): PathFault[] {
  if (written['forward'] !== 'isolated') return [];
  const addresses = writtenAddresses(written);
  const { subnet } = layoutOf({ name, addresses: addresses.map((one) => one.written) });
  const subnets = [subnet.cidr, ...addresses.map((one) => one.subnet.cidr)];
  const isInside = (address: string): boolean => subnets.some((cidr) => parseSubnet(cidr)?.contains(address) === true);
  return writtenOptions(written).flatMap(({ code, hex = '', path }): PathFault[] => {
    if (routes.includes(code)) {
      const message = 'guests of an isolated network are told no way out: there is none';
      return [{ path: [...path, 'option'], at: 'value', message }];
    }
    const outside = code === nameServer ? addressesIn(hex).find((address) => !isInside(address)) : undefined;
    if (outside === undefined) return [];
    const message = `${outside} is not in the network, and guests of an isolated one reach nobody else`;
    return [{ path: [...path, 'value'], at: 'value', message }];
  });
}

const addressesIn = (hex: string): string[] =>
  (hex.match(/.{8}/g) ?? []).map((four) => (four.match(/../g) ?? []).map((two) => Number.parseInt(two, 16)).join('.'));
