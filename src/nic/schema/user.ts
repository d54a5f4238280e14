/** `kind: user`, QEMU's own NAT: needs no rights. */
import * as z from 'zod/mini';
import { isIpv4Literal, type Parsed } from '../../profile/address.ts';
import { filePath, flag, parsedText, text, type FieldContext } from '../../profile/fields.ts';
import { truncated } from '../../profile/words.ts';
import { parseSubnet } from '../../subnet.ts';
import { nicMap, type NicRule } from './common.ts';
import { forwardList } from './forwards.ts';

const defaultSubnet = '10.0.2.0/24';

export function userSchema(context: FieldContext) {
  return nicMap('user', "User networking: QEMU's own NAT and DHCP. Needs no rights.", {
    forwards: forwardList(),
    subnet: z.exactOptional(
      parsedText(
        `The guest's IPv4 subnet. Default ${defaultSubnet}, and the next free one for each further NIC of this kind.`,
        parseCidr,
        {
          pattern: '^[0-9.]+/[0-9]+$',
          examples: [defaultSubnet],
        },
      ),
    ),
    hostname: z.exactOptional(text('The host name that DHCP gives the guest. Default: none.', faultOfHostname)),
    restrict: z._default(flag('true: the guest reaches nothing but what forwards lead to it.'), false),
    ipv6: z._default(flag('false: the guest is offered no IPv6.'), true),
    dns: z.exactOptional(
      parsedText(
        "The address in the subnet at which the guest finds its name server. Default: the subnet's third.",
        parseIpv4,
        {
          pattern: '^[0-9.]+$',
          examples: ['10.0.2.3'],
        },
      ),
    ),
    tftp: z.exactOptional(filePath(context, 'A directory that the guest can read by TFTP.')),
    bootFile: z.exactOptional(
      text('The file that DHCP names for a network boot.', (name) =>
        Buffer.byteLength(name) > 127 ? 'the name of a boot file has at most 127 bytes' : undefined,
      ),
    ),
  });
}

export const userRule: NicRule = ({ subnet: cidr = defaultSubnet, dns }) => {
  if (typeof dns !== 'string' || typeof cidr !== 'string' || !isIpv4Literal(dns)) return [];
  const subnet = parseSubnet(cidr, 4);
  if (subnet === undefined || subnet.contains(dns)) return [];
  return [{ key: 'dns', message: `${dns} lies outside of the guest's subnet ${subnet.cidr}` }];
};

function parseCidr(written: string): Parsed<string> {
  const subnet = parseSubnet(written, 4);
  if (subnet === undefined) return { fault: `${truncated(written)} is no IPv4 subnet, such as ${defaultSubnet}` };
  if (subnet.cidr !== written) return { fault: `${written} is not the beginning of a subnet: write ${subnet.cidr}` };
  // the gateway, the name server and the guest need a place each
  if (subnet.prefix < 8 || subnet.prefix > 29)
    return { fault: `${written}: the guest's subnet has a prefix of 8 to 29` };
  const first = Number(written.split('.')[0]);
  if (first === 0 || first === 127 || first >= 224) return { fault: `${written} is no network of hosts` };
  return { value: written };
}

function parseIpv4(written: string): Parsed<string> {
  return isIpv4Literal(written) ? { value: written } : { fault: `${JSON.stringify(written)} is no IPv4 address` };
}

/** What a name may hold is the guest's affair (QEMU's commas are escaped later); how much fits is DHCP's. */
function faultOfHostname(written: string): string | undefined {
  return Buffer.byteLength(written) > 255 ? 'a host name has at most 255 bytes' : undefined;
}
