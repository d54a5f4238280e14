/** For a host of systemd-networkd's. Files of ours come before those that are there. */
import { ownFile } from '../own-file.ts';
import { lastingAddresses, lastingRoutes, metricOf, type Form, type FormInput } from './form.ts';

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
    ...lastingAddresses(input).map((cidr) => `Address=${cidr}`),
    ...(dynamic && metric !== undefined ? ['', '[DHCPv4]', `RouteMetric=${metric}`] : []),
    ...lastingRoutes(input).flatMap(({ words }) => routeLines(words)),
  ];
}

function routeLines(words: readonly string[]): string[] {
  const after = (word: string): string | undefined => {
    const at = words.indexOf(word);
    return at < 0 ? undefined : words[at + 1];
  };
  const [to = ''] = words;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['Destination', to === 'default' ? undefined : to],
    ['Gateway', after('via')],
    ['Metric', after('metric')],
    ['PreferredSource', after('src')],
  ];
  const lines = rows.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
  return lines.length === 0
    ? []
    : ['', '[Route]', ...lines, ...(words.includes('onlink') ? ['GatewayOnLink=yes'] : [])];
}
