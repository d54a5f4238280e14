/** `dhcp` of a network. */
import * as z from 'zod/mini';
import { parseMac, type Mac } from '../names.ts';
import type { Parsed } from '../profile/address.ts';
import {
  described,
  filePath,
  flag,
  map,
  oneOf,
  parsedText,
  text,
  transformed,
  word,
  type FieldContext,
} from '../profile/fields.ts';
import { addressField, rangeField } from './address-fields.ts';
import { parseLease } from './address-text.ts';
import { encodeDhcpOption, parseOptionName, type DhcpOption } from './dhcp-options.ts';
import { hostNameField } from './name-fields.ts';
import { faultOfPlainText } from './plain-text.ts';

export const defaultLeaseS = 43_200;

export function dhcpField(context: FieldContext) {
  const switched = flag('true: addresses by DHCP, with the defaults. false: none.');
  return described(
    z.union([switched, dhcpMap(context)]),
    'Addresses for the guests. Default: true for nat and isolated, else false.',
  );
}

function dhcpMap(context: FieldContext) {
  return map('Addresses for the guests, by DHCP.', {
    server: z._default(oneOf("Which server. auto: the transport's own.", ['auto', 'dnsmasq', 'dhcpd']), 'auto'),
    ranges: list('What guests get addresses from. Default: what the subnet has left.', rangeField(), 64),
    lease: z._default(leaseField('How long an address is lent. Default: 12h.'), defaultLeaseS),
    maxLease: z.exactOptional(
      leaseField('At most, whatever a guest asks for. Default: 24h, or the lease if that is longer.'),
    ),
    options: list('More that guests are told.', optionField(), 64),
    hosts: list('Addresses that are always the same.', hostField(), 1024),
    tftp: z.exactOptional(
      map('Network boot.', {
        root: filePath(context, 'The directory that guests can read by TFTP.', ['/srv/tftp']),
        file: z.exactOptional(text('The file to boot.', faultOfBootFile, { examples: ['pxelinux.0'] })),
      }),
    ),
  });
}

export function list<S extends z.ZodMiniType>(description: string, one: S, most: number) {
  return z._default(described(z.array(one).check(z.maxLength(most)), description), () => []);
}

function leaseField(description: string) {
  const counted = z.pipe(z.number(), transformed<number, number>(parseLease));
  const measured = parsedText(description, parseLease, {
    pattern: '^([0-9]+[smhdw]?|infinite)$',
    examples: ['12h', '30m', 'infinite'],
  });
  return described(z.union([counted, measured]), description);
}

/** A number as it is, for people write `option: 42`. */
function optionName() {
  const named = z.string();
  const numbered = z.pipe(
    z.int(),
    z.transform((code: number) => String(code)),
  );
  const checked = transformed((option: string): Parsed<string> => {
    const parsed = parseOptionName(option);
    return 'fault' in parsed ? parsed : { value: option };
  });
  return described(z.pipe(z.union([named, numbered]), checked), 'Its name as dnsmasq has it, or its number.', {
    examples: ['ntp-server', 42],
  });
}

function optionField() {
  const entry = map('An option of DHCP.', {
    option: optionName(),
    value: text('Addresses with commas, a number, text, or bytes such as 01:ff.', faultOfPlainText, {
      examples: ['10.10.120.1'],
    }),
  });
  return z.pipe(
    entry,
    transformed((option: DhcpOption): Parsed<DhcpOption> => {
      const encoded = encodeDhcpOption(option);
      return 'fault' in encoded ? encoded : { value: option };
    }),
  );
}

function hostField() {
  return map('A guest with an address of its own: by the name of its VM, or by its MAC.', {
    vm: z.exactOptional(
      word('The VM: one of the owner of the network, or alice/web1.', {
        pattern: '([A-Za-z_][A-Za-z0-9_.-]{0,31}/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,39}',
        what: 'VM',
        examples: ['web1', 'alice/web1'],
      }),
    ),
    mac: z.exactOptional(
      parsedText('Its MAC address.', parseMacText, {
        pattern: '^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$',
        examples: ['52:54:00:aa:bb:cc'],
      }),
    ),
    ip: addressField('Its address.', ['10.10.120.10']),
    name: z.exactOptional(hostNameField('The name that the others know it by. Default: that of the VM.')),
  });
}

export function parseMacText(written: string): Parsed<Mac> {
  const parsed = parseMac(written);
  return 'mac' in parsed
    ? { value: parsed.mac }
    : { fault: `${JSON.stringify(written.slice(0, 40))}: ${parsed.fault}` };
}

function faultOfBootFile(written: string): string | undefined {
  return written.length > 127 ? 'the name of a boot file has at most 127 characters' : faultOfPlainText(written);
}
