/** A NIC on a network of root's: a free port that the user may take, else the bridge helper, else the command that helps. Real helper, in a namespace. */
import { expect, test } from 'vitest';
import { createHome, must, needsQemu, ownerFor } from '../harness/harness.ts';
import { rowOf, still } from '../cli/a-vm.ts';
import { createBridgeHost } from './a-bridge-host.ts';

const definition = (who: string): string => `forward: bridge\nscope: system\nbridge: { name: br0 }\nports: 1\n${who}\n`;

test.for(['capability', 'setuid'] as const)(
  'a port, else the helper (%s), else what helps',
  async (rights, context) => {
    needsQemu(context);
    const host = await createBridgeHost(context, { rights });
    const root = createHome({ as: 'root', namespace: host.namespace });
    const home = createHome({
      namespace: host.namespace,
      env: { QRUN_HOST_DIR: root.env['QRUN_HOST_DIR'] ?? '' },
    });
    const before = host.links();
    const mine = definition(`owner: ${ownerFor('user').name}`);
    root.network('lan0', mine);
    home.network('lan0', mine);
    for (const name of ['web1', 'web2']) home.profile(name, `${still}nics: [{ kind: network, network: lan0 }]\n`);
    const run = async (vm: string): Promise<string> => {
      const { status, stderr } = await home.qrun(['run', vm, '-d']);
      expect({ status, stderr }).toMatchObject({ status: 0 });
      return stderr;
    };
    const nicOf = async (vm: string): Promise<unknown> => (await rowOf(home, vm)).nics[0];
    // not up
    expect(await run('web1')).toContain('network lan0 is not up: it goes by the bridge helper');
    expect(host.taps()).toHaveLength(1);
    expect(await nicOf('web1')).toMatchObject({ network: 'lan0', hostInterface: host.taps()[0] });
    await must(home, 'kill', 'web1');
    expect(host.links()).toEqual(before);
    // a free port, then none
    await must(root, 'net', 'up', 'lan0');
    expect(await run('web1')).not.toContain('bridge helper');
    expect(host.taps()).toEqual([]);
    expect(await nicOf('web1')).toMatchObject({ network: 'lan0', hostInterface: expect.stringMatching(/^qr-/) });
    expect(await run('web2')).toMatch(/its port is taken, by web1: it goes by the bridge helper/);
    expect(host.taps()).toHaveLength(1);
    await must(home, 'kill', 'web2');
    // none, and no helper: who has it, and what else there is
    host.conf('deny br0\n');
    const taken = await home.qrun(['run', 'web2', '-d']);
    expect(taken).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(/its port is taken, by web1, and the bridge helper does not help/),
    });
    await must(home, 'kill', 'web1');
    await must(root, 'net', 'down', 'lan0');
    const closed = await home.qrun(['run', 'web1', '-d']);
    expect(closed).toMatchObject({ status: 3, stderr: expect.stringContaining('sudo qrun net up lan0') });
    // ports of somebody else's
    root.network('lan0', definition('owner: daemon'));
    await must(root, 'net', 'up', 'lan0');
    const others = await home.qrun(['run', 'web1', '-d']);
    expect(others).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('its ports are for daemon, and the bridge helper'),
    });
    host.conf('allow br0\n');
    expect(await run('web1')).toContain('its ports are for daemon: it goes by the bridge helper');
    await must(home, 'kill', 'web1');
    await must(root, 'net', 'down', 'lan0');
    expect(host.links()).toEqual(before);
  },
);
