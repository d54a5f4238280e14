/** A network of the host's with a bridge of its own: nat, route, open and isolated. Made by root; everything that decides, and nothing that changes. Pure. */
import { QrunError } from '../../errors.ts';
import { linkAliasOf, type LinkOwner } from '../../link-name.ts';
import { bridgeCommands } from '../../plan/bridge-commands.ts';
import type {
  DirectoryStep,
  FileStep,
  LinkStep,
  NftStep,
  ResolverStep,
  ServiceStep,
  SysctlStep,
} from '../../plan/step.ts';
import { parseAddress, renderAddress, parseInterfaceAddress, type Subnet } from '../../subnet.ts';
import { planForwards } from '../forwards.ts';
import type { HostNetwork, HostPort } from '../host-network.ts';
import { layoutOf, type NetworkLayout } from '../layout.ts';
import { portLocks, registryStep } from '../host-steps.ts';
import type { NetworkForward, NetworkPlan } from '../network-plan.ts';
import type { Network } from '../network.ts';
import type { GuestTap, NetworkPlanInput, PortFacts } from '../plan-input.ts';
import { portOf } from '../transport/tap.ts';
import { renderUserVm } from '../user-vm.ts';
import { bridgedFiles, type BridgedFiles } from './files.ts';
import { fixedOfAll, portHolder } from './fixed-hosts.ts';
import { addressesOfKept, addressOfKept, sixOfVms } from './kept-ports.ts';
import { dhcpServerOf, renderDnsmasq, type FixedHost } from './dnsmasq.ts';
import { hasDnsmasq } from './mode.ts';
import { bridgeMacOf, bridgeNameOf, tableNameOf } from './names.ts';
import { addressesOf, requireFreeSubnets } from './free-subnets.ts';
import { linkLocalOf, type GuestPort } from './port-rules.ts';
import { isLoopback, needsRouteLocalnet } from './forward-rules.ts';
import { buildRuleset } from './ruleset.ts';
import { fixedFiles, serverPids, serverPrograms } from './servers.ts';
import { guestSteps, onSwitch } from './vde.ts';

interface Look {
  readonly network: Network;
  readonly input: NetworkPlanInput;
  readonly facts: PortFacts;
  readonly layout: NetworkLayout;
  /** The bridge's own, with their prefixes: those that are written, or the one that follows from the name. */
  readonly addresses: readonly string[];
}

/** @throws QrunError `permission`, `missing-tool`, `in-use` (a bridge or a subnet that is another's), `host-failed` */
export function planBridged(network: Network, input: NetworkPlanInput): NetworkPlan {
  const facts = input.facts.ports;
  if (facts === undefined) throw new QrunError('bug', `nobody looked at what ${network.name} is made of`);
  const layout = layoutOf(network);
  const addresses = addressesOf(network, layout);
  const look: Look = { network, input, facts, layout, addresses };
  requireAll(look);
  const { forwards, steps: portsOfForwards } = planForwards(network, {
    ...input,
    scope: 'system',
    addresses: { ...input.addresses, ...addressesOfKept(network, facts.kept ?? [], input.addresses) },
    six: sixOfVms(network),
  });
  const host = hostOf(look);
  const { name, file, forward } = network;
  return {
    v: 1,
    network: name,
    file,
    scope: 'system',
    transport: host.vde === undefined ? 'tap' : 'vde',
    forward,
    subnet: layout.subnet.cidr,
    gateway: layout.gateway,
    ...(hasDnsmasq(network) && { dnsServer: layout.gateway }),
    attach: { by: 'bridge', bridge: host.on, mtu: host.mtu, isolated: network.isolatedPorts },
    forwards,
    ...(network.dhcp !== undefined && { pool: { ranges: layout.ranges, kept: [layout.gateway] } }),
    addresses: input.addresses,
    steps: [
      ...portsOfForwards,
      ...fileSteps(look, host),
      // each of them makes the kernel wait: they go side by side, dnsmasq among them, which comes while the rules do
      ...[bridgeStep(look, host), ...sysctlSteps(look, forwards), ...rulesSteps(look, forwards, host)].map(
        (step) => ({ ...step, overlaps: 'given' }) as const,
      ),
      ...serviceSteps(look, host),
      ...resolverSteps(look),
      ...guestSteps(host, { facts, input, alone: !hasDnsmasq(network) }),
      registryStep(host, { facts, input }),
    ],
    notes: notesOf(look),
  };
}

function hostOf({ network, input, facts }: Look): HostNetwork {
  const host: HostNetwork = {
    name: network.name,
    runId: input.mark,
    forward: 'bridge',
    on: bridgeNameOf(network),
    mtu: network.mtu ?? 1500,
    ...(facts.user !== undefined && { user: facts.user }),
    ...(facts.group !== undefined && { group: facts.group }),
    ports: [],
    definition: network,
  };
  const ports = facts.macs.map((mac, number) => {
    const own = facts.kept?.find((one) => one.number === number);
    const ip = own === undefined ? input.addresses[portHolder(number)] : addressOfKept(network, own, input.addresses);
    return {
      ...portOf(number, { network, facts, mac, forward: 'bridge' }),
      ...(ip !== undefined && { ip }),
      ...(own !== undefined && { kept: { user: own.user, uid: own.uid, vm: own.vm } }),
    };
  });
  return onSwitch({ ...host, ports }, facts);
}

const ownerOf = ({ network, facts }: Look): LinkOwner => ({
  state: facts.state,
  vm: `net/${network.name}`,
  nic: 'bridge',
  role: 'bridge',
});

function bridgeStep(look: Look, { on: name, mtu }: HostNetwork): LinkStep {
  const { network, addresses, facts } = look;
  const alias = linkAliasOf(ownerOf(look));
  const commands = bridgeCommands({
    name,
    alias,
    mac: bridgeMacOf(network),
    mtu,
    addresses: facts.ipv6 ? addresses : addresses.filter((one) => !one.includes(':')),
    stp: network.bridge?.stp ?? false,
    forwardDelayS: network.bridge?.forwardDelay ?? 0,
  });
  return { kind: 'link', id: 'bridge', needsRoot: true, name, alias, commands };
}

/** Guests are no routers of this host's; what it forwards it must be told to forward. */
function sysctlSteps(look: Look, forwards: readonly NetworkForward[]): SysctlStep[] {
  const { network, facts } = look;
  const bridge = bridgeNameOf(network);
  const six = facts.ipv6;
  const routes = network.forward !== 'isolated' || forwards.some(({ hostAddress }) => !isLoopback(hostAddress));
  const own: SysctlStep = {
    kind: 'sysctl',
    id: 'sysctl:bridge',
    needsRoot: true,
    values: {
      [`net/ipv4/conf/${bridge}/route_localnet`]: needsRouteLocalnet(forwards) ? '1' : '0',
      // what the host has elsewhere it does not tell there either
      ...(network.forward === 'isolated' && { [`net/ipv4/conf/${bridge}/arp_ignore`]: '1' }),
      ...(six && { [`net/ipv6/conf/${bridge}/accept_ra`]: '0', [`net/ipv6/conf/${bridge}/autoconf`]: '0' }),
    },
  };
  const host: SysctlStep = {
    kind: 'sysctl',
    id: 'sysctl:forwarding',
    needsRoot: true,
    // stays when the network goes: others may have come to need it
    kept: `${facts.host}/switched-on.json`,
    values: {
      'net/ipv4/ip_forward': '1',
      ...(forwards6(look) && { 'net/ipv6/conf/all/forwarding': '1' }),
    },
  };
  return [own, ...(routes ? [host] : [])];
}

const forwards6 = ({ network, facts, addresses }: Look): boolean =>
  facts.ipv6 && network.forward !== 'isolated' && addresses.some((one) => one.includes(':'));

function rulesSteps(look: Look, forwards: readonly NetworkForward[], host: HostNetwork): NftStep[] {
  const { network, addresses, input } = look;
  const { forward: mode, nat, route, dhcp } = network;
  if (mode !== 'nat' && mode !== 'route' && mode !== 'open' && mode !== 'isolated')
    throw new QrunError('bug', `${mode} has no bridge of its own`);
  const table = tableNameOf(network.name);
  const parsed = addresses.flatMap((one) => parseInterfaceAddress(one) ?? []);
  const six = parsed.flatMap(({ subnet }) => (subnet.family === 6 ? [subnet] : []));
  const lock = (tap: GuestTap): GuestPort =>
    network.antiSpoof ? { device: tap.device, mac: tap.mac, ips: ownIps(tap, network, six) } : { device: tap.device };
  const ruleset = buildRuleset({
    table,
    owner: linkAliasOf(ownerOf(look)),
    bridge: host.on,
    bridgeMac: bridgeMacOf(network),
    mode,
    subnets: parsed.map(({ subnet }) => subnet.cidr),
    addresses: addresses.map(bare),
    ...(nat !== undefined && { nat }),
    ...(route?.dev !== undefined && { dev: route.dev }),
    // one whose port is not chosen yet has no rules yet
    forwards: forwards.filter(({ hostPort }) => hostPort !== 'auto'),
    ...(input.withdrawn !== undefined && { withdrawn: input.withdrawn }),
    asks: { dhcp: dhcp !== undefined, dns: true, tftp: dhcp?.tftp !== undefined },
    isolatedPorts: network.isolatedPorts,
    // all ports of a switch are behind one tap
    ports: [...host.ports.slice(0, host.vde === undefined ? undefined : 1).map(tapOfPort), ...(input.guests ?? [])].map(
      lock,
    ),
  });
  return ruleset.tables.length === 0 ? [] : [{ kind: 'nft', id: 'rules', needsRoot: true, ...ruleset }];
}

const tapOfPort = ({ device, mac, ip, kept }: HostPort): GuestTap => ({
  device,
  mac,
  ...(ip !== undefined && { ip }),
  ...(kept !== undefined && { vm: renderUserVm(kept) }),
});

/** Its lease, what the definition gives to its MAC or to its VM, and what a guest makes from a router's announcement and its MAC (RFC 4862): no other is known before. */
function ownIps({ mac, ip, vm }: GuestTap, { dhcp }: Network, six: readonly Subnet[]): string[] {
  const fixed = (dhcp?.hosts ?? []).flatMap((host) =>
    host.mac === mac || (vm !== undefined && host.vm === vm) ? [host.ip] : [],
  );
  const interfaceId = (parseAddress(linkLocalOf(mac))?.value ?? 0n) & ((1n << 64n) - 1n);
  const announced = six.map(({ first }) => renderAddress({ family: 6, value: first + interfaceId }));
  return [...new Set([...(ip === undefined ? [] : [ip]), ...fixed, ...announced])];
}

const bare = (cidr: string): string => cidr.slice(0, cidr.indexOf('/'));

/** Names and addresses: on every network but an `open` one without DHCP, whose guests are told nothing by this host. */
function fileSteps(look: Look, host: HostNetwork): (DirectoryStep | FileStep)[] {
  const { network, layout, input, facts } = look;
  if (!hasDnsmasq(network)) return [];
  const { files } = input;
  const own = bridgedFiles({ files, host: facts.host, name: network.name });
  const bridge = bridgeNameOf(network);
  const content = renderDnsmasq({ network, layout, bridge, files: own });
  return [
    { kind: 'directory', id: 'directory:runtime', needsRoot: true, path: files.runtimeDir },
    { kind: 'file', id: 'file:dnsmasq', needsRoot: true, path: own.config, content },
    ...fixedSteps(network, own, fixedOfAll(network, host.ports, { members: [], addresses: input.addresses })),
  ];
}

function serviceSteps({ network, input, facts }: Look, host: HostNetwork): ServiceStep[] {
  if (!hasDnsmasq(network)) return [];
  const { files, mark, pinned, release } = input;
  const own = bridgedFiles({ files, host: facts.host, name: network.name });
  return [
    {
      kind: 'service',
      id: 'service',
      needsRoot: true,
      overlaps: 'taken',
      title: `qrun-net ${network.name}`,
      network: network.name,
      mark,
      programs: serverPrograms(network, own, input.facts.tools),
      log: files.log,
      awaits: serverPids(network, own),
      // what keeps it from its port, or what it does not understand, will do so again
      givesUpAfter: 3,
      ...(!pinned && { watch: { users: files.users, ...portLocks(host), release } }),
    },
  ];
}

/** The host asks for the guests' names itself, where they are. */
function resolverSteps({ network, facts, addresses }: Look): ResolverStep[] {
  const { hostDns, dns } = network;
  if (!hostDns || dns.domain === undefined || facts.resolver === undefined || facts.resolver === 'stopped') return [];
  const step: ResolverStep = {
    kind: 'resolver',
    id: 'resolver',
    needsRoot: true,
    by: facts.resolver,
    bridge: bridgeNameOf(network),
    addresses: (facts.ipv6 ? addresses : addresses.filter((one) => !one.includes(':'))).map(bare),
    domain: dns.domain,
  };
  return [step];
}

const fixedSteps = (network: Network, files: BridgedFiles, fixed: readonly FixedHost[]): FileStep[] =>
  fixedFiles(network, files, fixed).map(({ path, content, of }) => ({
    kind: 'file',
    id: path === files.hosts ? 'file:hosts' : path === files.names ? 'file:names' : 'file:dhcpd',
    needsRoot: true,
    // dnsmasq is root no more when it reads it again
    ...(of === 'dnsmasq' && { public: true as const }),
    path,
    content,
  }));

function notesOf({ network, facts, addresses }: Look): string[] {
  const { name, forward } = network;
  return [
    ...(forward === 'route'
      ? [
          `network ${name}: the router of the network outside needs a route to ${cidrsOf(addresses).join(' and ')} by way of this host`,
        ]
      : []),
    ...(!facts.ipv6 && network.addresses.some((one) => one.includes(':'))
      ? [`network ${name}: this host has no IPv6: its addresses of IPv6 are left out`]
      : []),
  ];
}

const cidrsOf = (addresses: readonly string[]): string[] =>
  addresses.flatMap((one) => parseInterfaceAddress(one)?.subnet.cidr ?? []);

function requireAll(look: Look): void {
  const { network, facts, input } = look;
  const at = `network ${network.name}`;
  if (!facts.rights) {
    throw new QrunError('permission', `${at}: to make a bridge takes CAP_NET_ADMIN, and root has not got it here`, {
      hint: 'docker run --cap-add NET_ADMIN --device /dev/net/tun …',
    });
  }
  const needed: readonly (readonly [string, string])[] = [
    ['nft', 'nftables'],
    ...(hasDnsmasq(network) ? [['dnsmasq', 'dnsmasq-base'] as const] : []),
    ...(dhcpServerOf(network) === 'dhcpd' ? [['dhcpd', 'isc-dhcp-server'] as const] : []),
  ];
  for (const [tool, debian] of needed) {
    if (input.facts.tools[tool] !== undefined) continue;
    throw new QrunError('missing-tool', `${at}: ${tool} is not installed`, { hint: `sudo apt-get install ${debian}` });
  }
  const { link } = facts;
  if (link !== undefined && link.alias !== linkAliasOf(ownerOf(look))) {
    throw new QrunError('in-use', `${at}: there is an interface ${link.name} already, and it is not this network's`, {
      hint:
        link.kind === 'bridge'
          ? `forward: bridge with bridge: { name: ${link.name} } uses it as it is; or write another bridge.name`
          : 'write another bridge.name in its definition',
    });
  }
  requireFreeSubnets(network, input.facts, [bridgeNameOf(network)]);
  requireOwnRoutes(look);
  if (network.hostDns && facts.resolver === undefined) {
    throw new QrunError('missing-tool', `${at}: hostDns: neither systemd-resolved nor resolvconf is there to be told`, {
      hint: 'sudo apt-get install resolvconf',
    });
  }
  if (network.hostDns && facts.resolver === 'stopped') {
    throw new QrunError('host-failed', `${at}: hostDns: systemd-resolved does not run`, {
      hint: 'sudo systemctl enable --now systemd-resolved',
    });
  }
}

/** A router listens to no other router, unless it is told to. */
function requireOwnRoutes(look: Look): void {
  const { network, facts } = look;
  const lost = forwards6(look) ? (facts.advertised ?? []) : [];
  if (lost.length === 0) return;
  throw new QrunError(
    'host-failed',
    `network ${network.name}: to forward IPv6 makes this host a router, and it would lose the routes that other routers tell it by ${lost.join(' and ')}`,
    { hint: `sudo sysctl -w ${lost.map((name) => `net.ipv6.conf.${dottedName(name)}.accept_ra=2`).join(' ')}` },
  );
}

/** sysctl takes both signs, and in a name of its own a dot is the other one. */
const dottedName = (name: string): string => name.replaceAll('.', '/');
