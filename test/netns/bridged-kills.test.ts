/** kill -9 of who takes a network with a bridge of its own down, or comes onto it, and of each program of it; and two who do so at once. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isAlive, must, needsQemu, ownerFor, type Home } from '../harness/harness.ts';
import { killAll, networkProcesses, stateOf } from '../cli/a-network.ts';
import { detach, statusOf, still } from '../cli/a-vm.ts';
import { createBridgedHost, everything, everythingAgain, type BridgedHost } from './a-bridged-host.ts';

const definition = (): string =>
  'forward: nat\naddresses: [10.10.120.1/24, "fd00:120::1/64"]\n' +
  'forwards: ["8080:10.10.120.60:80", "0.0.0.0:81:10.10.120.60:81/udp"]\n' +
  `ports: 1\nowner: ${ownerFor('user').name}\nantiSpoof: true\n`;
const onLan = `${still}nics: ["network:lan0"]\n`;

/** The names of the places that a command passes, each once. */
async function pointsOf(root: Home, ...args: string[]): Promise<string[]> {
  const list = root.write('points', '');
  const { status, stderr } = await root.qrun(args, { env: { QRUN_FAILPOINT_LIST: list } });
  expect({ args, status, stderr }).toMatchObject({ status: 0 });
  return [...new Set(readFileSync(list, 'utf8').trim().split('\n'))];
}

async function killedAt(root: Home, point: string, ...args: string[]): Promise<void> {
  const { status, stderr } = await root.qrun(args, { env: { QRUN_FAILPOINT: `${point}:kill` } });
  expect({ point, status, stderr }).toMatchObject({ point, status: 137 });
}

/** Without what only time changes: whose process it is. */
const asUp = (bridged: BridgedHost): string[] =>
  everything(bridged)
    .map((line) => line.replaceAll(/^(pid )?\d+(: )?|qr-[0-9a-f]{12}/gm, '$1'))
    .toSorted();

test('killed at each step of its down: the next net down goes on there, gc ends it, and net up makes it whole', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  const before = everything(bridged);
  root.network('lan0', definition());
  await must(root, 'net', 'up', 'lan0');
  const whole = asUp(bridged);
  const points = (await pointsOf(root, 'net', 'down', 'lan0')).filter((point) => point.startsWith('release:'));
  for (const step of [
    'bridge',
    'rules',
    'sysctl:bridge',
    'file:dnsmasq',
    'file:hosts',
    'service',
    'port:0',
    'registry',
  ])
    expect(points).toContain(`release:${step}`);
  await must(root, 'net', 'up', 'lan0');
  for (const point of points) await killedAt(root, point, 'net', 'down', 'lan0');
  expect(await stateOf(root, 'lan0')).toBe('broken');
  await must(root, 'net', 'down', 'lan0');
  expect(everything(bridged)).toEqual(before);
  for (const point of ['release:service', 'release:rules', 'release:bridge']) {
    await must(root, 'net', 'up', 'lan0');
    await killedAt(root, point, 'net', 'down', 'lan0');
    await must(root, 'net', 'up', 'lan0');
    const state = await stateOf(root, 'lan0');
    expect({ point, state, up: asUp(bridged) }).toEqual({ point, state: 'pinned', up: whole });
    await killedAt(root, point, 'net', 'down', 'lan0');
    await must(root, 'gc');
    expect({ point, left: everything(bridged) }).toEqual({ point, left: before });
  }
});

test('killed as a VM of root’s comes onto it: gc leaves the network as it was, or nothing where it was not up, and the VM comes', async (context) => {
  needsQemu(context);
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  const before = everything(bridged);
  root.network('lan0', definition());
  root.profile('web1', onLan);
  await must(root, 'net', 'up', 'lan0');
  const points = await pointsOf(root, 'run', 'web1', '-d');
  await must(root, 'kill', 'web1');
  const alone = asUp(bridged);
  for (const point of ['joining:lan0', 'acquired:rules', 'rules:lan0', 'acquired:network:net0', 'acquired:tap:net0']) {
    expect(points).toContain(point);
    await killedAt(root, point, 'run', 'web1', '-d');
    await must(root, 'gc');
    expect({ point, left: asUp(bridged) }).toEqual({ point, left: alone });
  }
  await must(root, 'net', 'down', 'lan0');
  for (const point of ['joining:lan0', 'spawn']) {
    await killedAt(root, point, 'run', 'web1', '-d');
    await must(root, 'gc');
    expect({ point, left: await everythingAgain(bridged, before) }).toEqual({ point, left: [] });
  }
  await detach(root, 'web1');
  await must(root, 'kill', 'web1');
  expect(await everythingAgain(bridged, before)).toEqual([]);
});

const pidsOf = (root: Home, which: (one: ReturnType<typeof networkProcesses>[number]) => boolean): number[] =>
  networkProcesses(root).flatMap((one) => (which(one) ? [one.pid] : []));

test('kill -9 of the watcher, of dnsmasq with its keeper, of all with QEMU and its waiter: who is left, who comes next and gc do their work', async (context) => {
  needsQemu(context);
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  const before = everything(bridged);
  root.network('lan0', definition());
  for (const name of ['web1', 'web2']) root.profile(name, onLan);

  const first = await detach(root, 'web1');
  expect(networkProcesses(root).map(({ program, keeper, watcher }) => ({ program, keeper, watcher }))).toEqual(
    expect.arrayContaining([
      { program: 'dnsmasq', keeper: false, watcher: false },
      { program: 'dnsmasq', keeper: true, watcher: false },
      { program: '', keeper: false, watcher: true },
    ]),
  );
  await killAll(pidsOf(root, ({ watcher }) => watcher));
  await killAll([first.pid]);
  expect(await everythingAgain(bridged, before)).toEqual([]);

  await detach(root, 'web1');
  await killAll(pidsOf(root, ({ program }) => program === 'dnsmasq'));
  expect(await stateOf(root, 'lan0')).toBe('broken');
  const { status, stderr } = await root.qrun(['run', 'web2', '-d']);
  expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining('dnsmasq did not run') });
  expect(await stateOf(root, 'lan0')).toBe('up');
  await must(root, 'kill', 'web2');

  const { pid } = await detach(root, 'web2');
  await must(root, 'kill', 'web1');
  const waiter = Number(statusOf(pid, 'PPid'));
  await killAll([...(waiter > 1 ? [waiter] : []), ...pidsOf(root, () => true), pid]);
  await must(root, 'gc');
  expect(await everythingAgain(bridged, before)).toEqual([]);
  expect(isAlive(pid)).toBe(false);
});

test('net up and net down at once: one after the other, and never half', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  const before = everything(bridged);
  root.network('lan0', definition());
  await must(root, 'net', 'up', 'lan0');
  const whole = asUp(bridged);
  for (const words of [
    ['up', 'down'],
    ['down', 'up', 'down', 'up'],
    ['down', 'down'],
  ]) {
    const ends = await Promise.all(words.map((word) => root.qrun(['net', word, 'lan0'])));
    expect(ends).toEqual(words.map(() => expect.objectContaining({ status: 0 })));
    const isUp = (await stateOf(root, 'lan0')) === 'pinned';
    if (words.every((word) => word === 'down')) expect(isUp).toBe(false);
    expect({ words, now: isUp ? asUp(bridged) : everything(bridged) }).toEqual({ words, now: isUp ? whole : before });
  }
  await must(root, 'net', 'down', 'lan0');
  expect(everything(bridged)).toEqual(before);
});
