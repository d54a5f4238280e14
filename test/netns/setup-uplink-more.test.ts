/** `qrun setup --uplink` on a card that has more than an address and a way out: all of it moves, and comes back; what cannot is refused before. */
import { expect, test } from 'vitest';
import { createSetupHost, type SetupHost } from './a-setup-host.ts';

const uplink = ['--bridge', 'br0', '--uplink', 'eth1'];

/** As network managers and hosters make it. */
const plugged = [
  'ip link add eth1 address 52:54:00:00:00:07 type veth peer name lan1; ip link set lan1 up; ip link set eth1 up',
  'ip link add eth2 type veth peer name lan2; ip link set lan2 up; ip link set eth2 up; ip address add 203.0.113.7/24 dev eth2',
  'ip address add 192.168.7.2/24 brd + dev eth1 noprefixroute',
  'ip route add 192.168.7.0/24 dev eth1 proto kernel scope link src 192.168.7.2 metric 100',
  'ip address add 192.168.8.2/24 brd + dev eth1 label eth1:web metric 77',
  'ip address add 10.1.1.1/32 peer 10.1.1.2 dev eth1',
  'ip address add 10.9.1.1/24 dev eth1 valid_lft 6000 preferred_lft 5000',
  'ip address add 10.8.0.1/24 dev eth1 scope link',
  'ip address add 2001:db8::7/64 dev eth1 nodad metric 50',
  'ip address add 2001:db8:1::7/128 peer 2001:db8:1::8/128 dev eth1 nodad',
  'ip route add 10.67.0.0/16 nexthop via 192.168.7.4 dev eth1 nexthop via 192.168.7.5 dev eth1 weight 3',
  'ip route add 10.68.0.0/16 nexthop via 192.168.7.4 dev eth1 nexthop via 203.0.113.5 dev eth2',
  'ip route add 172.16.0.0/12 via 192.168.7.9 dev eth1 table 100 mtu lock 1400',
  'ip route add 172.30.0.0/16 via 198.51.100.1 dev eth1 onlink tos 0x10',
  'ip route add 172.29.0.0/16 via inet6 fe80::9 dev eth1',
  'ip -6 route add 2001:db8:5::/48 nexthop via 2001:db8::1 dev eth1 nexthop via 2001:db8::2 dev eth1',
  'ip -6 route add 2001:db8:6::/48 via fe80::5 dev eth1 table 100',
  'ip neighbour add 192.168.7.50 lladdr 02:00:00:00:00:50 dev eth1 nud permanent',
  'ip neighbour add 2001:db8::50 lladdr 02:00:00:00:00:51 dev eth1 nud permanent',
  'ip neighbour add proxy 192.168.7.51 dev eth1',
  'ip rule add iif eth1 lookup 100',
];

/** All that `ip` tells, but for seconds that run out, and what the kernel learns by itself. */
function lookOf(host: SetupHost): Readonly<Record<string, readonly string[]>> {
  // until the kernel has looked for duplicates of its own addresses
  host.sh('until ! ip -6 address show tentative | grep -q .; do sleep 0.1; done');
  const rows = (...argv: readonly string[]): string[] =>
    (JSON.parse(host.must('ip', '-j', ...argv) || '[]') as unknown[])
      .map((row) => JSON.stringify(row).replaceAll(/("(?:valid|preferred)_life_time"):\d{4}\b/g, '$1:"some"'))
      .toSorted();
  const addresses = (JSON.parse(host.must('ip', '-j', 'address')) as { ifname: string; addr_info: unknown[] }[]).map(
    ({ ifname, addr_info: all }) =>
      `${ifname} ${all
        .map((one) => JSON.stringify(one).replaceAll(/("(?:valid|preferred)_life_time"):\d{4}\b/g, '$1:"some"'))
        .toSorted()
        .join(' ')}`,
  );
  return {
    addresses,
    ipv4: rows('-4', 'route', 'show', 'table', 'all'),
    ipv6: rows('-6', 'route', 'show', 'table', 'all'),
    neighbours: rows('neighbour', 'show', 'nud', 'permanent'),
    proxies: rows('neighbour', 'show', 'proxy'),
    rules: [host.must('ip', 'rule')],
  };
}

test('flags, peers, labels, metrics, lifetimes, routes of several ways and of all tables, neighbours', async (context) => {
  const host = await createSetupHost(context);
  host.sh(plugged.join('\n'));
  const fresh = lookOf(host);
  const { stderr } = await host.mustSetup(...uplink, '--address', '10.0.5.1/24');
  expect(stderr).toMatch(/^note: a rule of ip rule names eth1.*from all iif eth1 lookup 100/m);
  const routes = host.must('ip', 'route', 'show', 'table', 'all');
  expect(host.must('ip', '-brief', 'address', 'show', 'eth1')).toMatch(/^eth1@\S+ +UP *(fe80\S+)?\s*$/);
  for (const one of [
    '192.168.7.0/24 dev br0 proto kernel scope link src 192.168.7.2 metric 100',
    '192.168.8.0/24 dev br0 proto kernel scope link src 192.168.8.2 metric 77',
    '10.1.1.2 dev br0 proto kernel scope link src 10.1.1.1',
    'nexthop via 192.168.7.5 dev br0 weight 3',
    '172.16.0.0/12 via 192.168.7.9 dev br0 table 100 mtu lock 1400',
    '172.30.0.0/16 tos 0x10 via 198.51.100.1 dev br0 onlink',
  ])
    expect(routes).toContain(one);
  expect(routes.split('\n').filter((line) => / dev eth1 /.test(line) && !/^fe80|table local/.test(line))).toEqual([]);
  expect(host.must('ip', '-6', 'route')).toContain('nexthop via 2001:db8::2 dev br0');
  const addresses = host.must('ip', 'address', 'show', 'br0');
  for (const one of ['noprefixroute', 'br0:web', '10.1.1.1 peer 10.1.1.2/32', 'scope link br0'])
    expect(addresses).toContain(one);
  expect(host.must('ip', 'neighbour', 'show', 'dev', 'br0')).toContain(
    '192.168.7.50 lladdr 02:00:00:00:00:50 PERMANENT',
  );
  const moved = lookOf(host);
  expect((await host.mustSetup(...uplink)).stderr).toContain('all of it is so already');
  const unit = host.must('cat', '/etc/systemd/system/qrun-bridge-br0.service');
  for (const [, may, command = ''] of unit.matchAll(/^ExecStart=(-?)(.*)$/gm))
    host.sh(may === '' ? command : `${command} || true`);
  expect(lookOf(host)).toEqual(moved);
  await host.mustSetup('--undo');
  expect(lookOf(host)).toEqual(fresh);
});

test('what cannot move, and what takes the frames of the card, is told before anything is done', async (context) => {
  const host = await createSetupHost(context);
  host.sh(`${plugged[0]}; ip address add 192.168.7.2/24 dev eth1; ip nexthop add id 5 via 192.168.7.6 dev eth1`);
  host.sh('ip route add 10.77.0.0/16 nhid 5');
  const withRoute = host.look();
  const route = await host.setup(...uplink);
  expect(route).toMatchObject({ status: 3 });
  expect(route.stderr).toContain('cannot make again on a bridge: 10.77.0.0/16 nhid 5 via 192.168.7.6 dev eth1');
  expect(host.look()).toEqual(withRoute);
  const [, mend = ''] = /hint: sudo (ip .*)/.exec(route.stderr) ?? [];
  host.sh(`${mend}; ip link add mv0 link eth1 type macvtap mode passthru; ip link set mv0 alias "qrun web1 v0"`);
  const withRider = host.look();
  const rider = await host.setup(...uplink);
  expect(rider).toMatchObject({ status: 4, stderr: expect.stringContaining('eth1 carries mv0 (qrun web1 v0)') });
  expect(host.look()).toEqual(withRider);
});
