/** What other firewalls of the host's drop of a network's packets: an accept in a table of ours does not undo it. */
import { chainsThatDrop, type Packet } from '../host/firewall-walk.ts';
import { readFirewall, type Firewall, type FirewallChain } from '../host/firewall.ts';
import { readUplinks, type Uplink } from '../host/uplinks.ts';
import { isLoopback } from '../network/bridged/forward-rules.ts';
import { hasDnsmasq, isBridged } from '../network/bridged/mode.ts';
import { subnetsOf } from '../network/bridged/free-subnets.ts';
import { parseInterfaceAddress } from '../subnet.ts';
import { shellWord } from '../shell-word.ts';
import type { NetworkContext } from './context.ts';
import type { NetworkRecord } from './record.ts';

export interface ForeignDrop {
  /** `nft chain ip filter FORWARD (hook forward, policy drop)` */
  readonly chain: string;
  /** In words, such as `what guests send out`. */
  readonly drops: readonly string[];
  /** The rule that lets it pass. What the network itself forbids stays forbidden: a drop of anybody's is the end of a packet. */
  readonly mend: string;
}

interface Case {
  readonly what: string;
  readonly families: readonly (4 | 6)[];
  readonly packet: Packet;
}

type Known = Pick<NetworkRecord, 'definition' | 'forwards' | 'plan'>;

/** Of one that is up, and for root: nobody else may look. It takes a program, where the host has rules. */
export async function readForeignDrops(
  network: Known,
  { system }: Pick<NetworkContext, 'system'>,
): Promise<ForeignDrop[]> {
  if (system.uid !== 0 || !isBridged(network.definition.forward)) return [];
  return findForeignDrops(network, await readFirewall(system), readUplinks());
}

export function findForeignDrops(network: Known, firewall: Firewall, uplinks: readonly Uplink[]): ForeignDrop[] {
  const { attach } = network.plan;
  if (attach.by !== 'bridge' || !isBridged(network.definition.forward)) return [];
  const found = new Map<FirewallChain, Case[]>();
  for (const one of casesOf(network, attach.bridge, uplinks))
    for (const chain of chainsThatDrop(firewall, one.packet, one.families.flatMap(familiesOf)))
      found.set(chain, [...(found.get(chain) ?? []), one]);
  return [...found].map(([chain, cases]) => ({
    chain: inWords(chain),
    drops: [...new Set(cases.map(({ what }) => what))],
    mend: mendOf(chain, { bridge: attach.bridge, cases, chains: firewall.chains }),
  }));
}

const familiesOf = (family: 4 | 6): string[] => [family === 4 ? 'ip' : 'ip6', 'inet'];

function casesOf({ definition, forwards }: Known, bridge: string, uplinks: readonly Uplink[]): Case[] {
  const { forward: mode, nat, route } = definition;
  const subnets = subnetsOf(definition).flatMap((one) => parseInterfaceAddress(one)?.subnet ?? []);
  const families = [...new Set(subnets.map((one) => one.family))];
  const guestsOf = (family: 4 | 6): string[] => subnets.flatMap((one) => (one.family === family ? [one.cidr] : []));
  const leases = definition.dhcp !== undefined;
  const asks = hasDnsmasq(definition) ? questionsOf({ bridge, families, leases, guestsOf }) : [];
  const passing = families.flatMap((family): Case[] => {
    const dev = (mode === 'nat' ? nat?.dev : route?.dev) ?? uplinks.find((one) => one.family === family)?.name ?? '';
    const guests = guestsOf(family);
    const out = { hook: 'forward', in: bridge, out: dev, state: 'new', family, from: guests } as const;
    const into = { hook: 'forward', in: dev, out: bridge, state: 'new', family, to: guests } as const;
    const of = { families: [family] };
    const reached = forwards
      .filter(({ hostAddress }) => !isLoopback(hostAddress))
      .map(({ guestAddress }) => guestAddress)
      .filter((address) => address.includes(':') === (family === 6));
    return [
      ...(mode === 'nat' || mode === 'route'
        ? [
            { ...of, what: 'what guests send out', packet: out },
            { ...of, what: 'the answers to them', packet: { ...into, state: 'established' as const } },
          ]
        : []),
      ...(mode === 'route' ? [{ ...of, what: 'what comes to guests from outside', packet: into }] : []),
      ...[...new Set(reached)].map((address) => ({
        ...of,
        what: 'what forwards lead to guests',
        packet: { ...into, to: [address], dnat: true },
      })),
    ];
  });
  return [...asks, ...passing];
}

interface Questions {
  readonly bridge: string;
  readonly families: readonly (4 | 6)[];
  readonly leases: boolean;
  readonly guestsOf: (family: 4 | 6) => string[];
}

function questionsOf({ bridge, families, leases, guestsOf }: Questions): Case[] {
  const ask = (port: number): Packet => ({ hook: 'input', in: bridge, out: '', state: 'new', protocol: 'udp', port });
  return [
    ...(leases
      ? [{ what: 'what guests ask of DHCP', families: families.filter((one) => one === 4), packet: ask(67) }]
      : []),
    ...families.map((family) => ({
      what: 'names that guests ask for',
      families: [family],
      packet: { ...ask(53), family, from: guestsOf(family) },
    })),
  ];
}

export function inWords({ family, table, name, forward, input, tool }: FirewallChain): string {
  const hook = forward === undefined ? 'input' : 'forward';
  const policy = (forward ?? input) === 'drop' ? ', policy drop' : '';
  return `${tool === 'iptables' ? 'iptables' : 'nft'} chain ${family} ${table} ${name} (hook ${hook}${policy})`;
}

interface MendOf {
  readonly bridge: string;
  readonly cases: readonly Case[];
  readonly chains: readonly FirewallChain[];
}

/** A rule in a table of one's own does not help: it must be in the chain that drops, or before it in what that chain asks. */
function mendOf(chain: FirewallChain, { bridge, cases, chains }: MendOf): string {
  const word = shellWord(bridge);
  const { family, table, name, tool, input } = chain;
  if (table === 'firewalld') return mendZones(bridge, cases);
  const has = (part: string): boolean =>
    chains.some((one) => one.family === family && one.table === table && one.name.startsWith(part));
  const ports = [...new Set(cases.flatMap(({ packet: { port } }) => port ?? []))].toSorted((a, b) => a - b);
  if (has('ufw')) {
    return input === undefined
      ? both((way) => `sudo ufw route allow ${way} on ${word}`)
      : all(ports.map((port) => `sudo ufw allow in on ${word} proto udp to any port ${port}`));
  }
  if (tool === 'iptables' || (table === 'filter' && name === name.toUpperCase())) {
    const iptables = `sudo ${family === 'ip6' ? 'ip6tables' : 'iptables'} -I`;
    if (input !== undefined)
      return all(ports.map((port) => `${iptables} ${shellWord(name)} -i ${word} -p udp --dport ${port} -j ACCEPT`));
    const into = has('DOCKER-USER') ? 'DOCKER-USER' : shellWord(name);
    return both((way) => `${iptables} ${into} -${way === 'in' ? 'i' : 'o'} ${word} -j ACCEPT`);
  }
  const insert = `sudo nft insert rule ${[family, table, name].map(shellWord).join(' ')}`;
  if (input !== undefined) return `${insert} iifname ${word} udp dport '{ ${ports.join(', ')} }' accept`;
  return both((way) => `${insert} ${way === 'in' ? 'iifname' : 'oifname'} ${word} accept`);
}

const all = (commands: readonly string[]): string => commands.join(' && ');
const both = (command: (way: 'in' | 'out') => string): string => all([command('in'), command('out')]);

/** Who is in the zone `trusted` may ask and send; that others may send to them takes a policy. */
function mendZones(bridge: string, cases: readonly Case[]): string {
  const permanent = 'sudo firewall-cmd --permanent';
  const policy = `${permanent} --policy=to-trusted`;
  const isSentTo = cases.some(({ packet }) => packet.out === bridge && packet.state === 'new');
  return all([
    `${permanent} --zone=trusted --add-interface=${shellWord(bridge)}`,
    ...(isSentTo
      ? [
          `${permanent} --new-policy=to-trusted`,
          `${policy} --add-ingress-zone=ANY`,
          `${policy} --add-egress-zone=trusted`,
          `${policy} --set-target=ACCEPT`,
        ]
      : []),
    'sudo firewall-cmd --reload',
  ]);
}
