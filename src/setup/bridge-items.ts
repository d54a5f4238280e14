/** A bridge, and all that follows from it: now, for good, and for the users that the bridge helper lets on it. Pure. */
import { digestOf } from '../digest.ts';
import { confRule, isRuleOf } from './conf-rule.ts';
import type { HostManager, SetupFacts, SetupOptions } from './facts.ts';
import { asksOnBridges, dhcpcdRestart, type UplinkPair } from './dhcpcd-items.ts';
import type { Form, UplinkForm } from './forms/form.ts';
import { ifupdown } from './forms/ifupdown.ts';
import { networkManager } from './forms/network-manager.ts';
import { networkd } from './forms/networkd.ts';
import { oneshot } from './forms/oneshot.ts';
import type { BridgeItem, SetupItem } from './item.ts';
import { parseBefore } from './items/uplink.ts';

/** What was asked for, together with what earlier setups made of the same bridge. */
export interface WholeBridge {
  readonly item: BridgeItem;
  /** It is somebody else's: setup does not make it, and does not keep it. */
  readonly foreign: boolean;
  readonly addresses: readonly string[];
  readonly uplink?: UplinkForm;
}

export function completeBridge(options: SetupOptions, facts: SetupFacts): WholeBridge | undefined {
  const { bridge: name, address } = options;
  if (name === undefined) return undefined;
  const uplink = uplinkOf(name, options, facts);
  const earlier = facts.recorded.flatMap(({ item }) => (item.kind === 'bridge' && item.name === name ? [item] : []))[0];
  const had = facts.recorded.flatMap(({ item }) => (item.kind === 'address' && item.link === name ? [item.cidr] : []));
  const mac = earlier?.mac ?? facts.uplink?.link?.mac ?? macOf(`${facts.machineId} ${name}`);
  return {
    item: bridgeItem({ name, mac, acceptRa: uplink !== undefined, manager: facts.manager }),
    foreign: facts.bridge !== undefined && earlier === undefined,
    addresses: [...new Set([...had, ...(address === undefined ? [] : [address])])],
    ...(uplink !== undefined && { uplink }),
  };
}

type Made = Pick<BridgeItem, 'name' | 'mac' | 'acceptRa'> & { readonly manager: HostManager };

const bridgeItem = ({ name, mac, acceptRa, manager }: Made): BridgeItem => ({
  kind: 'bridge',
  what: `bridge ${name}`,
  ...{ name, mac, acceptRa },
  ...((manager === 'network-manager' || manager === 'networkd') && { managed: true }),
});

function uplinkOf(bridge: string, options: SetupOptions, { recorded, uplink }: SetupFacts): UplinkForm | undefined {
  const entry = recorded.find(({ item }) => item.kind === 'uplink' && item.bridge === bridge);
  if (entry?.item.kind === 'uplink') {
    return { name: entry.item.link, ...parseBefore(entry.before) };
  }
  if (options.uplink === undefined || uplink === undefined) return undefined;
  const { up, addresses, routes, neighbours = [], dynamic } = uplink;
  return { name: options.uplink, up, addresses, routes, neighbours, dynamic };
}

/** Locally administered, the same each time on this host. */
function macOf(text: string): string {
  const digits = digestOf(text).slice(0, 10);
  return ['02', ...(digits.match(/../g) ?? [])].join(':');
}

/** Bridges that network managers must leave alone: those that they do not make themselves. */
export function keptBySetup({ recorded, manager }: SetupFacts, now: WholeBridge | undefined): string[] {
  if (manager === 'network-manager' || manager === 'networkd') return [];
  const names = recorded.flatMap(({ item }) => (item.kind === 'bridge' ? [item.name] : []));
  return [...new Set([...names, ...(now === undefined || now.foreign ? [] : [now.item.name])])];
}

/** Which network card is a port of which bridge, by this setup or an earlier one. */
export function uplinksOf({ recorded }: SetupFacts, now: WholeBridge | undefined): UplinkPair[] {
  const earlier = recorded.flatMap(({ item, before, state }): UplinkPair[] =>
    item.kind === 'uplink'
      ? [{ link: item.link, bridge: item.bridge, had: parseBefore(before), isNew: state === 'begun' }]
      : [],
  );
  if (now?.uplink === undefined || earlier.some(({ bridge }) => bridge === now.item.name)) return earlier;
  return [...earlier, { link: now.uplink.name, bridge: now.item.name, had: now.uplink, isNew: true }];
}

const forms: Readonly<Record<HostManager, Form>> = {
  'network-manager': networkManager,
  networkd,
  ifupdown,
  systemd: oneshot,
  none: () => [],
};

interface Items {
  readonly items: readonly SetupItem[];
  /** Of earlier setups: taken back first. */
  readonly replaced: readonly SetupItem[];
  readonly notes: readonly string[];
}

export function bridgeItems(whole: WholeBridge, facts: SetupFacts, group: string | undefined): Items {
  const { item, foreign, addresses, uplink } = whole;
  const { name } = item;
  const link: SetupItem[] = foreign ? [{ kind: 'up', what: `bridge ${name} is up`, link: name }] : [item];
  const lasting = foreign
    ? []
    : forms[facts.manager]({ bridge: item, addresses, paths: facts.paths, ...(uplink !== undefined && { uplink }) });
  return {
    items: [
      ...link,
      ...addresses.map((cidr): SetupItem => ({
        kind: 'address',
        what: `the host is ${cidr} on ${name}`,
        link: name,
        cidr,
      })),
      ...(uplink === undefined ? [] : [uplinkItem(uplink.name, name, facts)]),
      ...lasting,
      ...accessItems(name, facts, group),
    ],
    replaced: replacedItems(name, group, facts),
    notes: [...notesOf(whole, facts), ...readerNotes(name, group, facts)],
  };
}

const uplinkItem = (link: string, bridge: string, { watchers }: SetupFacts): SetupItem => ({
  kind: 'uplink',
  what: `${link} is a port of ${bridge}, which has its addresses and routes`,
  ...{ link, bridge },
  ...(watchers.dhcpcdRuns === true && { reload: dhcpcdRestart }),
});

function accessItems(name: string, facts: SetupFacts, group: string | undefined): SetupItem[] {
  const { helper } = facts;
  const { rule, included, mode } = confRule(name, group, facts);
  const capable: SetupItem[] =
    helper.rights === 'setuid'
      ? []
      : [{ kind: 'capability', what: 'the bridge helper may make taps', file: helper.file }];
  return [
    ...(included === undefined ? [] : [included.file]),
    {
      kind: 'line',
      what: `the bridge helper lets ${group === undefined ? 'users' : `the group ${group}`} on ${name}`,
      path: helper.conf,
      line: rule,
      mode,
      ...(mode === 0o640 && group !== undefined && { group }),
    },
    ...capable,
  ];
}

/** What let others on the bridge; and QEMU of root's is in no group that no bridge is for any more. */
function replacedItems(name: string, group: string | undefined, facts: SetupFacts): SetupItem[] {
  const { recorded, helper } = facts;
  const { replaced } = confRule(name, group, facts);
  const groupsOf = (own: boolean): string[] =>
    recorded.flatMap(({ item }) =>
      (item.kind === 'file' || item.kind === 'line') && isRuleOf(item, name, helper.conf) === own
        ? (item.group ?? [])
        : [],
    );
  const left = groupsOf(true).filter((one) => one !== group && !groupsOf(false).includes(one));
  const members = recorded.flatMap(({ item }) => (item.kind === 'member' && left.includes(item.group) ? [item] : []));
  return [...(replaced === undefined ? [] : [replaced]), ...members];
}

/** Of the file as it will be. */
function readerNotes(name: string, group: string | undefined, facts: SetupFacts): string[] {
  const { onlyGroup } = confRule(name, group, facts).conf;
  return onlyGroup === undefined || onlyGroup === group
    ? []
    : [`the group ${onlyGroup} alone may read ${facts.helper.conf}: others are not let on any bridge`];
}

function notesOf({ item: { name }, foreign, addresses, uplink }: WholeBridge, facts: SetupFacts): string[] {
  const notes: string[] = [];
  if (foreign) {
    const also = addresses.length === 0 && uplink === undefined ? '' : ', and its addresses and ports';
    notes.push(`${name} was there before: who made it makes it again at the next start of the host${also}`);
  } else if (facts.manager === 'none')
    notes.push(`nobody makes ${name} again at the next start of the host: there is no systemd; sudo qrun setup does`);
  if (uplink !== undefined && facts.manager === 'ifupdown')
    notes.push(`/etc/network/interfaces: change "iface ${uplink.name} inet …" to "iface ${uplink.name} inet manual"`);
  const odd = (uplink?.routes ?? []).some(({ words }) => words.includes('nexthop'));
  if (facts.manager === 'network-manager' && (odd || uplink?.addresses.some(({ peer }) => peer !== undefined) === true))
    notes.push(
      `NetworkManager's files have no word for an address with a peer, nor for a route of several ways: at the next start of the host ${name} lacks those of ${uplink?.name}`,
    );
  for (const rule of facts.uplink?.rules ?? [])
    notes.push(`a rule of ip rule names ${uplink?.name}, which has no traffic of its own any more: ${rule}`);
  const asks = facts.manager === 'network-manager' || facts.manager === 'networkd' || asksOnBridges(facts);
  if (uplink?.dynamic === true && !asks)
    notes.push(`${uplink.name} has its address by DHCP: let your DHCP client ask on ${name} from now on`);
  return notes;
}
