/** `dns` of a network. */
import * as z from 'zod/mini';
import { described, map, text, wholeNumber } from '../profile/fields.ts';
import { addressField } from './address-fields.ts';
import { list } from './dhcp-schema.ts';
import { domainField, recordNameField } from './name-fields.ts';
import { faultOfPlainText } from './plain-text.ts';

const noRecords = () => ({ txt: [], srv: [] });
const noDns = () => ({ search: [], hosts: [], forwarders: [], records: noRecords() });

export function dnsField() {
  return z._default(
    map('Names on the network.', {
      domain: z.exactOptional(domainField('The domain of the guests.')),
      search: list('Domains that guests look names up in.', domainField('A domain.'), 16),
      hosts: list('Names beside those of the guests.', hostField(), 1024),
      forwarders: list(
        "Name servers that are asked for everything else. Default: the host's own.",
        addressField('The address of a name server.', ['9.9.9.9']),
        16,
      ),
      records: z._default(
        map('Records of other types.', {
          txt: list('TXT records.', txtField(), 256),
          srv: list('SRV records.', srvField(), 256),
        }),
        noRecords,
      ),
    }),
    noDns,
  );
}

function hostField() {
  return map('A host with its names.', {
    ip: addressField('Its address.', ['10.10.120.1']),
    names: described(
      z.array(domainField('A name.')).check(z.minLength(1), z.maxLength(32)),
      'Its names; those without a dot are in the domain of the network too.',
    ),
  });
}

function txtField() {
  return map('A TXT record.', {
    name: recordNameField('Its name.'),
    text: text('What it says.', faultOfPlainText),
  });
}

function srvField() {
  return map('A SRV record.', {
    name: recordNameField('The service, such as _ldap._tcp.'),
    target: domainField('The host that it runs on.'),
    port: wholeNumber('The port.', 1, 65535),
  });
}
