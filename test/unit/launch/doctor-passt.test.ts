import { expect, test } from 'vitest';
import { examinePrograms } from '../../../src/launch/doctor-passt.ts';
import { createSystem } from '../../../src/system/real.ts';
import type { System } from '../../../src/system/system.ts';
import { capabilitiesOf } from '../qemu/a-profile.ts';

const system = (tools: Record<string, string>, help = '--map-guest-addr'): System => ({
  ...createSystem(),
  which: (tool) => tools[tool],
  runNow: () => ({ status: 0, stdout: help, stderr: '' }),
});
const checkOf = (id: string, ...of: Parameters<typeof examinePrograms>) =>
  examinePrograms(...of).find((check) => check.id === id);
const qemu = capabilitiesOf('7.2');

test('passt is recommended where it is installed, and asked for where it is not', () => {
  expect(checkOf('passt', system({ passt: '/usr/bin/passt' }), qemu)).toMatchObject({
    state: 'ok',
    evidence: expect.stringMatching(/^\/usr\/bin\/passt: recommended instead of kind: user/),
    mend: null,
  });
  expect(checkOf('passt', system({}), qemu)).toMatchObject({ state: 'warn', mend: 'sudo apt-get install passt' });
});

test('a QEMU that cannot join it, and one that would start it itself', () => {
  const tools = system({ passt: '/usr/bin/passt' });
  expect(checkOf('passt', tools, capabilitiesOf('6.2'))).toMatchObject({ state: 'warn' });
  const own = { ...qemu, netdevTypes: [...qemu.netdevTypes, 'passt'] };
  expect(checkOf('passt', tools, own)).toMatchObject({ state: 'ok', evidence: expect.stringContaining('sandbox') });
});

test('vde_switch, and a QEMU without VDE', () => {
  expect(checkOf('vde', system({ vde_switch: '/usr/bin/vde_switch' }), qemu)).toMatchObject({ state: 'ok' });
  expect(checkOf('vde', system({}), qemu)).toMatchObject({ state: 'warn', mend: 'sudo apt-get install vde2' });
  const without = { ...qemu, netdevTypes: ['user'] };
  expect(checkOf('vde', system({}), without)).toMatchObject({ evidence: expect.stringContaining('built without') });
});
