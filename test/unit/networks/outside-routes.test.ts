import { expect, test } from 'vitest';
import { parseDefaults, parseDefaults6 } from '../../../src/host/uplinks.ts';
import { outsideRoutes } from '../../../src/networks/outside-routes.ts';
import { networkOf } from '../network/network-text.ts';

const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const row = (name: string, [destination, mask, flags = '0003']: readonly string[], metric = 0): string =>
  `${name}\t${destination}\t010010AC\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0\n`;

test('default routes: the one that is taken first is first; none that is down, or that says there is no way', () => {
  const text = [
    row('wlan0', ['00000000', '00000000'], 600),
    row('eth0', ['00000000', '00000000'], 100),
    row('eth0', ['00000000', '00000000'], 700),
    row('tun0', ['00000000', '00000080'], 0),
    row('down0', ['00000000', '00000000', '0002']),
    row('br0', ['0000000A', '000000FF', '0001']),
  ];
  expect(parseDefaults(head + text.join(''))).toEqual([
    { family: 4, name: 'eth0' },
    { family: 4, name: 'wlan0' },
  ]);
  const none = '0'.repeat(32);
  const six = (name: string, flags: string, metric: string): string =>
    `${none} 00 ${none} 00 fe8${'0'.repeat(28)}1 ${metric} 00000001 00000000 ${flags} ${name}`;
  expect(
    parseDefaults6(
      [
        six('eth1', '00000003', '00000400'),
        six('eth0', '00000003', '00000064'),
        six('lo', '00200200', 'ffffffff'),
      ].join('\n'),
    ),
  ).toEqual([
    { family: 6, name: 'eth0' },
    { family: 6, name: 'eth1' },
  ]);
  expect([...parseDefaults(''), ...parseDefaults6('')]).toEqual([]);
});

const uplinks = [
  { family: 4, name: 'eth0' },
  { family: 6, name: 'eth1' },
] as const;
const addressOf = ({ family, name }: { family: 4 | 6; name: string }): string | undefined =>
  name === 'eth9' ? undefined : `${family === 4 ? '192.0.2' : '2001:db8:'}.${name}`.replace(':.', '::');
const routesOf = (text: string): string[] =>
  outsideRoutes(networkOf(text, { name: 'lan0', uid: 0 }), { uplinks, addressOf });

test('of route alone, for each of its networks by the way that it is reached by', () => {
  const addresses = 'addresses: [10.10.120.1/24, "fd00:120::1/64"]\n';
  expect(routesOf(`forward: route\n${addresses}`)).toEqual([
    'ip route add 10.10.120.0/24 via 192.0.2.eth0',
    'ip -6 route add fd00:120::/64 via 2001:db8::eth1',
  ]);
  expect(routesOf(`forward: route\nroute: { dev: eth9 }\n${addresses}`)).toEqual([
    'ip route add 10.10.120.0/24 via ADDRESS-OF-THIS-HOST',
    'ip -6 route add fd00:120::/64 via ADDRESS-OF-THIS-HOST',
  ]);
  for (const mode of ['nat', 'open', 'isolated']) expect(routesOf(`forward: ${mode}\n${addresses}`)).toEqual([]);
  // one that follows from the name
  expect(routesOf('forward: route\n')).toEqual([expect.stringMatching(/^ip route add 10\.\d+\.\d+\.0\/24 via /)]);
});
