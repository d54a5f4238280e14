/** `kind: hostdev`: a PCI device of the host's is given to the guest. */
import * as z from 'zod/mini';
import type { Parsed } from '../../profile/address.ts';
import { interfaceName, parsedText, wholeNumber } from '../../profile/fields.ts';
import { given, nicMap, type NicRule } from './common.ts';

export function hostdevSchema() {
  return nicMap(
    'hostdev',
    "A PCI network card of the host's, or a virtual function of one, for the guest alone. Needs root.",
    {
      address: z.exactOptional(
        parsedText('The PCI address.', parsePciAddress, {
          pattern: '^([0-9A-Fa-f]{4}:)?[0-9A-Fa-f]{2}:[0-1][0-9A-Fa-f][.][0-7]$',
          examples: ['0000:01:00.0'],
        }),
      ),
      parent: z.exactOptional(interfaceName('The SR-IOV physical function of which a free virtual function is taken.')),
      vlan: z.exactOptional(wholeNumber('The VLAN of the virtual function.', 0, 4094)),
    },
  );
}

function parsePciAddress(written: string): Parsed<string> {
  const match = /^(?:([0-9a-f]{4}):)?([0-9a-f]{2}:[01][0-9a-f]\.[0-7])$/i.exec(written);
  if (match === null) return { fault: `${JSON.stringify(written)} is no PCI address, such as 0000:01:00.0` };
  return { value: `${match[1] ?? '0000'}:${match[2]}`.toLowerCase() };
}

export const hostdevRule: NicRule = (written) => {
  const ways = given(written, ['address', 'parent']);
  if (ways.length === 0) return [{ message: 'a hostdev needs "address" or "parent"' }];
  if (ways.length === 2) return [{ key: 'parent', message: 'either address or parent, not both' }];
  const own = given(written, ['model', 'mtu']).map((key) => ({
    key,
    message: `a hostdev is the card itself: ${key} is for cards of QEMU's`,
  }));
  if (written['vlan'] === undefined || ways[0] === 'parent') return own;
  return [...own, { key: 'vlan', message: 'a VLAN is set on a virtual function: name its parent' }];
};
