/** What `qrun rm` gives back on networks: the VM's addresses. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createHome, must, needsQemu } from '../harness/harness.ts';
import { hub, noNetworkLeft, onLab } from './a-network.ts';
import { detach } from './a-vm.ts';

test('a VM that is forgotten has no address on a LAN any more; one that a forward names keeps it until the network ends', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.network('lab', hub);
  for (const name of ['web1', 'web2', 'web3']) home.profile(name, onLab);
  const holders = (): string[] => {
    const text = readFileSync(path.join(home.state, 'networks/lab/addresses.json'), 'utf8');
    return Object.keys((JSON.parse(text) as { addresses: object }).addresses).toSorted();
  };
  await must(home, 'net', 'up', 'lab');
  for (const name of ['web1', 'web2']) await detach(home, name);
  await must(home, 'net', 'forward', 'lab', 'auto:web2:80', 'auto:web3:80');
  await must(home, 'kill', 'web1', 'web2');
  expect(holders()).toEqual(['web1', 'web2', 'web3']);
  await must(home, 'rm', 'web1', 'web2', 'web3');
  expect(holders()).toEqual(['web2', 'web3']);
  await must(home, 'net', 'down', 'lab');
  await must(home, 'rm', 'web2', 'web3');
  expect(holders()).toEqual([]);
  expect(await noNetworkLeft(home)).toBe(true);
});
