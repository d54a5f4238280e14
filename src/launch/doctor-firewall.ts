/** What `qrun doctor` says of firewalls between the guests of a bridge: Docker's FORWARD policy, bridge netfilter, firewalld's zones. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { listBridges } from '../host/bridges.ts';
import { droppingChains, type FamiliesOfBridge } from '../host/firewall-walk.ts';
import { orNone } from '../errors.ts';
import { readFirewall, type Firewall, type FirewallChain } from '../host/firewall.ts';
import { readUplinks } from '../host/uplinks.ts';
import { isBridged } from '../network/bridged/mode.ts';
import { findForeignDrops, inWords, type ForeignDrop } from '../networks/foreign-drops.ts';
import { readNetworkRecord } from '../networks/record.ts';
import { listNetworkState } from '../networks/state-names.ts';
import { networkFiles } from '../plan/network-files.ts';
import { shellWord } from '../shell-word.ts';
import { textOf } from '../system/glance.ts';
import type { Check } from './doctor.ts';
import type { LaunchContext } from './prepare.ts';

export interface NetfilterFact extends FamiliesOfBridge {
  /** The module is there: the settings are. */
  readonly present: boolean;
  /** Bridges that have it on for themselves. */
  readonly own: readonly string[];
}

export interface FirewallFacts {
  /** Those that guests may be on. */
  readonly bridges: readonly string[];
  readonly netfilter: NetfilterFact;
  readonly firewall: Firewall;
}

const mostBridges = 20;

/** @param wanted bridges of a profile; undefined: all of the host's but Docker's own */
export async function examineFirewall({ system, places }: LaunchContext, wanted?: readonly string[]): Promise<Check[]> {
  const bridges = (wanted ?? listBridges().filter((name) => !isDockers(name))).slice(0, mostBridges);
  const netfilter = readNetfilter(bridges);
  const firewall = await readFirewall(system);
  const facts = { bridges, netfilter, firewall };
  return [
    checkOfForward(facts),
    checkOfNetfilter(facts),
    ...checkOfZones(readFirewalld(), bridges),
    ...(system.uid === 0 ? checkOfNetworks(readDrops(firewall, { system, places })) : []),
  ];
}

interface DroppedNetwork {
  readonly network: string;
  readonly drops: readonly ForeignDrop[];
}

/** Of root's networks that are up and have rules. One that cannot be read is told of elsewhere. */
function readDrops(firewall: Firewall, { system, places }: Pick<LaunchContext, 'system' | 'places'>): DroppedNetwork[] {
  const uplinks = readUplinks();
  return listNetworkState(places).flatMap((network): DroppedNetwork[] => {
    const record = orNone(() => readNetworkRecord(networkFiles(places, network)));
    if (record?.bootId !== system.bootId() || !isBridged(record.plan.forward)) return [];
    return [{ network, drops: findForeignDrops(record, firewall, uplinks) }];
  });
}

/** None where no such network is up. */
export function checkOfNetworks(networks: readonly DroppedNetwork[]): Check[] {
  const id = 'network-firewall';
  const what = 'other firewalls in the way of networks';
  const names = networks.map(({ network }) => network).join(', ');
  if (networks.length === 0) return [];
  const found = networks.flatMap(({ network, drops }) => drops.map((drop) => ({ network, drop })));
  const [first] = found;
  if (first === undefined)
    return [{ id, what, state: 'ok', evidence: `none drops what ${names} lets pass`, mend: null }];
  const evidence = found
    .slice(0, 4)
    .map(({ network, drop: { chain, drops } }) => `${network}: ${chain} drops ${drops.join(', ')}`)
    .join('; ');
  return [{ id, what, state: 'warn', evidence, mend: first.drop.mend }];
}

const isDockers = (name: string): boolean => name === 'docker0' || /^br-[0-9a-f]{12}$/.test(name);

function readNetfilter(bridges: readonly string[]): NetfilterFact {
  const directory = '/proc/sys/net/bridge';
  const isOn = (file: string): boolean => Number.parseInt(textOf(file), 10) > 0;
  return {
    present: existsSync(directory),
    ip: isOn(`${directory}/bridge-nf-call-iptables`),
    ip6: isOn(`${directory}/bridge-nf-call-ip6tables`),
    own: bridges.filter((name) => isOn(`/sys/class/net/${name}/bridge/nf_call_iptables`)),
  };
}

const dropsOn = ({ netfilter, firewall }: FirewallFacts, bridge: string): FirewallChain[] =>
  droppingChains(firewall, bridge, { ip: netfilter.ip || netfilter.own.includes(bridge), ip6: netfilter.ip6 });

/** Where there is no bridge yet, it is told what one would meet. */
const bridgesOf = ({ bridges }: FirewallFacts): readonly string[] => (bridges.length === 0 ? ['br0'] : bridges);

export function checkOfForward(facts: FirewallFacts): Check {
  const id = 'forward-policy';
  const what = 'firewalls between guests of a bridge';
  const names = bridgesOf(facts);
  const found = names.flatMap((bridge) => dropsOn(facts, bridge).map((chain) => ({ bridge, chain })));
  const [first] = found;
  if (first !== undefined) {
    const evidence = found
      .slice(0, 4)
      .map(
        ({ bridge, chain }) =>
          `${inWords(chain)} drops what no rule of it lets through, and none lets all on ${bridge} through`,
      );
    const unknown = facts.firewall.unknown === undefined ? [] : [facts.firewall.unknown];
    return {
      id,
      what,
      state: 'warn',
      evidence: [...evidence, ...unknown].join('; '),
      mend: ruleFor(first, facts.firewall),
    };
  }
  const { unknown } = facts.firewall;
  const asks = facts.netfilter.ip || facts.netfilter.ip6 || facts.netfilter.own.length > 0;
  if (unknown === undefined)
    return {
      id,
      what,
      state: 'ok',
      evidence: `no chain with hook forward drops what passes ${names.join(', ')}`,
      mend: null,
    };
  // rules for routed packets do not concern bridged ones then; and without a bridge nobody is concerned
  if (!asks || facts.bridges.length === 0)
    return { id, what, state: 'ok', evidence: asks ? 'there is no bridge' : offInWords(facts.netfilter), mend: null };
  const mend = unknown.startsWith('only root') ? 'sudo qrun doctor' : 'sudo apt-get install nftables';
  return { id, what, state: 'warn', evidence: `bridge netfilter is on, and ${unknown}`, mend };
}

/** A rule in a table of one's own does not help: it must be in the chain that drops, or before it in what that chain asks. */
function ruleFor(
  { bridge, chain }: { readonly bridge: string; readonly chain: FirewallChain },
  { chains }: Firewall,
): string {
  const { family, table, name, tool } = chain;
  const word = shellWord(bridge);
  if (table === 'firewalld') return trust(bridge);
  const iptables = family === 'ip6' ? 'ip6tables' : 'iptables';
  const docker = chains.some((one) => one.family === family && one.table === table && one.name === 'DOCKER-USER');
  if (docker) return `sudo ${iptables} -I DOCKER-USER -i ${word} -o ${word} -j ACCEPT`;
  if (tool === 'iptables') return `sudo ${iptables} -I ${shellWord(name)} -i ${word} -o ${word} -j ACCEPT`;
  const [input, output] = family === 'bridge' ? ['meta ibrname', 'meta obrname'] : ['iifname', 'oifname'];
  return `sudo nft insert rule ${[family, table, name].map(shellWord).join(' ')} ${input} ${word} ${output} ${word} accept`;
}

const trust = (bridge: string): string =>
  `sudo firewall-cmd --permanent --zone=trusted --add-interface=${shellWord(bridge)} && sudo firewall-cmd --reload`;

function offInWords({ present }: NetfilterFact): string {
  return present
    ? 'net.bridge.bridge-nf-call-iptables is 0: frames of a bridge do not meet rules for routed packets'
    : 'the module br_netfilter is not loaded: frames of a bridge do not meet rules for routed packets';
}

export function checkOfNetfilter(facts: FirewallFacts): Check {
  const { netfilter, firewall } = facts;
  const base = {
    id: 'bridge-netfilter',
    what: 'bridge netfilter (rules for routed packets, asked about bridged ones)',
  };
  if (!netfilter.ip && !netfilter.ip6 && netfilter.own.length === 0)
    return { ...base, state: 'ok', evidence: offInWords(netfilter), mend: null };
  const global = [
    ...(netfilter.ip ? ['net.bridge.bridge-nf-call-iptables is 1'] : []),
    ...(netfilter.ip6 ? ['net.bridge.bridge-nf-call-ip6tables is 1'] : []),
  ];
  const on = [...global, ...netfilter.own.map((name) => `${name} has nf_call_iptables 1`)].join(', ');
  const drops = bridgesOf(facts).flatMap((bridge) => dropsOn(facts, bridge));
  if (drops.every(({ family }) => family === 'bridge'))
    return { ...base, state: 'ok', evidence: `${on}; ${firewall.unknown ?? 'no rule drops them'}`, mend: null };
  if (firewall.chains.some(({ name }) => name === 'DOCKER-USER'))
    return { ...base, state: 'warn', evidence: `${on}; Docker wants it so: a rule helps`, mend: null };
  const keys = [
    ...(netfilter.ip ? ['net.bridge.bridge-nf-call-iptables=0'] : []),
    ...(netfilter.ip6 ? ['net.bridge.bridge-nf-call-ip6tables=0'] : []),
  ];
  const mend =
    keys.length > 0
      ? `sudo sysctl -w ${keys.join(' ')}`
      : `sudo ip link set dev ${shellWord(netfilter.own[0] ?? 'br0')} type bridge nf_call_iptables 0`;
  return { ...base, state: 'warn', evidence: `${on}, and a rule drops them`, mend };
}

export interface Firewalld {
  /** By zone. */
  readonly zones: Readonly<Record<string, ZoneFact>>;
  readonly defaultZone: string;
  /** Its files are root's to read. */
  readonly unreadable: boolean;
}

export interface ZoneFact {
  readonly target: string;
  readonly interfaces: readonly string[];
}

/** None where firewalld does not run. By its files: asking it takes longer than all else. */
export function checkOfZones(firewalld: Firewalld | undefined, bridges: readonly string[]): Check[] {
  if (firewalld === undefined || bridges.length === 0) return [];
  const base = { id: 'firewalld', what: "firewalld's zones of bridges" };
  if (firewalld.unreadable)
    return [
      {
        ...base,
        state: 'warn',
        evidence: 'firewalld runs, and only root can read its zones',
        mend: 'sudo qrun doctor',
      },
    ];
  const places = bridges.map((bridge) => ({ bridge, ...zoneOf(firewalld, bridge) }));
  const closed = places.filter(({ target }) => target !== 'ACCEPT');
  const [first] = closed;
  const told = (first === undefined ? places : closed).map(({ bridge, zone }) => `${bridge} is in ${zone}`).join(', ');
  if (first === undefined) return [{ ...base, state: 'ok', evidence: `${told}, which accepts all`, mend: null }];
  const evidence = `${told}: what guests ask of this host (DHCP, DNS) is refused there unless the zone allows it`;
  return [{ ...base, state: 'warn', evidence, mend: trust(first.bridge) }];
}

function zoneOf({ zones, defaultZone }: Firewalld, bridge: string): { zone: string; target: string } {
  const [zone, fact] = Object.entries(zones).find(([, { interfaces }]) => interfaces.includes(bridge)) ?? [
    defaultZone,
    zones[defaultZone],
  ];
  return { zone: `zone ${zone}`, target: fact?.target ?? 'default' };
}

/** Of a file of a zone: its attribute `target`, its interfaces. */
export function parseZone(xml: string): ZoneFact {
  const text = xml.replaceAll(/<!--[\s\S]*?-->/g, '');
  const target = /<zone\b[^>]*\btarget\s*=\s*["']([^"']*)["']/.exec(text)?.[1] ?? 'default';
  const interfaces = [...text.matchAll(/<interface\b[^>]*\bname\s*=\s*["']([^"']*)["']/g)];
  return { target, interfaces: interfaces.flatMap(([, name]) => (name === undefined ? [] : [name])) };
}

/** A unit that runs has a group of its own in the kernel's tree, under v2 and under v1. */
const unitDirectories = [
  '/sys/fs/cgroup/system.slice/firewalld.service',
  '/sys/fs/cgroup/systemd/system.slice/firewalld.service',
];

function readFirewalld(): Firewalld | undefined {
  if (!unitDirectories.some((directory) => existsSync(directory))) return undefined;
  const zones: Record<string, ZoneFact> = {};
  // the host's own of a name stands for the package's
  const own = listed('/etc/firewalld/zones');
  for (const directory of ['/usr/lib/firewalld/zones', '/etc/firewalld/zones'])
    for (const file of listed(directory) ?? [])
      if (file.endsWith('.xml')) zones[file.slice(0, -'.xml'.length)] = parseZone(textOf(path.join(directory, file)));
  const named = /^DefaultZone=(\S+)/m.exec(textOf('/etc/firewalld/firewalld.conf'))?.[1];
  return { zones, defaultZone: named ?? 'public', unreadable: own === undefined };
}

function listed(directory: string): string[] | undefined {
  try {
    return readdirSync(directory);
  } catch {
    return undefined;
  }
}
