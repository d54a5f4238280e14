/** The look at a host that is prepared where systemd does not run: a chroot in which an image is made. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { placesOf } from '../../../src/places.ts';
import { emptyRecord } from '../../../src/setup/record.ts';
import { readSetupFacts } from '../../../src/setup/read-facts.ts';
import type { System } from '../../../src/system/system.ts';

test('in a chroot, where systemctl takes every unit for active, only what is enabled counts', async (context) => {
  if (existsSync('/run/systemd/system')) context.skip('systemd runs here');
  const system = {
    uid: 0,
    env: {},
    which: (tool: string) => (tool === 'systemctl' ? '/usr/bin/systemctl' : undefined),
    runNow: (_tool: string, [verb]: readonly string[]) => ({
      status: verb === 'is-active' ? 0 : 1,
      stdout: '',
      stderr: '',
    }),
  } as unknown as System;
  const places = placesOf({ env: {}, uid: 0, home: '/root', packageRoot: '/nonexistent' });
  const { watchers } = await readSetupFacts({ system, places, options: { yes: false }, record: emptyRecord });
  expect(watchers).toMatchObject({ networkManager: false, networkd: false });
});
