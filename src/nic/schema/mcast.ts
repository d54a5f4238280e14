/** `kind: mcast`: a hub of guests over IP multicast. */
import * as z from 'zod/mini';
import { faultOfIfName } from '../../names.ts';
import { isIpv4Literal, isIpv6Literal, isMulticast, parseHostPort, type Parsed } from '../../profile/address.ts';
import { parsedText, text } from '../../profile/fields.ts';
import { nicMap } from './common.ts';

export function mcastSchema() {
  return nicMap(
    'mcast',
    'A network of all guests with the same multicast group. Needs no rights; every user of this host can listen.',
    {
      group: parsedText('Multicast address and port.', parseGroup, {
        examples: ['230.0.0.1:12345'],
      }),
      interface: z.exactOptional(
        text(
          'The address or interface that the group is on. Default: loopback only. Any other lets the whole LAN listen.',
          faultOfInterface,
        ),
      ),
    },
  );
}

function parseGroup(written: string): Parsed<{ readonly address: string; readonly port: number }> {
  const parsed = parseHostPort(written);
  if ('fault' in parsed) return parsed;
  const { host, port } = parsed.value;
  if (isMulticast(host) && isIpv6Literal(host))
    return { fault: `${host}: QEMU's multicast is IPv4 alone: a group of 224.0.0.0 to 239.255.255.255` };
  if (!isMulticast(host)) return { fault: `${host} is no multicast address: 224.0.0.0 to 239.255.255.255` };
  return { value: { address: host, port } };
}

function faultOfInterface(written: string): string | undefined {
  if (isIpv6Literal(written))
    return `${written}: QEMU's multicast is IPv4 alone: an IPv4 address or an interface's name`;
  if (written === '0.0.0.0' || isMulticast(written))
    return `${written} is no address of an interface: which one it is decides who can listen`;
  return isIpv4Literal(written) ? undefined : faultOfIfName(written);
}
