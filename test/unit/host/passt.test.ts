import { expect, test } from 'vitest';
import { hasLoopbackDns, readPasst } from '../../../src/host/passt.ts';
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
