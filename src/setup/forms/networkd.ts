/** For a host of systemd-networkd's. Files of ours come before those that are there. */
import { ownFile } from '../own-file.ts';
import type { UplinkAddress } from '../items/uplink-look.ts';
import { managedRoutes, metricOf, plainAddresses, specialAddresses, type Form, type FormInput } from './form.ts';

export const networkd: Form = (input) => {
  const { bridge, uplink } = input;
  const reload = [['networkctl', 'reload']];
  const file = (name: string, what: string, lines: readonly string[]) =>
    ownFile({ what, path: `/etc/systemd/network/05-qrun-${name}`, lines, reload });
  return [
    file(`${bridge.name}.netdev`, `${bridge.name} at each start of the host, by systemd-networkd`, [
      ...['[NetDev]', `Name=${bridge.name}`, 'Kind=bridge', `MACAddress=${bridge.mac}`, ''],
      ...['[Bridge]', 'STP=no', 'ForwardDelaySec=0'],
    ]),
    file(`${bridge.name}.network`, `what ${bridge.name} has`, networkLines(input)),
    ...(uplink === undefined
      ? []
      : [
          file(`${uplink.name}.network`, `${uplink.name} is a port of it`, [
            ...['[Match]', `Name=${uplink.name}`, ''],
            ...['[Network]', `Bridge=${bridge.name}`, 'LinkLocalAddressing=no'],
          ]),
        ]),
  ];
};

function networkLines(input: FormInput): string[] {
  const { bridge, uplink } = input;
  const dynamic = uplink?.dynamic === true;
  const metric = metricOf(input);
  return [
    ...['[Match]', `Name=${bridge.name}`, ''],
    // a bridge that has no guest yet would keep the host's start waiting
    ...(uplink === undefined ? ['[Link]', 'RequiredForOnline=no', ''] : []),
    ...['[Network]', 'ConfigureWithoutCarrier=yes', `IPv6AcceptRA=${uplink === undefined ? 'no' : 'yes'}`],
    ...(dynamic ? ['DHCP=yes'] : []),
    ...plainAddresses(input).map((cidr) => `Address=${cidr}`),
    ...(dynamic && metric !== undefined ? ['', '[DHCPv4]', `RouteMetric=${metric}`] : []),
    ...specialAddresses(input).flatMap((address) => addressLines(address, bridge.name)),
    ...managedRoutes(input).flatMap(({ words }) => routeLines(words, bridge.name)),
  ];
}

function addressLines({ cidr, peer, broadcast, label, scope, metric }: UplinkAddress, bridge: string): string[] {
  const rows: readonly (readonly [string, string | number | undefined])[] = [
    ['Address', cidr],
    ['Peer', peer === undefined ? undefined : `${peer}/${cidr.split('/')[1] ?? ''}`],
    ['Broadcast', broadcast],
    ['Label', label === undefined ? undefined : `${bridge}:${label}`],
    ['Scope', scope],
    ['RouteMetric', metric],
  ];
  return ['', '[Address]', ...rows.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))];
}

function routeLines(words: readonly string[], bridge: string): string[] {
  const ways = waysIn(words, bridge);
  const common = ways.length === 0 ? words : words.slice(0, words.indexOf('nexthop'));
  const after = (word: string): string | undefined => {
    const at = common.indexOf(word);
    return at < 0 ? undefined : common[at + 1];
  };
  const [to = ''] = common;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['Destination', to === 'default' && ways.length === 0 ? undefined : to],
    ['Gateway', after('via')],
    ['Metric', after('metric')],
    ['PreferredSource', after('src')],
    ['Table', after('table')],
    ['Scope', after('scope')],
    ['MTUBytes', after('mtu')],
  ];
  const lines = rows.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
  return lines.length === 0
    ? []
    : ['', '[Route]', ...lines, ...(common.includes('onlink') ? ['GatewayOnLink=yes'] : []), ...ways];
}

/** Of a route of several ways. */
const waysIn = (words: readonly string[], bridge: string): string[] =>
  words.flatMap((word, index) => {
    if (word !== 'nexthop') return [];
    const end = words.indexOf('nexthop', index + 1);
    const way = words.slice(index, end < 0 ? words.length : end);
    const after = (key: string): string => (way.includes(key) ? (way[way.indexOf(key) + 1] ?? '') : '');
    const link = after('dev') === '@' ? bridge : after('dev');
    return [`MultiPathRoute=${after('via')}@${link} ${after('weight') || '1'}`];
  });
