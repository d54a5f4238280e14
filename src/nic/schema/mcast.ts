/** `kind: mcast`: a hub of guests over IP multicast. */
import * as z from 'zod/mini';
import { faultOfIfName } from '../../names.ts';
import { isIpLiteral, isMulticast, parseHostPort, type Parsed } from '../../profile/address.ts';
import { parsedText, text } from '../../profile/fields.ts';
import { nicMap } from './common.ts';

export function mcastSchema() {
  return nicMap(
    'mcast',
    'A network of all guests with the same multicast group. Needs no rights; every user of this host can listen.',
    {
      group: parsedText('Multicast address and port.', parseGroup, {
        examples: ['230.0.0.1:12345', '[ff02::4242]:12345'],
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
  if (!isMulticast(host))
    return { fault: `${host} is no multicast address: 224.0.0.0 to 239.255.255.255, or ff00::/8` };
  return { value: { address: host, port } };
}

function faultOfInterface(written: string): string | undefined {
  return isIpLiteral(written) ? undefined : faultOfIfName(written);
}
