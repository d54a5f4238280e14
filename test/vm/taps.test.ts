/** Real guests on taps and macvtaps that root's qrun makes, and on a tap of an ordinary user's. */
import { expect, test } from 'vitest';
import { createHome, needsGuest, ownerFor, waitUntil, type GuestFiles, type Home } from '../harness/harness.ts';
import { detach, leftOf } from '../cli/a-vm.ts';
import { createLinkHost, type LinkHost } from '../netns/a-link-host.ts';
import { createPortHost } from '../netns/a-port-host.ts';
import { ownAddress6 } from './a-lan.ts';
import { GuestShell } from './guest-shell.ts';

const profileOf = (
  { vmlinuz, initrd, append }: GuestFiles,
  name: string,
  { address, nic }: { readonly address: string; readonly nic: string },
): string => `accel: tcg
memory: 160
kernel: ${vmlinuz}
initrd: ${initrd}
append: ${append} qrun.name=${name} qrun.ip=eth0=${address}/24
nics: [${nic}]
`;

const pings = async (shell: GuestShell, address: string, more = ''): Promise<boolean> =>
  (await shell.run(`ping -c 2 -W 30 ${more} ${address} >/dev/null && echo there || echo away`)) === 'there';

const hostPings = (host: LinkHost, address: string): boolean =>
  host.namespace.run(['ping', '-c', '2', '-W', '30', address]).status === 0;

async function killAll(home: Home, names: readonly string[]): Promise<void> {
  expect((await home.qrun(['kill', ...names])).status).toBe(0);
  expect(await waitUntil(() => names.every((name) => leftOf(home, name).length === 0), 30_000)).toBe(true);
}

test('two guests on taps of one bridge, one of them with two queues, reach one another and the host', async (context) => {
  const guest = needsGuest(context);
  const host = await createLinkHost(context);
  const before = host.state();
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile(
    'web1',
    profileOf(guest, 'web1', { address: '10.77.0.11', nic: '{ kind: tap, bridge: br0, queues: 2 }' }),
  );
  home.profile('web2', profileOf(guest, 'web2', { address: '10.77.0.12', nic: '{ kind: tap, bridge: br0 }' }));
  for (const name of ['web1', 'web2']) await detach(home, name);
  const [web1, web2] = [await GuestShell.open(home, 'web1'), await GuestShell.open(home, 'web2')];
  expect(await pings(web1, '10.77.0.12', '-s 1472')).toBe(true);
  expect(await pings(web2, '10.77.0.1')).toBe(true);
  expect(hostPings(host, '10.77.0.11')).toBe(true);
  expect(await web2.run('timeout 50 wget -qO- http://10.77.0.11/')).toContain('qrun-guest web1');
  web1.close();
  web2.close();
  await killAll(home, ['web1', 'web2']);
  expect(host.state()).toEqual(before);
});

test('an ordinary user’s guest on a tap that was prepared for him', async (context) => {
  const guest = needsGuest(context);
  const host = await createLinkHost(context);
  host.must(`ip tuntap add dev pt0 mode tap user ${ownerFor('user').uid} vnet_hdr`);
  host.must('ip link set dev pt0 master br0 up');
  const home = createHome({ namespace: host.namespace });
  home.profile('web1', profileOf(guest, 'web1', { address: '10.77.0.11', nic: 'tap:pt0' }));
  await detach(home, 'web1');
  const shell = await GuestShell.open(home, 'web1');
  expect(await pings(shell, '10.77.0.1')).toBe(true);
  shell.close();
  await killAll(home, ['web1']);
});

test('macvtap in mode bridge: guests reach one another and the host, which has a way of its own', async (context) => {
  const guest = needsGuest(context);
  const host = await createLinkHost(context);
  const before = host.state();
  const home = createHome({ as: 'root', namespace: host.namespace });
  const nic = '{ kind: macvtap, parent: v0, hostAccess: true, queues: 2 }';
  home.profile('web1', profileOf(guest, 'web1', { address: '10.78.0.11', nic }));
  home.profile('web2', profileOf(guest, 'web2', { address: '10.78.0.12', nic: 'macvtap:v0' }));
  for (const name of ['web1', 'web2']) await detach(home, name);
  const [web1, web2] = [await GuestShell.open(home, 'web1'), await GuestShell.open(home, 'web2')];
  expect(await pings(web1, '10.78.0.12', '-s 1472')).toBe(true);
  expect(await pings(web2, '10.78.0.1')).toBe(true);
  expect(hostPings(host, '10.78.0.11')).toBe(true);
  // IPv6: the neighbours ask by groups that the host itself is not in
  const [linkLocal] = await Promise.all([web1, web2].map((shell) => ownAddress6(shell, 'link')));
  expect(linkLocal).toMatch(/^fe80::/);
  expect(await pings(web2, `${linkLocal}%eth0`, '-6')).toBe(true);
  web1.close();
  web2.close();
  await killAll(home, ['web1', 'web2']);
  expect(host.state()).toEqual(before);
});

test.for(['private', 'vepa', 'passthru'] as const)(
  'macvtap in mode %s: the guest is on the LAN of the card',
  async (mode, context) => {
    const guest = needsGuest(context);
    const host = await createLinkHost(context);
    // the LAN at the other end of the card is another network
    const lan = await createLinkHost(context);
    lan.must('ip link delete dev v0');
    host.must(`ip link set dev v1 netns ${lan.namespace.pid} name lan0`);
    lan.must('ip link set dev lan0 up');
    lan.must('ip address add 10.78.0.9/24 dev lan0');
    const home = createHome({ as: 'root', namespace: host.namespace });
    home.profile(
      'web1',
      profileOf(guest, 'web1', { address: '10.78.0.11', nic: `{ kind: macvtap, parent: v0, mode: ${mode} }` }),
    );
    const links = host.state();
    await detach(home, 'web1');
    const shell = await GuestShell.open(home, 'web1');
    expect(await pings(shell, '10.78.0.9', '-s 1472')).toBe(true);
    expect(await pings(shell, '10.78.0.1', '-W 1')).toBe(false);
    shell.close();
    await killAll(home, ['web1']);
    expect(host.state()).toEqual(links);
  },
);

test('two guests of an ordinary user on the ports that root made on a bridge', async (context) => {
  const guest = needsGuest(context);
  const { host, root, home } = await createPortHost(context);
  const before = host.state();
  root.network('lan0', `forward: bridge\nbridge: { name: br0 }\nports: 2\nowner: ${ownerFor('user').name}\n`);
  expect(await root.qrun(['net', 'up', 'lan0'])).toMatchObject({ status: 0 });
  const nic = '{ kind: network, network: lan0 }';
  home.profile('web1', profileOf(guest, 'web1', { address: '10.77.0.11', nic }));
  home.profile('web2', profileOf(guest, 'web2', { address: '10.77.0.12', nic }));
  for (const name of ['web1', 'web2']) await detach(home, name);
  const [web1, web2] = [await GuestShell.open(home, 'web1'), await GuestShell.open(home, 'web2')];
  expect(await pings(web1, '10.77.0.12', '-s 1472')).toBe(true);
  expect(await pings(web2, '10.77.0.1')).toBe(true);
  web1.close();
  web2.close();
  await killAll(home, ['web1', 'web2']);
  expect(await root.qrun(['net', 'down', 'lan0'])).toMatchObject({ status: 0 });
  expect(host.state()).toEqual(before);
});

test('a guest of an ordinary user on a macvtap that root made for him', async (context) => {
  const guest = needsGuest(context);
  const { host, root, home } = await createPortHost(context);
  root.network('lan0', `forward: macvtap\nbridge: { uplink: v0 }\nports: 2\nowner: ${ownerFor('user').name}\n`);
  expect(await root.qrun(['net', 'up', 'lan0'])).toMatchObject({ status: 0 });
  const nic = '{ kind: network, network: lan0 }';
  home.profile('web1', profileOf(guest, 'web1', { address: '10.78.0.11', nic }));
  home.profile('web2', profileOf(guest, 'web2', { address: '10.78.0.12', nic }));
  for (const name of ['web1', 'web2']) await detach(home, name);
  const shell = await GuestShell.open(home, 'web1');
  expect(await pings(shell, '10.78.0.12', '-s 1472')).toBe(true);
  shell.close();
  await killAll(home, ['web1', 'web2']);
  expect(await root.qrun(['net', 'down', 'lan0'])).toMatchObject({ status: 0 });
  expect(host.made()).toEqual([]);
});
