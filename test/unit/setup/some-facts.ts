import type { SetupFacts, UplinkFact } from '../../../src/setup/facts.ts';
import type { LinkLook } from '../../../src/setup/items/look.ts';

export const someFacts: SetupFacts = {
  helper: {
    file: '/usr/lib/qemu/qemu-bridge-helper',
    found: true,
    rights: 'none',
    conf: '/etc/qemu/bridge.conf',
  },
  conf: { everybodyReads: true },
  routes: [{ cidr: '192.168.1.0/24', interface: 'eth0' }],
  manager: 'systemd',
  watchers: { networkManager: false, networkd: false, udev: true },
  paths: { ip: '/usr/sbin/ip', sysctl: '/usr/sbin/sysctl' },
  missingTools: [],
  modules: { tun: 'loaded', macvtap: 'available', vhost_net: 'absent' },
  pingRange: '1 0',
  machineId: '0123456789abcdef0123456789abcdef',
  macs: '/var/lib/qrun/host/macs',
  recorded: [],
};

export const someLink: LinkLook = {
  name: 'eth1',
  kind: undefined,
  up: true,
  mac: '52:54:00:00:00:07',
  alias: undefined,
  master: undefined,
  addresses: [],
};

export const someUplink: UplinkFact = {
  link: someLink,
  wifi: false,
  onlyWayOut: false,
  up: true,
  addresses: [{ cidr: '192.0.2.7/24' }],
  routes: [{ family: '-4', words: ['default', 'via', '192.0.2.1', 'metric', '100'] }],
  dynamic: false,
  unknownRoutes: [],
  rules: [],
  riders: [],
};
