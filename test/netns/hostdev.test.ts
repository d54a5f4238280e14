/** `kind: hostdev` with the real qrun, on a made-up PCI bus. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { detach, leftOf, rowOf, still } from '../cli/a-vm.ts';
import { createCardHost, type CardHost } from './a-card-host.ts';

const address = '0000:01:00.0';

async function createOneCard(context: Parameters<typeof createCardHost>[0]): Promise<CardHost> {
  const host = await createCardHost(context, [{ address, group: 7, driver: 'e1000e' }]);
  host.home.profile('web1', `${still}nics: [{ kind: hostdev, address: "${address}" }]\n`);
  return host;
}

test('a card goes to the guest and back to its driver; a second guest is refused; given back twice', async (context) => {
  const host = await createOneCard(context);
  const { home } = host;
  const before = host.state(address);
  home.profile('web2', `${still}nics: [{ kind: hostdev, address: "${address}" }]\n`);
  const { pid } = await detach(home, 'web1');
  expect(host.state(address)).toEqual(['vfio-pci', 'vfio-pci']);
  const second = await home.qrun(['run', 'web2', '-d']);
  expect(second).toMatchObject({ status: 4, stderr: expect.stringContaining(address) });
  expect(host.driver(address)).toBe('vfio-pci');
  // QEMU is killed, and whoever comes gives it back: the waiter, stop, gc; all of them at once
  process.kill(pid, 'SIGKILL');
  await Promise.all([home.qrun(['kill', 'web1']), home.qrun(['gc']), home.qrun(['gc'])]);
  expect(await home.qrun(['gc'])).toMatchObject({ status: 0 });
  expect(host.state(address)).toEqual(before);
  expect(leftOf(home, 'web1')).toEqual([]);
});

test('a start that fails behind the card gives it back', async (context) => {
  const host = await createOneCard(context);
  const { home } = host;
  const before = host.state(address);
  for (const step of ['acquire:vfio:net0', 'acquired:vfio:net0', 'spawn', 'spawned', 'running']) {
    const { status, stderr } = await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${step}:throw` } });
    expect({ step, status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining('failpoint') });
    expect({ step, state: host.state(address), left: leftOf(home, 'web1') }).toEqual({ step, state: before, left: [] });
  }
});

test('ABUSE 64: kill -9 at each failpoint, then gc twice: the card is with its driver', async (context) => {
  const host = await createOneCard(context);
  const { home } = host;
  const before = host.state(address);
  const list = path.join(home.dir, 'failpoints');
  await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT_LIST: list } });
  await rowOf(home, 'web1');
  await home.qrun(['kill', 'web1'], { env: { QRUN_FAILPOINT_LIST: list } });
  const all = [...new Set(readFileSync(list, 'utf8').trim().split('\n'))];
  const names = all.filter((name) => /vfio:net0$|^spawn|^running$/.test(name));
  expect(names).toEqual(
    expect.arrayContaining(['acquire', 'acquired', 'release', 'released'].map((at) => `${at}:vfio:net0`)),
  );
  for (const name of names) {
    await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${name}:kill` } });
    if (/release/.test(name)) await home.qrun(['kill', 'web1'], { env: { QRUN_FAILPOINT: `${name}:kill` } });
    await home.qrun(['kill', 'web1']);
    expect({ name, ...(await home.qrun(['gc'])) }).toMatchObject({ status: 0 });
    expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
    expect({ name, state: host.state(address), left: leftOf(home, 'web1') }).toEqual({ name, state: before, left: [] });
  }
});
