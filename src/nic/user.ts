/**
 * `kind: user`: a network that QEMU makes up inside its own process. No rights needed; the guest gets out, and in by forwards alone.
 * https://www.qemu.org/docs/master/system/devices/net.html#using-the-user-mode-network-stack
 */
import { isIP, isIPv4 } from 'node:net';
import { QrunError } from '../errors.ts';
import type { PlannedForward } from '../plan/launch-plan.ts';
import type { Forward, UserNic } from '../profile/profile.ts';
import { addressesOfInterface, planPorts, refuseDuplicates, type PlannedPort } from './host-ports.ts';
import type { Netdev, NicContext, NicKind, NicPlan } from './nic-kind.ts';
import { parseSubnet, type Subnet } from '../subnet.ts';
import { defaultSubnet, userSubnetOf } from './user-subnets.ts';

export const userNic: NicKind<UserNic> = { kind: 'user', plan };

function plan(nic: UserNic, context: NicContext): NicPlan {
  const at = `nics[${Math.max(0, context.profile.nics.indexOf(nic))}]`;
  requireSupport(nic, at, context);
  const { cidr, position } = userSubnetOf(nic, context.profile.nics, context.facts.networks);
  const network = networkOf(nic, cidr, at);
  const forwards = nic.forwards.map((forward, index) =>
    planForward({ nic, forward, index, at: `${at}.forwards[${index}]`, network, context }),
  );
  const planned = forwards.flatMap(({ ports }) => ports);
  refuseDuplicates(planned, at);
  return {
    netdev: netdevOf({ nic, context, network, position, forwards: planned.map(({ forward }) => forward) }),
    steps: planned.map(({ step }) => step),
    forwards: planned.map(({ forward }) => forward),
    source: network.subnet.cidr === defaultSubnet ? 'user' : `user ${network.subnet.cidr}`,
    notes: forwards.flatMap(({ note }) => (note === undefined ? [] : [note])),
  };
}

function requireSupport(nic: UserNic, at: string, { facts }: NicContext): void {
  if (!facts.qemu.netdevTypes.includes('user')) {
    throw new QrunError('missing-feature', `${at}: ${facts.qemu.file} is built without user networking (libslirp)`, {
      hint: 'use another kind of NIC, or a QEMU that has it (QRUN_QEMU)',
    });
  }
  if (nic.queues > 1) throw invalid(`${at}.queues`, 'user networking has one queue');
  if (nic.vhost === 'on')
    throw invalid(`${at}.vhost`, 'user networking is in QEMU itself: the kernel cannot speed it up');
}

interface UserNetwork {
  readonly subnet: Subnet;
  readonly host: string;
  readonly dns: string;
  /** What the first guest gets by DHCP, and where forwards go to. */
  readonly guest: string;
}

/** The places that QEMU gives them by default, said openly; in a small network the guest sits right behind the name server. */
function networkOf(nic: UserNic, text: string, at: string): UserNetwork {
  const subnet = parseSubnet(text, 4);
  if (subnet === undefined)
    throw invalid(`${at}.subnet`, `${JSON.stringify(text)} is no IPv4 network such as ${defaultSubnet}`);
  if (subnet.prefix < 8 || subnet.prefix > 29) {
    throw invalid(
      `${at}.subnet`,
      `${text}: the prefix must be 8 to 29, so that the guest, the gateway and the name server have a place`,
    );
  }
  const dns = nic.dns ?? subnet.at(3);
  if (!subnet.contains(dns)) {
    throw invalid(
      `${at}.dns`,
      `${dns} is not in ${subnet.cidr}: QEMU itself answers as name server there, and asks those of the host`,
    );
  }
  const host = subnet.at(2);
  const guest = subnet.at(subnet.prefix <= 27 ? 15 : 4);
  if (dns === host || dns === guest)
    throw invalid(`${at}.dns`, `${dns} is taken by the ${dns === host ? 'gateway' : 'guest'}`);
  return { subnet, host, dns, guest };
}

function netdevOf(options: {
  readonly nic: UserNic;
  readonly context: NicContext;
  readonly network: UserNetwork;
  readonly position: number;
  readonly forwards: readonly PlannedForward[];
}): Netdev {
  const { nic, context, network, position, forwards } = options;
  return {
    type: 'user',
    id: context.netdevId,
    net: network.subnet.cidr,
    host: network.host,
    dns: network.dns,
    dhcpstart: network.guest,
    ...(nic.ipv6 ? ipv6Network(position) : { ipv6: false }),
    ...(nic.restrict && { restrict: true }),
    ...(nic.hostname !== undefined && { hostname: nic.hostname }),
    ...(nic.tftp !== undefined && { tftp: nic.tftp }),
    ...(nic.bootFile !== undefined && { bootfile: nic.bootFile }),
    ...(forwards.length > 0 && {
      hostfwd: forwards.map((forward) => ({ str: rule(forward, { network, ports: context.ports ?? {} }) })),
    }),
  };
}

/** QEMU would give all of them fec0::/64. */
const ipv6Network = (position: number): { readonly 'ipv6-prefix'?: string } =>
  position === 0 ? {} : { 'ipv6-prefix': `fec0:0:0:${position.toString(16)}::` };

/** The guest's address is said: an empty one would be what QEMU believes is the guest. */
function rule(
  forward: PlannedForward,
  { network, ports }: { network: UserNetwork; ports: Readonly<Record<string, number>> },
): string {
  const known = ports[forward.step];
  const port = known ?? (forward.hostPort === 'auto' ? 0 : forward.hostPort);
  return `${forward.protocol}:${forward.hostAddress}:${port}-${forward.guest ?? network.guest}:${forward.guestPort}`;
}

interface ForwardContext {
  readonly nic: UserNic;
  readonly forward: Forward;
  readonly index: number;
  readonly at: string;
  readonly network: UserNetwork;
  readonly context: NicContext;
}

function planForward(options: ForwardContext): { readonly ports: readonly PlannedPort[]; readonly note?: string } {
  const { nic, forward, index, at, network, context } = options;
  if (forward.guest !== undefined && !network.subnet.contains(forward.guest)) {
    throw invalid(at, `the guest's address ${forward.guest} is not in ${network.subnet.cidr}`);
  }
  const { addresses, note } = hostAddresses(forward.hostAddress, at, context);
  const ports = planPorts({ nic: nic.id, forward, index, addresses, facts: context.facts });
  return { ports, ...(note !== undefined && { note }) };
}

/** QEMU's forwards take a literal IPv4 address and nothing else (seen up to 10.0). */
function hostAddresses(text: string, at: string, { facts }: NicContext): { addresses: string[]; note?: string } {
  if (!text.startsWith('%')) {
    if (isIPv4(text)) return { addresses: [text] };
    if (isIP(text) === 0) throw invalid(at, `${JSON.stringify(text)} is no address of the host's`);
    throw noIpv6(at, text);
  }
  const name = text.slice(1);
  const bare = addressesOfInterface(name, at, facts);
  const addresses = bare.filter((address) => isIPv4(address));
  if (addresses.length === 0) throw noIpv6(at, `${name} (${bare.join(', ')})`);
  if (addresses.length === bare.length) return { addresses };
  return { addresses, note: `${at}: QEMU forwards IPv4 alone: not the IPv6 addresses of ${name}` };
}

function noIpv6(at: string, address: string): QrunError {
  return new QrunError('missing-feature', `${at}: QEMU's user networking cannot listen on IPv6: ${address}`, {
    hint: 'use an IPv4 address such as 127.0.0.1, or kind: passt',
  });
}

function invalid(at: string, message: string): QrunError {
  return new QrunError('invalid-profile', `${at}: ${message}`);
}
