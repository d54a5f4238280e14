/** What keeps the bridge over the next start of the host, whoever makes the host's interfaces then. */
import type { BridgeItem, SetupItem } from '../item.ts';
import type { UplinkAddress, UplinkLook, UplinkRoute } from '../items/uplink-look.ts';

export interface FormInput {
  readonly bridge: BridgeItem;
  /** Of the host on it, with their lengths, without those that it has from the uplink. */
  readonly addresses: readonly string[];
  readonly uplink?: UplinkForm;
  readonly paths: Readonly<Record<'ip' | 'sysctl', string>>;
}

export interface UplinkForm extends UplinkLook {
  readonly name: string;
}

export type Form = (input: FormInput) => SetupItem[];

/** Addresses that the bridge has for good. The uplink's first: the gateway is in their network. */
export const lastingAddresses = ({ addresses, uplink }: FormInput): string[] => [
  ...(uplink === undefined || uplink.dynamic ? [] : uplink.addresses.map(({ cidr }) => cidr)),
  ...addresses,
];

export const lastingRoutes = ({ uplink }: FormInput): UplinkLook['routes'] =>
  uplink === undefined || uplink.dynamic ? [] : uplink.routes;

/** Of the uplink's addresses those with more to them than a length. */
export const specialAddresses = (input: FormInput): readonly UplinkAddress[] =>
  uplinkAddresses(input).filter(isSpecial);

export const uplinkAddresses = ({ uplink }: FormInput): readonly UplinkAddress[] =>
  uplink === undefined || uplink.dynamic ? [] : uplink.addresses;

const isSpecial = ({ peer, label, scope, metric, flags }: UplinkAddress): boolean =>
  [peer, label, scope, metric, flags].some((one) => one !== undefined);

/** All others. */
export const plainAddresses = (input: FormInput): string[] => [
  ...uplinkAddresses(input)
    .filter((one) => !isSpecial(one))
    .map(({ cidr }) => cidr),
  ...input.addresses,
];

/** A network manager makes those to the networks of its addresses itself. */
export const managedRoutes = (input: FormInput): readonly UplinkRoute[] =>
  lastingRoutes(input).filter(({ words }) => !/ proto kernel( |$)/.test(words.join(' ')));

/**
 * Of the way out through the uplink, so that it is preferred to others as before, or not; where a DHCP server names no router, of the way to its
 * network. Undefined: none is written.
 */
export function metricOf({ uplink }: Pick<FormInput, 'uplink'>): string | undefined {
  const routes = (uplink?.routes ?? []).filter(({ family, words }) => family === '-4' && !words.includes('table'));
  const isOfNetwork = ({ words }: UplinkRoute): boolean =>
    / proto (dhcp|kernel) /.test(words.join(' ')) && !words.includes('via');
  const { words = [] } = routes.find((one) => one.words[0] === 'default') ?? routes.find(isOfNetwork) ?? {};
  if (words.includes('metric')) return words[words.indexOf('metric') + 1];
  if (words[0] === 'default') return undefined;
  const metric = uplink?.addresses.find((one) => !one.cidr.includes(':') && one.metric !== undefined)?.metric;
  return metric === undefined ? undefined : String(metric);
}

/** `via X` of the default route of that family. */
export function gatewayOf(input: FormInput, family: '-4' | '-6'): string | undefined {
  const route = lastingRoutes(input).find((one) => one.family === family && one.words[0] === 'default');
  const at = route?.words.indexOf('via') ?? -1;
  return at < 0 ? undefined : route?.words[at + 1];
}
