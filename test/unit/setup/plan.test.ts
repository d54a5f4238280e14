import { describe, expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import type { SetupFacts, SetupOptions } from '../../../src/setup/facts.ts';
import { idOf, type SetupItem } from '../../../src/setup/item.ts';
import { planSetup, sudoLine } from '../../../src/setup/plan.ts';
import { someFacts, someLink, someUplink } from './some-facts.ts';

const plan = (options: Partial<SetupOptions>, facts: Partial<SetupFacts> = {}) =>
  planSetup({ yes: false, ...options }, { ...someFacts, ...facts });

const ids = (options: Partial<SetupOptions>, facts: Partial<SetupFacts> = {}): string[] =>
  plan(options, facts).items.map(idOf);

function file(path: string, items: readonly SetupItem[]): string {
  const found = items.find((item) => item.kind === 'file' && item.path === path);
  return found?.kind === 'file' ? found.content.split('\n').slice(1).join('\n') : `no ${path}`;
}

function refusal(options: Partial<SetupOptions>, facts: Partial<SetupFacts> = {}) {
  try {
    plan(options, facts);
    return undefined;
  } catch (error) {
    if (error instanceof QrunError) return { status: error.status, message: error.message, hint: error.hint };
    throw error;
  }
}

describe('without --bridge', () => {
  test('all that no network needs a name for', () => {
    expect(ids({ group: 'qemusers' })).toEqual([
      'directory:/var/lib/qrun/host/macs',
      'group:qemusers',
      'account:qrun',
      'member:qemusers:qrun',
      'module:macvtap',
      'file:/etc/modules-load.d/qrun.conf',
      'sysctl:net.ipv4.ping_group_range',
      'file:/etc/sysctl.d/60-qrun.conf',
      'file:/etc/udev/rules.d/60-qrun.rules',
      'file:/etc/systemd/network/05-qrun.link',
    ]);
  });

  test('a distribution that lets everybody ping is left alone', () => {
    expect(ids({}, { pingRange: '0 2147483647' }).join()).not.toContain('ping');
  });

  test("the udev rules name qrun's own alone", () => {
    const lines = file('/etc/udev/rules.d/60-qrun.rules', plan({}).items).split('\n');
    const acting = lines.filter((one) => /(MODE|OWNER|GROUP|ENV\{\w+\})="/.test(one));
    expect(acting.length).toBeGreaterThan(1);
    expect(acting.filter((one) => !/KERNELS?=="qr-\*"/.test(one))).toEqual([]);
  });

  test('whoever else takes interfaces is told to leave them', () => {
    const watchers = { networkManager: true, networkd: true, dhcpcd: '/etc/dhcpcd.conf', udev: false };
    const { items } = plan({ bridge: 'br0' }, { watchers, manager: 'systemd' });
    expect(file('/etc/NetworkManager/conf.d/90-qrun.conf', items)).toBe(
      '[device-qrun]\nmatch-device=interface-name:qr-*;interface-name:br0\nmanaged=0\n',
    );
    expect(file('/etc/systemd/network/06-qrun.network', items)).toBe(
      '[Match]\nName=qr-* br0\n\n[Link]\nUnmanaged=yes\n',
    );
    expect(items).toContainEqual(
      expect.objectContaining({
        kind: 'line',
        path: '/etc/dhcpcd.conf',
        line: 'denyinterfaces qr-* br0',
        above: ['interface', 'ssid', 'profile'],
      }),
    );
  });

  test('but not to leave a bridge that they make', () => {
    const watchers = { networkManager: true, networkd: false, udev: false };
    const { items } = plan({ bridge: 'br0' }, { watchers, manager: 'network-manager' });
    expect(file('/etc/NetworkManager/conf.d/90-qrun.conf', items)).not.toContain('br0');
  });
});

describe('a bridge', () => {
  const options = { bridge: 'br0', address: '10.0.5.1/24' };

  test('rights come last: nobody gets on a bridge that is half there', () => {
    expect(ids(options).slice(-6)).toEqual([
      'bridge:br0',
      'address:br0:10.0.5.1/24',
      'file:/etc/systemd/system/qrun-bridge-br0.service',
      'unit:qrun-bridge-br0.service',
      'line:/etc/qemu/bridge.conf:allow br0',
      'capability:/usr/lib/qemu/qemu-bridge-helper',
    ]);
  });

  test('its MAC is its own: local, one a host and a name', () => {
    const macOf = (bridge: string, machineId: string) =>
      plan({ bridge }, { machineId }).items.flatMap((item) => (item.kind === 'bridge' ? [item.mac] : []))[0];
    expect(macOf('br0', 'a')).toMatch(/^02(:[0-9a-f]{2}){5}$/);
    expect(macOf('br0', 'a')).toBe(macOf('br0', 'a'));
    expect(new Set([macOf('br0', 'a'), macOf('br1', 'a'), macOf('br0', 'b')]).size).toBe(3);
  });

  test('a later setup keeps what an earlier one made', () => {
    const { items } = plan(options);
    const recorded = items.map((item) => ({ item, before: {}, state: 'done' }) as const);
    const mac = items.find((item) => item.kind === 'bridge')?.mac;
    const bridge = { ...someLink, name: 'br0', kind: 'bridge', mac, alias: 'qrun setup' };
    const pingRange = '0 2147483647';
    expect(plan({ bridge: 'br0' }, { recorded, bridge, pingRange }).items).toEqual(items);
  });

  test('systemd-networkd', () => {
    const { items } = plan(options, { manager: 'networkd' });
    expect(file('/etc/systemd/network/05-qrun-br0.netdev', items)).toMatch(
      /^\[NetDev\]\nName=br0\nKind=bridge\nMACAddress=02:/,
    );
    expect(file('/etc/systemd/network/05-qrun-br0.network', items)).toBe(
      [
        ...['[Match]', 'Name=br0', '', '[Link]', 'RequiredForOnline=no', ''],
        ...['[Network]', 'ConfigureWithoutCarrier=yes', 'IPv6AcceptRA=no', 'Address=10.0.5.1/24', ''],
      ].join('\n'),
    );
  });

  test('NetworkManager, in a file that only root reads', () => {
    const { items } = plan(options, { manager: 'network-manager' });
    const path = '/etc/NetworkManager/system-connections/qrun-br0.nmconnection';
    expect(items.find((item) => item.kind === 'file' && item.path === path)).toMatchObject({ mode: 0o600 });
    expect(file(path, items)).toMatch(
      /type=bridge\ninterface-name=br0[\s\S]*\[ipv4\]\nmethod=manual\naddress1=10.0.5.1\/24\n\n\[ipv6\]\nmethod=link-local\n$/,
    );
  });

  test('ifupdown', () => {
    const { items } = plan(options, { manager: 'ifupdown' });
    expect(file('/etc/network/interfaces.d/qrun-br0', items)).toMatch(
      /^auto br0\niface br0 inet manual\n {4}pre-up ip link add [\s\S]* \|\| true\n[\s\S]*iface br0 inet static\n {4}address 10.0.5.1\/24\n$/,
    );
  });

  test('nobody to keep it: it is said', () => {
    expect(plan(options, { manager: 'none' }).notes.join()).toContain('nobody makes br0 again');
  });
});

describe('an uplink', () => {
  const options = { bridge: 'br0', uplink: 'eth1' };
  const made = (facts: Partial<SetupFacts> = {}) => plan(options, { uplink: someUplink, ...facts }).items;

  test('the bridge has its MAC, and is kept with its addresses and routes', () => {
    expect(made()).toContainEqual(
      expect.objectContaining({ kind: 'bridge', mac: '52:54:00:00:00:07', acceptRa: true }),
    );
    const unit = file('/etc/systemd/system/qrun-bridge-br0.service', made());
    expect(unit).toContain('After=network-pre.target sys-subsystem-net-devices-eth1.device');
    expect(unit).toContain('ip link set dev eth1 master br0');
    expect(unit).toContain('ip address replace 192.0.2.7/24 dev br0');
    expect(unit).toContain('ip -4 route append default via 192.0.2.1 metric 100 dev br0');
  });

  test('systemd-networkd', () => {
    expect(file('/etc/systemd/network/05-qrun-eth1.network', made({ manager: 'networkd' }))).toContain('Bridge=br0');
    expect(file('/etc/systemd/network/05-qrun-br0.network', made({ manager: 'networkd' }))).toContain(
      'Address=192.0.2.7/24\n\n[Route]\nGateway=192.0.2.1\nMetric=100\n',
    );
  });

  test('more than an address and a way out: each form has the words for it, or it is said', () => {
    const uplink = {
      ...someUplink,
      addresses: [{ cidr: '192.0.2.7/24' }, { cidr: '10.1.1.1/32', peer: '10.1.1.2', label: 'x' }],
      routes: [
        {
          family: '-4',
          words: '10.67.0.0/16 nexthop via 192.0.2.4 dev @ weight 1 nexthop via 198.51.100.5 dev eth2 weight 3'.split(
            ' ',
          ),
        },
        { family: '-4', words: '172.16.0.0/12 via 192.0.2.9 table 100 src 192.0.2.7'.split(' ') },
      ],
      neighbours: [{ address: '192.0.2.50', mac: '02:00:00:00:00:50' }],
    } as const;
    const network = file('/etc/systemd/network/05-qrun-br0.network', made({ manager: 'networkd', uplink }));
    expect(network).toContain('[Address]\nAddress=10.1.1.1/32\nPeer=10.1.1.2/32\nLabel=br0:x\n');
    expect(network).toContain(
      'Destination=10.67.0.0/16\nMultiPathRoute=192.0.2.4@br0 1\nMultiPathRoute=198.51.100.5@eth2 3\n',
    );
    expect(network).toContain('Gateway=192.0.2.9\nPreferredSource=192.0.2.7\nTable=100\n');
    const unit = file('/etc/systemd/system/qrun-bridge-br0.service', made({ uplink }));
    expect(unit).toContain('ip address replace 10.1.1.1 peer 10.1.1.2/32 dev br0 label br0:x\n');
    expect(unit).toContain(
      'route append 10.67.0.0/16 nexthop via 192.0.2.4 dev br0 weight 1 nexthop via 198.51.100.5 dev eth2',
    );
    expect(unit).toContain('ip neighbour replace 192.0.2.50 lladdr 02:00:00:00:00:50 nud permanent dev br0\n');
    const ifupdown = file('/etc/network/interfaces.d/qrun-br0', made({ manager: 'ifupdown', uplink }));
    expect(ifupdown).toMatch(/^ {4}up ip address replace 10.1.1.1 peer 10.1.1.2\/32 dev br0 label br0:x$/m);
    expect(ifupdown).toMatch(/^ {4}address 192.0.2.7\/24$/m);
    const { items, notes } = plan(options, { uplink, manager: 'network-manager' });
    expect(file('/etc/NetworkManager/system-connections/qrun-br0.nmconnection', items)).toContain(
      'route1=172.16.0.0/12,192.0.2.9\nroute1_options=table=100,src=192.0.2.7\n',
    );
    expect(notes.join()).toContain('no word for an address with a peer');
  });

  test('an address of DHCP is asked for again, on the bridge', () => {
    const uplink = { ...someUplink, dynamic: true };
    const network = file('/etc/systemd/network/05-qrun-br0.network', made({ manager: 'networkd', uplink }));
    expect(network).toContain('DHCP=yes');
    expect(network).not.toContain('192.0.2.7');
  });

  test.for([
    ['ifupdown', '/etc/network/interfaces.d/qrun-br0', 'iface br0 inet dhcp\n    metric 100\n'],
    ['networkd', '/etc/systemd/network/05-qrun-br0.network', '[DHCPv4]\nRouteMetric=100\n'],
    [
      'network-manager',
      '/etc/NetworkManager/system-connections/qrun-br0.nmconnection',
      'method=auto\nroute-metric=100\n',
    ],
  ] as const)('the way out by it is preferred to others as it was (%s)', ([manager, path, lines]) => {
    expect(file(path, made({ manager, uplink: { ...someUplink, dynamic: true } }))).toContain(lines);
  });

  test.for([
    [{ onlyWayOut: true }, 2, 'only way out'],
    [{ wifi: true }, 3, 'Wi-Fi'],
    [{ link: { ...someLink, master: 'br9' } }, 4, 'a port of br9 already'],
    [{ link: { ...someLink, kind: 'bridge' } }, 2, 'is a bridge itself'],
    [{ riders: ['qr-1 (qrun web1)'] }, 4, 'carries qr-1 (qrun web1)'],
    [{ unknownRoutes: ['10.0.0.0/8 nhid 5 dev eth1'] }, 3, 'cannot make again on a bridge: 10.0.0.0/8 nhid 5'],
  ] as const)('%j is refused', ([change, status, said]) => {
    const found = refusal(options, { uplink: { ...someUplink, ...change } });
    expect(found).toMatchObject({ status, message: expect.stringContaining(said) });
  });

  describe('of a card with DHCP, where dhcpcd', () => {
    const uplink = { ...someUplink, dynamic: true };
    const silent = { networkManager: false, networkd: false, dhcpcd: '/etc/dhcpcd.conf', udev: false };
    const watchers = { ...silent, dhcpcdRuns: true };
    const restart = [['systemctl', 'try-restart', 'dhcpcd.service']];
    const linesIn = (items: readonly SetupItem[]) =>
      items.flatMap((item) => (item.kind === 'line' && item.path === '/etc/dhcpcd.conf' ? [item] : []));

    test('runs: it asks on the bridge, as preferred as before, and on the card no more', () => {
      const { items, notes } = plan(options, { uplink, watchers });
      expect(linesIn(items).map(({ line }) => line)).toEqual(['denyinterfaces qr-* eth1', 'interface br0\nmetric 100']);
      expect(notes).toEqual([]);
    });

    test('runs: it starts again when the card has been moved, and not before; and at the end of the way back', () => {
      const { items } = plan(options, { uplink, watchers });
      expect(items.find(({ kind }) => kind === 'uplink')).toMatchObject({ reload: restart });
      expect(linesIn(items).map(({ reload }) => reload)).toEqual([{ undone: restart }, undefined]);
      // nothing moves: at once
      const [line] = linesIn(plan({ bridge: 'br0' }, { watchers }).items);
      expect(line?.reload).toEqual({ made: restart, undone: restart });
    });

    test('runs, once more: the same', () => {
      const first = plan(options, { uplink, watchers }).items;
      const recorded = first.map((item) => {
        const before = item.kind === 'uplink' ? { ...uplink } : {};
        return { item, before, state: 'done' as const };
      });
      const again = plan(options, { uplink: { ...uplink, addresses: [], dynamic: false }, watchers, recorded }).items;
      expect(linesIn(again).map(({ line }) => line)).toEqual(linesIn(first).map(({ line }) => line));
    });

    test('runs beside who makes the interfaces: that one asks', () => {
      const { items } = plan(options, { uplink, watchers, manager: 'ifupdown' });
      expect(linesIn(items).map(({ line }) => line)).toEqual(['denyinterfaces qr-* eth1']);
    });

    test('runs, of a card with an address of its own: the bridge has it without being asked', () => {
      const { items } = plan(options, { uplink: someUplink, watchers });
      expect(linesIn(items).map(({ line }) => line)).toEqual(['denyinterfaces qr-* eth1']);
    });

    test('has a file and does not run: somebody must tell whoever does', () => {
      const { items, notes } = plan(options, { uplink, watchers: silent });
      expect(linesIn(items)).toMatchObject([{ line: 'denyinterfaces qr-* eth1' }]);
      expect(items.find(({ kind }) => kind === 'uplink')).not.toHaveProperty('reload');
      expect(notes.join()).toContain('let your DHCP client ask on br0');
      expect(plan(options, { uplink }).notes).toEqual(notes);
    });
  });

  test('--yes takes even the only way out', () => {
    const uplink = { ...someUplink, onlyWayOut: true };
    expect(ids({ ...options, yes: true }, { uplink })).toContain('uplink:eth1');
  });
});

describe('what is refused before anything is done', () => {
  test.for([
    [{ uplink: 'eth1' }, {}, 2, '--uplink is for a bridge'],
    [{ address: '10.0.5.1/24' }, {}, 2, "the host's on a bridge"],
    [{ bridge: 'br%d' }, {}, 2, '--bridge'],
    [{ bridge: 'br0 x' }, {}, 2, '--bridge'],
    [{ bridge: '-x' }, {}, 2, '--bridge'],
    [{ bridge: 'br$a' }, {}, 2, '--bridge'],
    [{ bridge: 'lo' }, {}, 2, 'means something else'],
    [{ bridge: 'qr-1' }, {}, 2, 'qr-'],
    [{ bridge: 'br0', uplink: 'br0' }, {}, 2, 'port of itself'],
    [{ group: 'a:b' }, {}, 2, '--group'],
    [{ bridge: 'br0', address: '10.0.5.1' }, {}, 2, 'with its length'],
    [{ bridge: 'br0', address: '10.0.5.0/24' }, {}, 2, 'that is the network'],
    [{ bridge: 'br0', address: '10.0.5.255/24' }, {}, 2, 'broadcast'],
    [{ bridge: 'br0', address: '1.2.3.4/0' }, {}, 2, 'whole of the Internet'],
    [{ bridge: 'br0', address: '0.0.0.1/8' }, {}, 2, 'this network'],
    [{ bridge: 'br0', address: '127.0.0.1/8' }, {}, 2, 'loopback'],
    [{ bridge: 'br0', address: '169.254.1.1/16' }, {}, 2, '169.254.0.0/16'],
    [{ bridge: 'br0', address: '224.0.0.1/24' }, {}, 2, 'multicast'],
    [{ bridge: 'br0', address: '240.0.0.1/8' }, {}, 2, 'reserved'],
    [{ bridge: 'br0', address: '255.255.255.1/24' }, {}, 2, 'reserved'],
    [{ bridge: 'br0', address: '::1/64' }, {}, 2, 'loopback'],
    [{ bridge: 'br0', address: '::ffff:10.0.0.1/120' }, {}, 2, 'dress of IPv6'],
    [{ bridge: 'br0', address: 'fe80::1/64' }, {}, 2, 'gives itself'],
    [{ bridge: 'br0', address: 'ff02::1/64' }, {}, 2, 'multicast'],
    [{ bridge: 'br0', address: '192.168.1.7/16' }, {}, 4, 'reaches 192.168.1.0/24 by eth0'],
    [{ bridge: 'br0' }, { missingTools: ['setcap'] }, 3, 'setcap was not found'],
    [{ bridge: 'br0' }, { helper: { ...someFacts.helper, found: false } }, 3, 'no bridge helper'],
    [{ bridge: 'br0' }, { helper: { ...someFacts.helper, rights: 'nosuid' } }, 3, 'nosuid'],
    [{ bridge: 'br0' }, { bridge: { ...someLink, name: 'br0' } }, 4, 'no bridge'],
    [{ bridge: 'br0' }, { conf: { everybodyReads: true, text: 'deny all\n' } }, 3, 'bridge.conf:1 denies br0'],
    [{ bridge: 'br0' }, { conf: { everybodyReads: true, fault: { message: 'linked', hint: 'ls' } } }, 3, 'linked'],
    [{ bridge: 'br0', uplink: 'eth9' }, { uplink: { ...someUplink, link: undefined } }, 3, 'no interface eth9'],
  ] as unknown as readonly [Partial<SetupOptions>, Partial<SetupFacts>, number, string][])(
    '%j %j',
    ([options, facts, status, said]) => {
      expect(refusal(options, facts)).toMatchObject({ status, message: expect.stringContaining(said) });
    },
  );

  test('the package that lacks is named', () => {
    expect(refusal({ bridge: 'br0' }, { missingTools: ['setcap', 'getcap'] })?.hint).toContain('libcap2-bin');
  });
});

test('the line with sudo is the one that was given', () => {
  expect(sudoLine({ bridge: 'br0', uplink: 'eth1', address: '10.0.5.1/24', group: 'g', yes: true, undo: false })).toBe(
    'sudo qrun setup --bridge br0 --uplink eth1 --address 10.0.5.1/24 --group g --yes',
  );
});
