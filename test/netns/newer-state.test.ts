/** Files that a newer qrun wrote for a network of the host's: nothing is done, and none of them is overwritten or removed. */
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { must, refused } from '../harness/harness.ts';
import { createBridgedHost, everything, hostDir, textOf } from './a-bridged-host.ts';

test('a registry, addresses, ports and settings of a newer version: 3 before anything is changed, and they stay as they are', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  const before = everything(bridged);
  root.network('lan0', 'forward: nat\naddresses: [10.10.120.1/24]\nforwards: ["auto:10.10.120.60:80"]\n');
  const state = path.join(root.state, 'networks/lan0');
  const registry = path.join(hostDir(root), 'networks/lan0.json');
  const newer = '{"v":99,"addresses":{},"ports":{},"values":{},"of":"a newer qrun"}';
  const inState = ['addresses.json', 'ports.json'].map((file) => path.join(state, file));
  const switchedOn = path.join(hostDir(root), 'switched-on.json');
  const refusesAll = async (file: string, commands: readonly (readonly string[])[]): Promise<void> => {
    const was = textOf(file);
    writeFileSync(file, newer);
    for (const command of commands) {
      const { status, stderr } = await refused(root, ...command);
      expect({ command, status, stderr, text: textOf(file) }).toEqual({
        command,
        status: 3,
        stderr: expect.stringContaining(`${file} was written by a newer qrun (version 99`),
        text: newer,
      });
    }
    if (was === '') rmSync(file);
    else writeFileSync(file, was);
  };
  const up = ['net', 'up', 'lan0'];
  const down = ['net', 'down', 'lan0'];

  await must(root, ...up);
  const whole = everything(bridged);
  await refusesAll(registry, [up, down, [...down, '--force']]);
  for (const file of [...inState, switchedOn]) await refusesAll(file, [up]);
  expect(everything(bridged)).toEqual(whole);
  await must(root, ...down);
  for (const file of [registry, ...inState, switchedOn]) await refusesAll(file, [up]);
  expect(everything(bridged)).toEqual(before);
});
