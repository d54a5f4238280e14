/**
 * The keys of a network's definition, for parsing and for the JSON Schema. What takes more than one key to see is in network/consistency; what a
 * transport cannot honour is said by the transport (network/transport).
 */
import * as z from 'zod/mini';
import type { Mac } from '../names.ts';
import { parsePort, type Parsed } from '../profile/address.ts';
import {
  described,
  flag,
  interfaceName,
  map,
  oneOf,
  parsedText,
  text,
  wholeNumber,
  word,
  type FieldContext,
} from '../profile/fields.ts';
import { hostAccessField } from '../profile/host-access-field.ts';
import { guestForwardPattern } from '../profile/forward.ts';
import { truncated } from '../profile/words.ts';
import { addressField, interfaceAddressField } from './address-fields.ts';
import { dhcpField, list, parseMacText } from './dhcp-schema.ts';
import { dnsField } from './dns-schema.ts';
import { parseGuestForward } from './guest-forward.ts';

export function networkSchema(context: FieldContext) {
  return map('A managed network of qrun: a LAN for virtual machines.', {
    description: z.exactOptional(text('What this network is for, in one line.', () => undefined)),
    forward: z._default(
      oneOf('How guests get out. nat: behind the address of the host. isolated: not at all.', [
        'nat',
        'route',
        'open',
        'isolated',
        'bridge',
        'macvtap',
        'hostdev',
      ]),
      'nat',
    ),
    scope: z._default(
      oneOf(
        "user: without root, the user's own. system: the host's, made by root. auto: user, but system for root, for what only root can make (other ways out; ports, owner, group), and in /etc/qrun/networks.",
        ['auto', 'user', 'system'],
      ),
      'auto',
    ),
    transport: z.exactOptional(
      oneOf(
        "What carries the frames. hub: qrun's own switch. vde: that of vde2. Default: hub in scope user, tap in scope system.",
        ['tap', 'vde', 'hub'],
      ),
    ),
    bridge: z.exactOptional(bridgeField()),
    addresses: list(
      'The addresses of the gateway, each with its prefix. Default: one that follows from the name of the network.',
      interfaceAddressField('An address with its prefix.'),
      16,
    ),
    dhcp: z.exactOptional(dhcpField(context)),
    dns: dnsField(),
    hostDns: z._default(flag('true: the host resolves the names of the guests too.'), false),
    forwards: list('Ports of the host that lead to ports of guests.', forwardField(), 1024),
    nat: z.exactOptional(natField()),
    route: z.exactOptional(routeField()),
    ports: z.exactOptional(wholeNumber('So many prepared ports for ordinary users.', 1, 256)),
    owner: z.exactOptional(accountField('The user who may take a port.', 'user')),
    group: z.exactOptional(accountField('The group whose members may take a port.', 'group')),
    hostAccess: z._default(hostAccessField('its guests (forward: macvtap)'), false),
    isolatedPorts: z._default(flag('true: guests do not reach one another.'), false),
    antiSpoof: z._default(flag('true: a guest sends from its own addresses alone.'), false),
    links: list('Other hosts that this network is joined with.', linkField(), 16),
    mtu: z.exactOptional(wholeNumber('The MTU that guests are told, in bytes.', 68, 65535)),
    vlan: z.exactOptional(
      wholeNumber("forward: hostdev: the VLAN of its guests' virtual functions, which the guests do not see.", 0, 4094),
    ),
    autostart: z._default(flag('true: it is taken up when the host starts. net define and net edit see to it.'), false),
  });
}

function bridgeField() {
  return map('The bridge of the host.', {
    name: z.exactOptional(interfaceName('Its name. Default: one that follows from the name of the network.')),
    stp: z.exactOptional(flag('true: the spanning tree protocol.')),
    forwardDelay: z.exactOptional(wholeNumber('Seconds before a new port forwards.', 0, 30)),
    mac: z.exactOptional(
      parsedText(
        'Its MAC address; auto: made from the name.',
        (written): Parsed<Mac | 'auto'> => (written === 'auto' ? { value: 'auto' } : parseMacText(written)),
        {
          pattern: '^(auto|[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5})$',
          examples: ['auto'],
        },
      ),
    ),
    uplink: z.exactOptional(
      interfaceName(
        'forward: bridge: the interface of the host that becomes a port of it. macvtap: the card that macvtaps stand on. hostdev: the card whose virtual functions are handed out.',
      ),
    ),
  });
}

function forwardField() {
  return parsedText(
    '[HOSTADDR:]HOSTPORT:GUEST:GUESTPORT[/tcp|/udp]. GUEST is a VM (of the owner of the network, or alice/web1) or an address; without HOSTADDR only this host reaches it.',
    parseGuestForward,
    {
      pattern: guestForwardPattern,
      examples: ['0.0.0.0:8080:web1:80/tcp', 'auto:web1:22'],
    },
  );
}

function natField() {
  return map('nat: how connections of guests look from outside.', {
    ports: z.exactOptional(
      parsedText('The ports of the host that are used for them.', parsePorts, {
        pattern: '^[0-9]+-[0-9]+$',
        examples: ['1024-65535'],
      }),
    ),
    dev: z.exactOptional(interfaceName('The interface of the host that they leave by.')),
    ipv6: z.exactOptional(flag('true: IPv6 too. Otherwise it is forwarded with the addresses of the guests.')),
  });
}

function routeField() {
  return map('route: where guests are forwarded to.', {
    dev: z.exactOptional(interfaceName('The interface of the host that alone they leave and are reached by.')),
  });
}

function parsePorts(written: string): Parsed<{ readonly from: number; readonly to: number }> {
  const [first = '', last = '', ...more] = written.split('-');
  const [from, to] = [parsePort(first), parsePort(last)];
  if ('fault' in from || 'fault' in to || more.length > 0)
    return { fault: `${truncated(written)} is no range of ports, such as 1024-65535` };
  if (from.value > to.value) return { fault: `${written} runs backwards: the first port is the higher one` };
  return { value: { from: from.value, to: to.value } };
}

function accountField(description: string, what: string) {
  return word(description, {
    pattern: '[A-Za-z_][A-Za-z0-9_.-]{0,31}[$]?',
    what: `name of a ${what}`,
    examples: [what === 'user' ? 'alice' : 'qemusers'],
  });
}

function linkField() {
  return map('A link to other hosts.', {
    vxlan: map('VXLAN.', {
      id: wholeNumber('The network identifier.', 1, 2 ** 24 - 1),
      peers: described(
        z.array(addressField('The address of another host.', ['198.51.100.2'])).check(z.minLength(1), z.maxLength(256)),
        'The other hosts.',
      ),
      port: z._default(wholeNumber('The UDP port.', 1, 65535), 4789),
      dev: z.exactOptional(interfaceName('The interface of the host that it goes by.')),
    }),
  });
}
