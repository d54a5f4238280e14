import { expect, test } from 'vitest';
import { hasDefaultRoute, hasLoopbackDns, readPasst } from '../../../src/host/passt.ts';
import { createSystem } from '../../../src/system/real.ts';
import type { System } from '../../../src/system/system.ts';

const system = (
  help: Partial<{ stdout: string; stderr: string }>,
  file: string | undefined = '/usr/bin/passt',
): System => ({
  ...createSystem(),
  which: (tool) => (tool === 'passt' ? file : undefined),
  runNow: (tool, args) => {
    expect([tool, ...args]).toEqual(['/usr/bin/passt', '--help']);
    return { status: 0, stdout: '', stderr: '', ...help };
  },
});

test('its age is told by an option, wherever it prints its help', () => {
  expect(readPasst(system({ stderr: '  --no-map-gw\t\tDon’t map' }))).toMatchObject({ recent: false });
  expect(readPasst(system({ stdout: '  --map-guest-addr ADDR' }))).toMatchObject({
    file: '/usr/bin/passt',
    recent: true,
  });
  expect(readPasst(system({ stderr: '  --map-guest-addr ADDR' }))).toMatchObject({ recent: true });
});

test('undefined where there is none', () => {
  expect(readPasst({ ...system({}), which: () => undefined })).toBeUndefined();
});

test.each([
  ['nameserver 127.0.0.53\noptions edns0\n', true],
  ['nameserver ::1\n  nameserver 127.0.0.1\n', true],
  ['nameserver 127.0.0.1\nnameserver 192.0.2.1\n', false],
  ['# nameserver 127.0.0.1\nnameserver 192.0.2.1\n', false],
  ['', false],
])('name servers of %j are all on the loopback: %s', (text, loopback) => {
  expect(hasLoopbackDns(text)).toBe(loopback);
});

test('a default route is one that is up, of either family, and not that of lo which refuses all', () => {
  const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
  const row = (destination: string, flags: string, mask: string): string =>
    `eth0\t${destination}\t010200C0\t${flags}\t0\t0\t0\t${mask}\t0\t0\t0 \n`;
  expect(hasDefaultRoute(`${head}${row('000200C0', '0001', '00FFFFFF')}`, '')).toBe(false);
  expect(hasDefaultRoute(`${head}${row('00000000', '0003', '00000000')}`, '')).toBe(true);
  expect(hasDefaultRoute(`${head}${row('00000000', '0002', '00000000')}`, '')).toBe(false);
  const blackhole = row('00000000', '0001', '00000000').replace('eth0', '*');
  expect(hasDefaultRoute(`${head}${blackhole}`, '')).toBe(false);
  const zero = '0'.repeat(32);
  const ipv6 = (name: string): string => `${zero} 00 ${zero} 00 ${zero} 00000400 00000001 00000000 00000001 ${name}\n`;
  expect(hasDefaultRoute(head, ipv6('    eth0'))).toBe(true);
  expect(hasDefaultRoute(head, ipv6('      lo'))).toBe(false);
});
