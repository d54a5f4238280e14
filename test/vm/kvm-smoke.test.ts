import { constants, closeSync, openSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runKvmSmoke, runSmokeGuest } from '../../src/host/kvm-smoke.ts';
import { readKvmVerdict } from '../../src/host/kvm.ts';
import { createSystem } from '../../src/system/real.ts';
import { bothQemus, createHome, needsEitherQemu, needsQemu } from '../harness/harness.ts';

const identity = (file: string) => ({
  file,
  realFile: file,
  version: { major: 1, minor: 2, micro: 3 },
  options: ['sandbox'],
});

function canOpenKvm(): boolean {
  try {
    closeSync(openSync('/dev/kvm', constants.O_RDWR));
    return true;
  } catch {
    return false;
  }
}

test.for(bothQemus)(
  'the smoke guest comes to its end on an emulated processor of the %s QEMU',
  async (which, context) => {
    const qemu = identity(needsEitherQemu(context, which));
    const { cache: cacheDir } = createHome({ as: process.getuid?.() === 0 ? 'root' : 'user' });
    expect(await runSmokeGuest(createSystem(), { qemu, cacheDir, accel: 'tcg', cpu: 'max', timeoutS: 60 })).toEqual({});
    expect(readdirSync(cacheDir)).toEqual([]);
  },
);

test('a processor without long mode is a fault with a reason', async (context) => {
  const qemu = identity(needsQemu(context));
  const { cache: cacheDir } = createHome({ as: process.getuid?.() === 0 ? 'root' : 'user' });
  const { fault } = await runSmokeGuest(createSystem(), { qemu, cacheDir, accel: 'tcg', cpu: 'qemu32' });
  expect(fault).toMatch(/QEMU ended with|did not come to its end/);
});

test('KVM gets a verdict, which is kept, and which a second guest confirms', async (context) => {
  const qemu = identity(needsQemu(context));
  if (!canOpenKvm()) context.skip('needs a /dev/kvm that opens');
  const { cache: cacheDir } = createHome({ as: process.getuid?.() === 0 ? 'root' : 'user' });
  const verdict = await runKvmSmoke(createSystem(), { qemu, cacheDir });
  expect(readKvmVerdict(cacheDir, qemu)).toBe(verdict);
  const { fault } = await runSmokeGuest(createSystem(), { qemu, cacheDir, accel: 'kvm', cpu: 'host' });
  expect(fault === undefined ? 'works' : 'broken').toBe(verdict);
});
