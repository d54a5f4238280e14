/** `kind: bridge` with the real helper in a network of the test's own. */
import { expect, test } from 'vitest';
import { bothQemus, createHome, needsEitherQemu } from '../harness/harness.ts';
import { detach, rowOf, still } from '../cli/a-vm.ts';
import { createBridgeHost } from './a-bridge-host.ts';

test.for(bothQemus)(
  'an ordinary user has a guest on the bridge; its tap is told, and gone with it, with the %s QEMU',
  async (which, context) => {
    const qemu = needsEitherQemu(context, which);
    const host = await createBridgeHost(context);
    const before = host.links();
    const home = createHome({ qemu, namespace: host.namespace });
    home.profile('web1', `${still}nics: [bridge:br0, { kind: bridge, bridge: br0 }]\n`);
    await detach(home, 'web1');
    expect(host.links().filter((row) => row.includes(' br0 '))).toEqual(['tap0 1500 br0 up', 'tap1 1500 br0 up']);
    const row = await rowOf(home, 'web1');
    expect(row).toMatchObject({
      nics: [
        { kind: 'bridge', source: 'br0', hostInterface: 'tap0' },
        { kind: 'bridge', hostInterface: 'tap1' },
      ],
    });
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect(host.links()).toEqual(before);
  },
);
