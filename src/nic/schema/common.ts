/**
 * What the schemas of all kinds of NICs share: the keys that every kind has, and the forms of end points.
 */
import * as z from 'zod/mini';
import { parseMac, type Mac } from '../../names.ts';
import { isIpLiteral, parseHostPort, type HostPort, type Parsed } from '../../profile/address.ts';
import {
  described,
  map,
  oneOf,
  parsedText,
  parseSocketPath,
  wholeNumber,
  word,
  type FieldContext,
} from '../../profile/fields.ts';
import type { Endpoint, NicKindName } from '../../profile/profile.ts';

/** A fault that takes more than one key to see; `key` is where the caret goes, or undefined for the whole NIC. */
export interface NicFault {
  readonly key?: string;
  readonly message: string;
}

/** Looks at a NIC as it is written, values unchecked. */
export type NicRule = (written: Readonly<Record<string, unknown>>) => readonly NicFault[];

const macPattern = '^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$';

function parseMacText(text: string): Parsed<Mac> {
  const parsed = parseMac(text);
  return 'mac' in parsed ? { value: parsed.mac } : { fault: `${JSON.stringify(text.slice(0, 40))}: ${parsed.fault}` };
}

function commonShape() {
  return {
    id: z.exactOptional(
      word('Names the NIC: its MAC and its PCI slot belong to this name. Default: net0, net1, … by position.', {
        pattern: '[A-Za-z][A-Za-z0-9_.-]{0,31}',
        what: 'id of a NIC: a letter, then letters, digits, "-", "_" or ".", 32 at most',
        examples: ['net0', 'lan'],
      }),
    ),
    mac: z.exactOptional(
      parsedText('Its MAC address. Default: allocated at the first run, then kept.', parseMacText, {
        pattern: macPattern,
        examples: ['52:54:00:12:ab:cd'],
      }),
    ),
    model: z.prefault(
      z.pipe(
        word('The card that the guest sees: virtio, e1000, e1000e, rtl8139, vmxnet3, or any network device of QEMU.', {
          pattern: '[A-Za-z0-9][A-Za-z0-9._-]{0,63}',
          what: 'device name of QEMU',
          examples: ['virtio', 'e1000', 'e1000e', 'rtl8139', 'vmxnet3'],
        }),
        z.transform((model: string) => (model === 'virtio' ? 'virtio-net-pci' : model)),
      ),
      'virtio',
    ),
    queues: z._default(wholeNumber('Pairs of queues.', 1, 256), 1),
    vhost: z._default(oneOf("Whether the host's kernel moves the packets.", ['auto', 'on', 'off']), 'auto'),
    mtu: z.exactOptional(wholeNumber('The MTU that the guest is told, in bytes.', 68, 65535)),
    bootIndex: z.exactOptional(wholeNumber('Its place in the boot order; the lowest is tried first.', 0, 2 ** 31 - 1)),
  };
}

/** A NIC's map: `kind`, the keys of every kind, and its own. */
export function nicMap<K extends NicKindName, T extends z.core.$ZodLooseShape>(kind: K, description: string, own: T) {
  return map(description, {
    kind: described(z.literal(kind), description),
    ...commonShape(),
    ...own,
  });
}

const withQueues: readonly NicKindName[] = ['tap', 'macvtap', 'network', 'bridge'];

/** A key that a back end cannot honour is refused, never ignored. */
export const commonRule: NicRule = ({ kind, queues, vhost }) => {
  if (withQueues.includes(kind as NicKindName)) return [];
  return [
    ...(typeof queues === 'number' && Number.isInteger(queues) && queues > 1
      ? [{ key: 'queues', message: `a NIC of kind ${String(kind)} has one pair of queues` }]
      : []),
    ...(vhost === 'on'
      ? [{ key: 'vhost', message: `vhost works on taps: a NIC of kind ${String(kind)} has none` }]
      : []),
  ];
};

function parseEndpoint(text: string, context: FieldContext): Parsed<Endpoint> {
  if (/^(\/|\.\.?\/|~)/.test(text)) {
    const parsed = parseSocketPath(text, context);
    return 'fault' in parsed ? parsed : { value: { path: parsed.value } };
  }
  const parsed = parseHostPort(text);
  return 'fault' in parsed && !text.includes(':')
    ? {
        fault: `${JSON.stringify(text)} is neither host:port nor a path: write ./${text} for a socket beside the profile`,
      }
    : parsed;
}

export function endpoint(context: FieldContext, description: string, examples: readonly string[]) {
  return parsedText<Endpoint>(description, (text) => parseEndpoint(text, context), { examples });
}

/** To listen on a name would be to listen on whatever it is resolved to. */
export function listeningEndpoint(context: FieldContext, description: string, examples: readonly string[]) {
  return parsedText<Endpoint>(description, (text) => literalOnly(parseEndpoint(text, context)), { examples });
}

/** The same without paths. */
export function listeningHostPort(description: string, examples: readonly string[]) {
  return parsedText<HostPort>(description, (text) => literalOnly(parseHostPort(text)), { examples });
}

function literalOnly<E extends Endpoint>(parsed: Parsed<E>): Parsed<E> {
  if ('fault' in parsed || 'path' in parsed.value || isIpLiteral(parsed.value.host)) return parsed;
  return {
    fault: `${JSON.stringify(parsed.value.host)} is no address: to listen takes an address of this host, such as 127.0.0.1`,
  };
}

export function hostPort(description: string, examples: readonly string[]) {
  return parsedText<HostPort>(description, parseHostPort, { examples });
}

/** The names of the keys of a NIC as it is written that have a value. */
export function given(written: Readonly<Record<string, unknown>>, keys: readonly string[]): string[] {
  return keys.filter((key) => written[key] !== undefined);
}
