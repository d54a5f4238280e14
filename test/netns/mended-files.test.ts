/** A network with a bridge of its own whose files, or whose state, somebody removed: what `net info` says, and what brings it right again. */
import { appendFileSync, existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { must, ownerFor, type Home } from '../harness/harness.ts';
import { killAll, networkProcesses, stateOf } from '../cli/a-network.ts';
import { createBridgedHost, everything, hostDir, textOf } from './a-bridged-host.ts';

const definition = (): string =>
  'forward: nat\naddresses: [10.10.120.1/24]\nforwards: ["8080:10.10.120.60:80"]\n' +
  'dhcp: { hosts: [{ mac: "02:00:00:00:00:51", ip: 10.10.120.51 }] }\n' +
  `ports: 1\nowner: ${ownerFor('user').name}\n`;

interface Info {
  readonly state: string;
  readonly missing: readonly string[];
}

const ofDnsmasq = (root: Home, keeper: boolean): number[] =>
  networkProcesses(root).flatMap((one) => (one.program === 'dnsmasq' && one.keeper === keeper ? [one.pid] : []));

test('files that are gone or changed, and a keeper that was killed, are broken; net up makes them anew, with one dnsmasq', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  const before = everything(bridged);
  root.network('lan0', definition());
  await must(root, 'net', 'up', 'lan0');
  const config = path.join(root.state, 'networks/lan0/dnsmasq.conf');
  const lists = ['hosts', 'names'].map((ending) => path.join(hostDir(root), `dnsmasq/lan0.${ending}`));
  const runtime = path.join(root.runtime, '_net/lan0');
  const contents = (): unknown[] => [config, ...lists].map((file) => [existsSync(file), textOf(file)]);
  const whole = contents();
  expect(whole).toEqual([
    [true, expect.stringContaining('interface=qr-lan0')],
    [true, expect.stringContaining('10.10.120.51')],
    [true, expect.anything()],
  ]);

  const harms: readonly (readonly [string, () => unknown])[] = [
    ['_net/lan0', () => rmSync(runtime, { recursive: true })],
    ['dnsmasq.conf', () => rmSync(config)],
    ['dnsmasq.conf', () => appendFileSync(config, 'port=0\n')],
    ['lan0.hosts', () => rmSync(path.dirname(lists[0] ?? ''), { recursive: true })],
    ['keeper', () => killAll(ofDnsmasq(root, true))],
  ];
  for (const [named, harm] of harms) {
    await harm();
    const { state, missing } = JSON.parse(await must(root, 'net', 'info', 'lan0', '--json')) as Info;
    expect({ state, missing: missing.join(' ') }).toEqual({ state: 'broken', missing: expect.stringContaining(named) });
    const said = await must(root, 'net', 'up', 'lan0');
    // that it is gone, or that it was changed
    expect(said.split('\n').filter((line) => line.includes('dnsmasq.conf')).length).toBe(
      Number(named === 'dnsmasq.conf'),
    );
    expect({ named, state: await stateOf(root, 'lan0') }).toEqual({ named, state: 'pinned' });
    expect(contents()).toEqual(whole);
    expect([ofDnsmasq(root, true), ofDnsmasq(root, false)]).toEqual([[expect.anything()], [expect.anything()]]);
    expect(existsSync(path.join(runtime, 'dnsmasq.pid'))).toBe(true);
  }
  await must(root, 'net', 'down', 'lan0');
  expect(everything(bridged)).toEqual(before);
});

test('its state removed while it is up: net up, net down and gc find all of it, and nothing of another state directory’s', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const before = everything(bridged);
  root.network('lan0', definition());
  const state = path.join(root.state, 'networks/lan0');
  const lose = async (): Promise<void> => {
    await must(root, 'net', 'up', 'lan0');
    rmSync(state, { recursive: true });
    expect(await stateOf(root, 'lan0')).toBe('broken');
  };

  await lose();
  const old = ofDnsmasq(root, false);
  expect(await must(root, 'net', 'up', 'lan0')).toContain('its state was removed while it was up');
  expect(await stateOf(root, 'lan0')).toBe('pinned');
  expect(ofDnsmasq(root, false)).toEqual([expect.anything()]);
  expect(ofDnsmasq(root, false)).not.toEqual(old);
  await must(root, 'net', 'down', 'lan0');
  expect(everything(bridged)).toEqual(before);

  await lose();
  expect(await must(root, 'net', 'down', 'lan0')).toContain('lan0 is down');
  expect(everything(bridged)).toEqual(before);

  await lose();
  const whole = [host.made(), networkProcesses(root)];
  const elsewhere = { env: { QRUN_STATE_DIR: path.join(root.dir, 'elsewhere') } };
  const { stdout, stderr } = await root.qrun(['gc'], elsewhere);
  expect(stdout + stderr).toContain('nothing was left behind');
  expect(await must(root, 'gc', '--dry-run')).toMatch(/service +would-remove/);
  expect([host.made(), networkProcesses(root)]).toEqual(whole);
  expect(await must(root, 'gc')).toMatch(/link:qr-lan0 +removed[^]*service +removed/);
  expect(everything(bridged)).toEqual(before);
});
