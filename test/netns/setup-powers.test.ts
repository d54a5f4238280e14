/** `qrun setup` where root is not all-powerful: that is said first, and nothing is changed. */
import { expect, test } from 'vitest';
import { testFacts } from '../harness/harness.ts';
import { createSetupHost } from './a-setup-host.ts';

const bridge = ['--bridge', 'br0'];

test('64: without CAP_NET_ADMIN, as in a container, or on a read-only /etc', async (context) => {
  const host = await createSetupHost(context);
  const fresh = host.look();
  const without = async (capability: string, ...args: readonly string[]) => {
    const less = ['setpriv', `--inh-caps=-${capability}`, `--bounding-set=-${capability}`];
    return await host.home.run([...less, testFacts().node, testFacts().bin, 'setup', ...args]);
  };
  for (const [capability, name] of [
    ['net_admin', 'CAP_NET_ADMIN'],
    ['setfcap', 'CAP_SETFCAP'],
  ] as const) {
    const refused = await without(capability, ...bridge);
    expect(refused).toMatchObject({ status: 3, stderr: expect.stringContaining(`root has no ${name} here`) });
    expect(host.look()).toEqual(fresh);
  }
  expect(await without('net_admin', ...bridge, '--dry-run')).toMatchObject({ status: 0 });
  host.sh('mount -o remount,ro /etc');
  const closed = await host.setup(...bridge);
  expect(closed).toMatchObject({ status: 3, stderr: expect.stringContaining('is on a read-only file system') });
  expect(host.look()).toEqual(fresh);
  host.sh('mount -o remount,rw /etc');
  // what needs no interface is made all the same
  expect(await without('net_admin')).toMatchObject({ status: 0 });
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
});
