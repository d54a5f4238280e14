/** For a host of NetworkManager's: connections as files that it keeps itself. https://networkmanager.dev/docs/api/latest/nm-settings-keyfile.html */
import { ownFile } from '../own-file.ts';
import { gatewayOf, lastingAddresses, managedRoutes, metricOf, type Form, type FormInput } from './form.ts';

export const networkManager: Form = (input) => {
  const { bridge, uplink } = input;
  const file = (name: string, what: string, lines: readonly string[]) =>
    // it reads none that others can read
    ownFile({
      what,
      path: `/etc/NetworkManager/system-connections/${name}.nmconnection`,
      lines,
      mode: 0o600,
      // it takes over what is made now; when the file was removed there is nothing to be brought up
      reload: [
        ['nmcli', 'connection', 'reload'],
        ['nmcli', '--wait', '10', 'connection', 'up', name],
      ],
    });
  const own = `qrun-${bridge.name}`;
  return [
    file(own, `${bridge.name} at each start of the host, by NetworkManager`, [
      ...['[connection]', `id=${own}`, 'type=bridge', `interface-name=${bridge.name}`, 'autoconnect=true', ''],
      ...['[bridge]', 'stp=false', `mac-address=${bridge.mac}`, ''],
      ...ipLines(input, '-4'),
      '',
      ...ipLines(input, '-6'),
    ]),
    ...(uplink === undefined
      ? []
      : [
          file(`${own}-${uplink.name}`, `${uplink.name} is a port of it`, [
            ...['[connection]', `id=${own}-${uplink.name}`, 'type=ethernet', `interface-name=${uplink.name}`],
            // before the connection that it has now
            ...['autoconnect=true', 'autoconnect-priority=999', `master=${bridge.name}`, 'slave-type=bridge'],
          ]),
        ]),
  ];
};

/** To networks, and by which gateway. */
function otherRoutes(input: FormInput, family: '-4' | '-6'): string[] {
  return managedRoutes(input)
    .filter((one) => one.family === family && !one.words.includes('nexthop'))
    .filter(({ words }) => words[0] !== 'default' || words.includes('table'))
    .flatMap(({ words: [to = '', ...words] }, index) => {
      const [via, metric] = ['via', 'metric'].map((word) =>
        words.includes(word) ? words[words.indexOf(word) + 1] : '',
      );
      const everywhere = family === '-4' ? '0.0.0.0/0' : '::/0';
      const network = to === 'default' ? everywhere : to.includes('/') ? to : `${to}/${family === '-4' ? 32 : 128}`;
      const options = ['table', 'src', 'mtu'].flatMap((key) =>
        words.includes(key) ? [`${key}=${words[words.indexOf(key) + 1] ?? ''}`] : [],
      );
      return [
        `route${index + 1}=${[network, via, metric].join(',').replace(/,+$/, '')}`,
        ...(options.length === 0 ? [] : [`route${index + 1}_options=${options.join(',')}`]),
      ];
    });
}

function ipLines(input: FormInput, family: '-4' | '-6'): string[] {
  const addresses = lastingAddresses(input).filter((cidr) => cidr.includes(':') === (family === '-6'));
  const gateway = gatewayOf(input, family);
  const metric = metricOf(input);
  const heading = family === '-4' ? '[ipv4]' : '[ipv6]';
  const asks = family === '-4' ? input.uplink?.dynamic === true : input.uplink !== undefined && addresses.length === 0;
  const without = family === '-4' ? 'disabled' : 'link-local';
  return [
    heading,
    `method=${asks ? 'auto' : addresses.length === 0 ? without : 'manual'}`,
    ...addresses.map((cidr, index) => `address${index + 1}=${cidr}`),
    ...(gateway === undefined ? [] : [`gateway=${gateway}`]),
    // else that of a bridge: 425, where a card has 100
    ...(family === '-6' || metric === undefined ? [] : [`route-metric=${metric}`]),
    ...otherRoutes(input, family),
  ];
}
