/** What qrun's own switch is told of a network. */
import type { SwitchConfig } from '../switch/config.ts';
import { encodeDhcpOption } from './dhcp-options.ts';
import type { NetworkLayout } from './layout.ts';
import type { Dhcp, Network } from './network.ts';
import type { NetworkPlanInput } from './plan-input.ts';

export interface SwitchConfigInput {
  readonly network: Network;
  readonly layout: NetworkLayout;
  readonly input: Pick<NetworkPlanInput, 'files' | 'addresses'>;
}

export function buildSwitchConfig({ network, layout, input }: SwitchConfigInput): SwitchConfig {
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

function dhcpConfig(dhcp: Dhcp, { network, layout, input }: SwitchConfigInput): NonNullable<SwitchConfig['dhcp']> {
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
    // a guest that has a search list looks nowhere else: the names of the others come first
    search: [...new Set([...(dns.domain === undefined ? [] : [dns.domain]), ...dns.search])],
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
