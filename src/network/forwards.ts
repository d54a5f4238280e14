/** Forwards of a network: the guest resolved to its address, the host's side to literal addresses, and the ports that are taken for them. */
import { QrunError } from '../errors.ts';
import { isIpLiteral, isIpv4Literal, isIpv6Literal, renderHost } from '../profile/address.ts';
import { renderForward } from '../profile/forward.ts';
import type { PortStep, TakenPort } from '../plan/step.ts';
import { canonicalAddress, parseAddress } from '../subnet.ts';
import type { GuestForward } from './guest-forward.ts';
import type { NetworkForward } from './network-plan.ts';
import type { ForwardMode, Network } from './network.ts';
import type { NetworkFacts, NetworkPlanInput } from './plan-input.ts';

/** The VMs that forwards name: their addresses must be known before the plan is made. */
export function guestsOf({ forwards }: Pick<Network, 'forwards'>): string[] {
  return [...new Set(forwards.map(({ guest }) => guest).filter((guest) => !isIpLiteral(guest)))];
}

/** The interfaces of the host that forwards name (`%eth0`): their addresses must be read. */
export function interfacesOf({ forwards }: Pick<Network, 'forwards'>): string[] {
  const named = forwards.map(({ hostAddress }) => hostAddress).filter((address) => address.startsWith('%'));
  return [...new Set(named.map((address) => address.slice(1)))];
}

/** Why slirp, which listens for them, cannot honour a forward into a network of that mode; undefined: it can. */
export function faultOfForward({ hostAddress, guest }: GuestForward, mode: ForwardMode): string | undefined {
  if (isIpv6Literal(hostAddress) || isIpv6Literal(guest)) return 'networks without root have forwards in IPv4 alone';
  if (mode !== 'isolated' || hostAddress.startsWith('127.')) return undefined;
  return 'guests of an isolated network have no route to answer by: a forward into it is on 127.0.0.1, for this host alone';
}

export interface PlannedForwards {
  readonly forwards: readonly NetworkForward[];
  readonly steps: readonly PortStep[];
}

type ForwardsInput = Pick<NetworkPlanInput, 'addresses' | 'ports' | 'lastPorts'> & {
  /** system: rules of the kernel's do it, which can do more than slirp. Default: user. */
  readonly scope?: 'user' | 'system';
  /** Of IPv6, by VM: what a forward of that family leads to. */
  readonly six?: Readonly<Record<string, string>>;
  readonly facts: Pick<NetworkFacts, 'links' | 'others'>;
};

/** @throws QrunError `usage`, `host-failed` */
export function planForwards(
  { name, forward: mode, forwards }: Pick<Network, 'name' | 'forward' | 'forwards'>,
  input: ForwardsInput,
): PlannedForwards {
  const rules = input.scope === 'system' ? takenOf(input.facts) : undefined;
  const planned = forwards.flatMap((forward, index) => {
    const at = `network ${name}: forwards[${index}]`;
    const fault = input.scope === 'system' ? undefined : faultOfForward(forward, mode);
    if (fault !== undefined) throw new QrunError('usage', `network ${name}: ${renderForward(forward)}: ${fault}`);
    const guestAddress = addressOfGuest(forward, input);
    if (guestAddress === undefined)
      throw new QrunError('bug', `${at}: nobody reserved an address for ${forward.guest}`);
    return hostAddresses({ ...forward, guestAddress }, at, input).map((address, position) => {
      const key = `forward:${index}${position === 0 ? '' : `.${position}`}`;
      const step = portStep(forward, { key, address, last: input.lastPorts?.[key], rules });
      return { step, forward: resolved(forward, { address, guestAddress, port: input.ports?.[step.id] }) };
    });
  });
  return { forwards: planned.map(({ forward }) => forward), steps: planned.map(({ step }) => step) };
}

function addressOfGuest(
  { guest, hostAddress }: GuestForward,
  { addresses, six = {} }: Pick<ForwardsInput, 'addresses' | 'six'>,
): string | undefined {
  if (isIpLiteral(guest)) return guest;
  return (isIpv6Literal(hostAddress) ? six[guest] : undefined) ?? addresses[guest];
}

interface PortOf {
  readonly key: string;
  readonly address: string;
  readonly last: number | undefined;
  /** Rules do it; and what other rules do already. */
  readonly rules: readonly TakenPort[] | undefined;
}

/** Nobody listens there, and nobody else can be reached there. */
const takenOf = ({ others = [] }: Pick<NetworkFacts, 'others'>): TakenPort[] =>
  others.flatMap(({ name, forwards }) =>
    forwards.map(({ protocol, hostAddress, hostPort, guest, guestPort }) => ({
      protocol,
      address: hostAddress,
      port: Number(hostPort),
      by: `network ${name}, and leads to ${renderHost(guest)}:${guestPort}`,
    })),
  );

function portStep({ protocol, hostPort }: GuestForward, { key, address, last, rules }: PortOf): PortStep {
  const taken = rules?.filter(
    (one) =>
      one.protocol === protocol &&
      (hostPort === 'auto' || hostPort === one.port) &&
      addressesMeet(one.address, address),
  );
  return {
    kind: 'port',
    id: `port:${key}`,
    needsRoot: false,
    protocol,
    address,
    port: hostPort,
    ...(hostPort === 'auto' && last !== undefined && { last }),
    ...(taken !== undefined && { rules: { taken } }),
  };
}

interface ResolvedWith {
  readonly address: string;
  readonly guestAddress: string;
  readonly port: number | undefined;
}

function resolved(forward: GuestForward, { address, guestAddress, port }: ResolvedWith): NetworkForward {
  const { protocol, hostPort, guest, guestPort } = forward;
  return { protocol, hostAddress: address, hostPort: port ?? hostPort, guest, guestAddress, guestPort };
}

/** Literal addresses, of an interface those of the guest's family: neither rules nor slirp translate one into the other. */
function hostAddresses(
  forward: GuestForward & { readonly guestAddress: string },
  at: string,
  { facts }: ForwardsInput,
): readonly string[] {
  const { hostAddress, guestAddress } = forward;
  if (!hostAddress.startsWith('%')) return [hostAddress];
  const name = hostAddress.slice(1);
  const link = facts.links?.find((one) => one.name === name);
  if (link === undefined)
    throw new QrunError('host-failed', `${at}: there is no interface ${name}`, { hint: 'ip -br address' });
  const isFour = isIpv4Literal(guestAddress);
  const addresses = link.addresses.filter((address) => isIpv4Literal(address) === isFour && !/^fe80:/i.test(address));
  if (addresses.length > 0) return addresses;
  throw new QrunError(
    'host-failed',
    `${at}: ${renderForward(forward)}: the interface ${name} has no IPv${isFour ? 4 : 6} address`,
    {
      hint: `ip address show dev ${name}`,
    },
  );
}

/** A packet to one of the host's addresses may be for both. */
export function addressesMeet(one: string, other: string): boolean {
  if (parseAddress(one)?.family !== parseAddress(other)?.family) return false;
  const isAny = (address: string): boolean => ['0.0.0.0', '::'].includes(canonicalAddress(address) ?? '');
  return isAny(one) || isAny(other) || canonicalAddress(one) === canonicalAddress(other);
}
