/** The hosts that `qrun setup` is tried on: who makes their interfaces, and what they have. The two cards, by the names that udev gives them. */
export const out = 'enp0s16';
export const lan = 'enp0s17';

/** Of the LAN: QEMU is its router and DHCP server, and answers pings. */
export const router = '192.168.77.2';
const fixed = '192.168.77.50/24';

const interfaces = (method, extra = '') =>
  [
    'source /etc/network/interfaces.d/*',
    'auto lo',
    'iface lo inet loopback',
    ...['', `auto ${out}`, `iface ${out} inet dhcp`],
    ...['', `auto ${lan}`, `iface ${lan} inet ${method}`, extra, ''],
  ].join('\n');

const network = (name, ...lines) => `[Match]\nName=${name}\n\n[Network]\n${lines.join('\n')}\n`;
const connection = (name, ...ipv4) =>
  `[connection]\nid=${name}\ntype=ethernet\ninterface-name=${name}\n\n[ipv4]\n${ipv4.join('\n')}\n\n[ipv6]\nmethod=auto\n`;

const networkdFiles = (...lines) => ({
  'etc/systemd/network/20-out.network': network(out, 'DHCP=yes'),
  'etc/systemd/network/20-lan.network': network(lan, ...lines),
});
const managerFiles = (...ipv4) => ({
  'etc/NetworkManager/system-connections/out.nmconnection': connection(out, 'method=auto', 'route-metric=50'),
  'etc/NetworkManager/system-connections/lan.nmconnection': connection(lan, ...ipv4),
});
const twoWays = ['method=manual', `address1=${fixed},${router}`];

/**
 * `by`: what must show in the dry run. `uplink`: the LAN's card becomes a port; `begin` makes it ready where nobody does. `mend`: what setup says
 * that a person must do before the next boot; `unmend` after `--undo`. `asksAll`: a DHCP client asks on every card. `packages`: more of them.
 * `starts`: it is about what starts with the host (autostart.mjs), and not about setup.
 * @type {Readonly<Record<string, {by: string, packages?: readonly string[], starts?: boolean, enable?: readonly string[], files?: Record<string, string>, uplink?: 'static' | 'dhcp', begin?: string, mend?: string, unmend?: string, asksAll?: boolean}>>}
 */
export const scenarios = {
  systemd: { by: 'qrun-bridge-br0.service' },
  'systemd-uplink': {
    by: 'qrun-bridge-br0.service',
    uplink: 'static',
    begin: `ip link set ${lan} up; ip address replace ${fixed} dev ${lan}; ip route replace default via ${router} metric 300`,
  },
  ifupdown: {
    by: '/etc/network/interfaces.d/qrun-br0',
    enable: ['networking'],
    files: { 'etc/network/interfaces': interfaces('manual', `    up ip link set ${lan} up`) },
  },
  'ifupdown-dhcp': {
    by: '/etc/network/interfaces.d/qrun-br0',
    enable: ['networking'],
    files: { 'etc/network/interfaces': interfaces('dhcp', '    metric 300') },
    uplink: 'dhcp',
    mend: `sed -i 's/^iface ${lan} inet dhcp/iface ${lan} inet manual/' /etc/network/interfaces`,
    unmend: `sed -i 's/^iface ${lan} inet manual/iface ${lan} inet dhcp/' /etc/network/interfaces`,
  },
  'ifupdown-static': {
    by: '/etc/network/interfaces.d/qrun-br0',
    enable: ['networking'],
    files: {
      'etc/network/interfaces': interfaces('static', `    address ${fixed}\n    gateway ${router}\n    metric 300`),
    },
    uplink: 'static',
    mend: `sed -i 's/^iface ${lan} inet static/iface ${lan} inet manual/; /^    [agm]/s/^/#/' /etc/network/interfaces`,
    unmend: `sed -i 's/^iface ${lan} inet manual/iface ${lan} inet static/; s/^#    /    /' /etc/network/interfaces`,
  },
  networkd: {
    by: '/etc/systemd/network/05-qrun-br0.netdev',
    enable: ['systemd-networkd'],
    files: networkdFiles('LinkLocalAddressing=no', 'ConfigureWithoutCarrier=yes'),
  },
  'networkd-dhcp': {
    by: '/etc/systemd/network/05-qrun-br0.netdev',
    enable: ['systemd-networkd'],
    files: networkdFiles('DHCP=yes'),
    uplink: 'dhcp',
  },
  'networkd-static': {
    by: '/etc/systemd/network/05-qrun-br0.netdev',
    enable: ['systemd-networkd'],
    files: networkdFiles(`Address=${fixed}`, '', '[Route]', `Gateway=${router}`, 'Metric=300'),
    uplink: 'static',
  },
  'network-manager': {
    by: '/etc/NetworkManager/system-connections/qrun-br0.nmconnection',
    enable: ['NetworkManager'],
    files: managerFiles('method=disabled'),
  },
  'network-manager-dhcp': {
    by: '/etc/NetworkManager/system-connections/qrun-br0.nmconnection',
    enable: ['NetworkManager'],
    files: managerFiles('method=auto'),
    uplink: 'dhcp',
  },
  'network-manager-static': {
    by: '/etc/NetworkManager/system-connections/qrun-br0.nmconnection',
    enable: ['NetworkManager'],
    files: managerFiles(...twoWays),
    uplink: 'static',
  },
  autostart: { by: 'qrun-bridge-br0.service', packages: ['libpam-systemd', 'dnsmasq-base'], starts: true },
  dhcpcd: { by: 'qrun-bridge-br0.service', enable: ['dhcpcd'], asksAll: true },
  'dhcpcd-uplink': { by: 'qrun-bridge-br0.service', enable: ['dhcpcd'], uplink: 'dhcp', asksAll: true },
};
