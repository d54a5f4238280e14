/** `kind: user`, QEMU's own NAT: needs no rights. */
import * as z from 'zod/mini';
import { ipv4Number, isIpv4Literal, parseIpv4Subnet, type Parsed } from '../../profile/address.ts';
import { filePath, flag, parsedText, text, type FieldContext } from '../../profile/fields.ts';
import { nicMap, type NicRule } from './common.ts';
import { forwardList } from './forwards.ts';

const defaultSubnet = '10.0.2.0/24';

export function userSchema(context: FieldContext) {
  return nicMap('user', "User networking: QEMU's own NAT and DHCP. Needs no rights.", {
    forwards: forwardList(),
    subnet: z.exactOptional(
      parsedText(`The guest's IPv4 subnet. Default ${defaultSubnet}.`, parseSubnet, {
        pattern: '^[0-9.]+/[0-9]+$',
        examples: [defaultSubnet],
      }),
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

export const userRule: NicRule = ({ subnet = defaultSubnet, dns }) => {
  if (typeof dns !== 'string' || typeof subnet !== 'string' || !isIpv4Literal(dns)) return [];
  const parsed = parseIpv4Subnet(subnet);
  if ('fault' in parsed) return [];
  const { network, prefix } = parsed.value;
  const inside = Math.floor(ipv4Number(dns) / 2 ** (32 - prefix)) === Math.floor(network / 2 ** (32 - prefix));
  return inside ? [] : [{ key: 'dns', message: `${dns} lies outside of the guest's subnet ${subnet}` }];
};

/** QEMU's DHCP begins at the 15th address, so that a smaller network than /27 has none to give. */
function parseSubnet(written: string): Parsed<string> {
  const parsed = parseIpv4Subnet(written);
  if ('fault' in parsed) return parsed;
  const { network, prefix } = parsed.value;
  if (prefix < 8 || prefix > 27) return { fault: `${written}: the guest's subnet has a prefix of 8 to 27` };
  const first = network >>> 24;
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
