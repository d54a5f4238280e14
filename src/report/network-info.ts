/** One network, for people. */
import type { NetworkForward } from '../network/network-plan.ts';
import type { NetworkInfo } from '../networks/info.ts';
import { renderHost } from '../profile/address.ts';
import type { Styles } from './style.ts';
import { renderTable, type Column } from './table.ts';
import { sinceOf } from './vm.ts';
import { visible } from './visible.ts';

/** `127.0.0.1:8080 → web1:80`, UDP marked, the address behind a name; IPv6 in brackets, as it is typed. */
export function renderForward({
  protocol,
  hostAddress,
  hostPort,
  guest,
  guestAddress,
  guestPort,
}: NetworkForward): string {
  const udp = protocol === 'udp' ? '/udp' : '';
  const address = guest === guestAddress ? '' : ` (${guestAddress})`;
  return `${renderHost(hostAddress)}:${hostPort} → ${renderHost(guest)}:${guestPort}${udp}${address}`;
}

export const forwardRows: readonly Column<NetworkForward>[] = [
  { title: 'HOST', value: ({ hostAddress, hostPort }) => `${renderHost(hostAddress)}:${hostPort}` },
  { title: 'PROTOCOL', value: ({ protocol }) => protocol },
  { title: 'GUEST', value: ({ guest }) => renderHost(guest) },
  { title: 'ADDRESS', value: ({ guestAddress, guestPort }) => `${renderHost(guestAddress)}:${guestPort}` },
];

const isProgram = (part: string, { processes }: NetworkInfo): boolean =>
  part === 'watcher' || processes.some(({ name }) => name === part);

export function renderNetworkInfo(info: NetworkInfo, styles: Styles): string {
  const { members, forwards, notes, missing, mend } = info;
  const heading = { heading: styles.faint };
  const troubles = [
    ...missing.map((part) => `${part} ${isProgram(part, info) ? 'does not run' : 'is gone, or is not as it was'}`),
    ...(mend === null ? [] : [`to mend it: ${mend}`]),
    ...lostOf(info),
  ];
  const sections = [
    `${styles.strong(info.name)}  ${info.state}${info.description === null ? '' : `  ${visible(info.description)}`}\n`,
    section('What is wrong', linesOf(troubles, styles), styles),
    section('Network', renderFacts(info), styles),
    section('VMs on it', members.length === 0 ? '' : renderTable(members, memberRows, heading), styles),
    section('Forwards', forwards.length === 0 ? '' : renderTable(forwards, forwardRows, heading), styles),
    section(
      'Ports for ordinary users',
      info.ports.length === 0 ? '' : renderTable(info.ports, portRows, heading),
      styles,
    ),
    section('Links to other hosts', info.links.length === 0 ? '' : renderTable(info.links, linkRows, heading), styles),
    section('What the router outside must be told', info.routes.map((line) => `${visible(line)}\n`).join(''), styles),
    section('What other firewalls drop', dropsOf(info, styles), styles),
    section('Notes', linesOf(notes, styles), styles),
  ];
  return sections.filter((text) => text !== '').join('\n');
}

const portRows: readonly Column<NetworkInfo['ports'][number]>[] = [
  { title: 'PORT', value: ({ device }) => device },
  { title: 'STATE', value: ({ state }) => state },
  { title: 'VM', value: ({ vm, by }) => by ?? vm ?? undefined },
  { title: 'MAC', value: ({ mac }) => mac },
  { title: 'IP', value: ({ ip }) => ip ?? undefined },
];

const linkRows: readonly Column<NetworkInfo['links'][number]>[] = [
  { title: 'DEVICE', value: ({ device }) => device },
  { title: 'VXLAN', value: ({ id, port }) => `${id}, port ${port}` },
  { title: 'BY', value: ({ dev }) => dev },
  { title: 'MTU', value: ({ mtu }) => `${mtu}` },
  { title: 'PEERS', value: ({ peers }) => peers.join(' ') },
];

const dropsOf = ({ firewall }: NetworkInfo, styles: Styles): string =>
  firewall
    .map(
      ({ chain, drops, mend }) =>
        `${styles.warning('!')} ${visible(chain)} drops ${visible(drops.join(', '))}; what lets it pass:\n    ${visible(mend)}\n`,
    )
    .join('');

/** A switch that guests cannot join again, or an interface that went. */
function lostOf({ members, transport }: NetworkInfo): string[] {
  const vms = [...new Set(members.filter(({ state }) => state === 'lost').map(({ vm }) => vm))];
  if (vms.length === 0) return [];
  const why = transport === 'tap' ? 'what it had of the host has gone' : 'the switch that it was joined with has ended';
  return vms.map((vm) => `${vm} is lost: ${why}; start it anew: qrun stop ${vm}; qrun ${vm} -d`);
}

const memberRows: readonly Column<NetworkInfo['members'][number]>[] = [
  { title: 'VM', value: ({ vm }) => vm },
  { title: 'NIC', value: ({ nic }) => nic },
  { title: 'STATE', value: ({ state }) => state },
  { title: 'MAC', value: ({ mac }) => mac },
  { title: 'IP', value: ({ ip, leased }) => (ip === null || leased ? (ip ?? undefined) : `${ip} (no lease yet)`) },
  { title: 'SINCE', value: ({ since }) => sinceOf(since) },
];

function renderFacts(info: NetworkInfo): string {
  const rows: readonly (readonly [string, string | null])[] = [
    ['definition', info.file],
    ['forward', info.forward],
    ['scope', info.scope],
    ['transport', info.transport],
    ['switch', info.switch],
    ['on', info.bridge === null ? null : `${info.bridge}, MTU ${info.mtu}`],
    ['subnet', info.subnet],
    ['gateway', info.gateway],
    ['addresses', info.addresses.length > 1 ? info.addresses.join(', ') : null],
    ['DHCP', info.dhcp === null ? null : [info.dhcp.server, ...info.dhcp.ranges].join(', ')],
    ['name server', info.dnsServer],
    ['domain', info.domain],
    ['up since', info.startedAt === null ? null : sinceOf(info.startedAt)],
    ['processes', info.processes.map(({ name, pids }) => `${name} ${pids.join(' ') || '-'}`).join(', ') || null],
    ['log', info.log],
    ['autostart', info.autostart ? 'yes' : null],
  ];
  const known = rows.filter((row): row is readonly [string, string] => row[1] !== null);
  const width = Math.max(...known.map(([what]) => what.length));
  return known.map(([what, value]) => `${what.padEnd(width)}  ${visible(value)}\n`).join('');
}

const linesOf = (texts: readonly string[], styles: Styles): string =>
  texts.map((text) => `${styles.warning('!')} ${visible(text)}\n`).join('');

const section = (title: string, text: string, styles: Styles): string =>
  text === '' ? '' : `${styles.heading(title)}\n${text.replace(/^(?=.)/gm, '  ')}`;
