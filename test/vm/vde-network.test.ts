/** A LAN on a vde_switch, with real guests: all that a hub has; and what is said when the switch is killed. */
import { expect, test } from 'vitest';
import { bothQemus, createHome, needsEitherQemu, needsFile, needsGuest, needsQemu } from '../harness/harness.ts';
import { infoOf, lastingOfNetworks, noNetworkLeft } from '../cli/a-network.ts';
import { eventually } from '../cli/a-vm.ts';
import {
  addressesOf,
  echoFromHost,
  fetchFromHost,
  get,
  guestProfile,
  hostPortOf,
  kill,
  killProgram,
  openAll,
  pidOf,
  ping,
  start,
} from './a-lan.ts';
import type { GuestShell } from './guest-shell.ts';

const vdeSwitch = '/usr/bin/vde_switch';
const lan = `transport: vde
addresses: [10.69.0.1/24]
dhcp: { hosts: [{ vm: web2, ip: 10.69.0.20, name: two }] }
dns: { domain: vde.test }
forwards: ["auto:web1:80", "auto:web2:7/udp"]
`;

test.for(bothQemus)(
  'guests on a vde_switch have leases, names, one another and a way in, with the %s QEMU',
  async (which, context) => {
    needsFile(context, vdeSwitch);
    const home = createHome({ qemu: needsEitherQemu(context, which) });
    const files = needsGuest(context);
    home.network('lan', lan);
    const names = ['web1', 'web2', 'web3'];
    for (const name of names) home.profile(name, guestProfile(files, name, '["network:lan"]'));
    await start(home, ...names);
    const [web1, web2, web3] = (await openAll(home, names)) as [GuestShell, GuestShell, GuestShell];
    const addresses = await addressesOf(home);
    expect(addresses['web2']).toEqual(['10.69.0.20']);
    expect(await web1.run("ip -4 -o addr show eth0 | awk '{ print $4 }'")).toBe(`${addresses['web1']?.[0]}/24`);
    // all at once: who answers the wrong guest is found out
    const asked = await Promise.all([
      web1.run(`${get('web2/')}; ${get('web3.vde.test/')}; ${ping('10.69.0.1')}`),
      web2.run(`${get('web1/')}; ${get('web3/')}; ${ping('10.69.0.1')}`),
      web3.run(`${get('two/')}; ${get('web1/')}; ${ping('10.69.0.1')}`),
    ]);
    const named = asked.map((text) =>
      [...text.matchAll(/^qrun-guest (\w+)$|^\S+ (answers)$/gm)].map(([, vm, ok]) => vm ?? ok),
    );
    expect(named).toEqual([
      ['web2', 'web3', 'answers'],
      ['web1', 'web3', 'answers'],
      ['web2', 'web1', 'answers'],
    ]);

    const port = await hostPortOf(home, 'lan', 80);
    expect(await fetchFromHost(home, port)).toMatch(/^qrun-guest web1\n/);
    expect(await echoFromHost(home, await hostPortOf(home, 'lan', 7), 'in')).toBe('in');
    expect(await home.qrun(['net', 'forward', 'lan', 'auto:web3:80'])).toMatchObject({ status: 0 });
    const added = (await infoOf(home, 'lan')).forwards.find(({ guest }) => guest === 'web3')?.hostPort ?? 0;
    expect(await fetchFromHost(home, added)).toMatch(/^qrun-guest web3\n/);

    for (const program of ['switch', 'gateway']) {
      await killProgram(home, 'lan', program);
      await eventually(async () => (await fetchFromHost(home, port)).startsWith('qrun-guest web1\n'), 60_000);
      expect(await fetchFromHost(home, added)).toMatch(/^qrun-guest web3\n/);
      expect(await web1.run(get('web2/'))).toMatch(/^qrun-guest web2\n/);
    }
    for (const shell of [web1, web2, web3]) shell.close();
    await kill(home, ...names);
    expect(await lastingOfNetworks(home)).toEqual([]);
  },
);

test('a vde_switch that is killed leaves its guests lost; net up makes one that new guests join', async (context) => {
  needsFile(context, vdeSwitch);
  needsQemu(context);
  const files = needsGuest(context);
  const home = createHome();
  home.network('lan', lan);
  for (const name of ['web1', 'web2']) home.profile(name, guestProfile(files, name, '["network:lan"]'));
  await start(home, 'web1');
  const [before] = (await openAll(home, ['web1'])) as [GuestShell];
  const gateway = await pidOf(home, 'lan', 'gateway');
  process.kill(await pidOf(home, 'lan', 'vde_switch'), 'SIGKILL');
  await eventually(async () => (await infoOf(home, 'lan')).state === 'broken');
  expect((await infoOf(home, 'lan')).missing).toEqual(['vde_switch']);
  expect((await home.qrun(['net', 'up', 'lan'])).status).toBe(0);
  // the gateway was a port of the old switch
  await eventually(async () => {
    const { missing } = await infoOf(home, 'lan');
    return missing.length === 0 && (await pidOf(home, 'lan', 'gateway')) !== gateway;
  });
  expect((await home.qrun(['ps'])).stdout).toMatch(/^web1 .*lost/m);
  await start(home, 'web2');
  const [web2] = (await openAll(home, ['web2'])) as [GuestShell];
  expect(await web2.run(ping('10.69.0.1'))).toContain('answers');
  expect(await before.run(ping('10.69.0.1', 2))).toBe('');
  before.close();
  await kill(home, 'web1');
  await start(home, 'web1');
  const [again] = (await openAll(home, ['web1'])) as [GuestShell];
  expect(await again.run(get('two/'))).toMatch(/^qrun-guest web2\n/);
  expect((await home.qrun(['ps'])).stdout).not.toContain('lost');
  for (const shell of [web2, again]) shell.close();
  await kill(home, 'web1', 'web2');
  expect((await home.qrun(['net', 'down', 'lan'])).status).toBe(0);
  expect(await noNetworkLeft(home)).toBe(true);
});
