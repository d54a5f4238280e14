/**
 * `transport: hub`: qrun's own small switch, with a QEMU without a guest (slirp) as the gateway. Needs no rights and no other package.
 *
 * Each guest's QEMU listens on a socket of its own in one directory, and so does the gateway; the switch connects to all of them. So it does not matter who is
 * there first, and whoever was killed and is started again is connected again.
 */
import type { DirectoryStep, FileStep, ServiceStep } from '../../plan/step.ts';
import type { SwitchConfig } from '../../switch/config.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { isHarmless } from '../consistency.ts';
import { encodeDhcpOption } from '../dhcp-options.ts';
import { planForwards } from '../forwards.ts';
import { buildGatewayArgv, renderGatewayScript } from '../gateway.ts';
import type { Dhcp } from '../network.ts';
import { valueAt } from '../written.ts';
import { foreignVmFaults, placeFaults } from './ipv4-only.ts';
import { refusalFaults, withoutRoot, type Refusal } from './refusal.ts';
import type { TransportContext, TransportKind, TransportLook, TransportPlan } from './transport-kind.ts';

const refused: readonly Refusal[] = [
  ...withoutRoot,
  { path: ['isolatedPorts'], why: 'its switch lets all guests reach one another' },
  { path: ['dhcp', 'server'], why: 'its switch answers DHCP itself', unless: 'auto' },
];

export const hub: TransportKind = {
  transport: 'hub',
  validate: (look) => [
    ...refusalFaults('hub', look.written, refused),
    ...placeFaults('hub', look),
    ...foreignVmFaults(look),
    ...toldFaults(look),
  ],
  plan,
};

/** What guests learn by DHCP alone. */
function toldFaults({ written }: TransportLook): PathFault[] {
  if (written['dhcp'] !== false) return [];
  return [['mtu'], ['dns', 'search']].flatMap((path): PathFault[] => {
    if (isHarmless(valueAt(written, path))) return [];
    return [{ path, at: 'key', message: `guests are told ${path.join('.')} by DHCP, and there is none (dhcp: false)` }];
  });
}

function plan(context: TransportContext): TransportPlan {
  const { network, layout, input } = context;
  const { files, facts, addresses } = input;
  const { subnet, gateway, dnsServer = gateway, ranges } = layout;
  const { forwards, steps } = planForwards(network, input);
  const argv = buildGatewayArgv({
    network,
    layout,
    files,
    qemu: facts.qemu,
    forwards,
    port: { type: 'stream', id: 'lan', server: true, addr: { type: 'unix', path: files.gatewayPort } },
  });
  return {
    subnet: subnet.cidr,
    gateway,
    dnsServer,
    attach: { by: 'socket-directory', directory: files.ports },
    forwards,
    ...(network.dhcp !== undefined && { pool: { ranges, kept: [gateway, dnsServer] } }),
    addresses,
    steps: [
      directory('runtime', files.runtimeDir),
      directory('ports', files.ports),
      ...steps,
      file('switch', files.switchConfig, `${JSON.stringify(switchConfig(context), null, 2)}\n`),
      file('gateway', files.gatewayScript, renderGatewayScript(network.name, argv)),
      service(context),
    ],
    notes: [],
  };
}

const directory = (id: string, path: string): DirectoryStep => ({
  kind: 'directory',
  id: `directory:${id}`,
  needsRoot: false,
  path,
});

const file = (id: string, path: string, content: string): FileStep => ({
  kind: 'file',
  id: `file:${id}`,
  needsRoot: false,
  path,
  content,
});

function service({ network, input }: TransportContext): ServiceStep {
  const { files, facts, mark, pinned, release } = input;
  return {
    kind: 'service',
    id: 'service',
    needsRoot: false,
    title: `qrun-net ${network.name}`,
    network: network.name,
    mark,
    programs: [
      { name: 'switch', argv: [facts.node, facts.switchBundle, files.switchConfig], restart: true },
      { name: 'gateway', argv: ['/bin/sh', files.gatewayScript], restart: true },
    ],
    log: files.log,
    awaits: [files.gatewayPort, files.gatewayMonitor],
    ...(!pinned && { watch: { users: files.users, release } }),
  };
}

function switchConfig({ network, layout, input }: TransportContext): SwitchConfig {
  const { files, addresses } = input;
  const { subnet, gateway, dnsServer = gateway } = layout;
  const { name, dns, dhcp } = network;
  return {
    v: 1,
    network: name,
    ports: files.ports,
    gatewayPort: files.gatewayPort,
    members: files.members,
    leases: files.leases,
    subnet: subnet.cidr,
    gateway,
    dnsServer,
    isolated: network.forward === 'isolated',
    ...(dhcp !== undefined && { dhcp: dhcpConfig(dhcp, { network, layout, input }) }),
    names: {
      ...(dns.domain !== undefined && { domain: dns.domain }),
      hosts: [...dns.hosts, ...namesOf(dhcp, addresses)],
    },
  };
}

const longestLeaseS = 86_400;

function dhcpConfig(dhcp: Dhcp, { network, layout, input }: TransportContext): NonNullable<SwitchConfig['dhcp']> {
  const { dns, mtu } = network;
  const { leaseS, maxLeaseS = Math.max(leaseS, longestLeaseS), tftp } = dhcp;
  const ofVms = dhcp.hosts.flatMap(({ vm, ip }) => (vm === undefined ? [] : [ip]));
  return {
    ranges: layout.ranges,
    leaseS,
    maxLeaseS,
    hosts: dhcp.hosts.flatMap(({ mac, ip, name }) =>
      mac === undefined ? [] : [{ mac, ip, ...(name !== undefined && { name }) }],
    ),
    options: dhcp.options.map((option) => {
      const encoded = encodeDhcpOption(option);
      if ('fault' in encoded) throw new Error(encoded.fault);
      return encoded.value;
    }),
    reserved: [...new Set([...Object.values(input.addresses), ...ofVms])],
    ...(dns.domain !== undefined && { domain: dns.domain }),
    search: dns.search,
    ...(mtu !== undefined && { mtu }),
    ...(tftp !== undefined && {
      tftp: { server: layout.gateway, ...(tftp.file !== undefined && { file: tftp.file }) },
    }),
  };
}

/** VMs that have a name of their own in the definition are known by it too, whether they run or not. */
function namesOf(
  dhcp: Dhcp | undefined,
  addresses: Readonly<Record<string, string>>,
): { ip: string; names: string[] }[] {
  return (dhcp?.hosts ?? []).flatMap(({ vm, ip, name }) => {
    if (vm === undefined || name === undefined) return [];
    return [{ ip: addresses[vm] ?? ip, names: [name] }];
  });
}
