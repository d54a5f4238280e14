/** What real guests on macvtaps get of the frames that they need: IPv6, the way to the host, MACs of their own choice. */
import { expect, test, type TestContext } from 'vitest';
import { createHome, needsGuest, ownerFor, type GuestFiles, type Home } from '../harness/harness.ts';
import { detach } from '../cli/a-vm.ts';
import { createLinkHost, type LinkHost } from '../netns/a-link-host.ts';
import { GuestShell } from './guest-shell.ts';

interface Lan {
  readonly host: LinkHost;
  /** The other end of the card, in another network. */
  readonly peer: LinkHost;
  readonly home: Home;
}

async function createLan(context: TestContext): Promise<Lan> {
  const host = await createLinkHost(context);
  const peer = await createLinkHost(context);
  peer.must('ip link delete dev v0');
  host.must(`ip link set dev v1 netns ${peer.namespace.pid} name lan0`);
  host.must('ip address add fd00:78::1/64 dev v0 nodad');
  peer.must('ip link set dev lan0 up');
  peer.must('ip address add 10.78.0.9/24 dev lan0');
  peer.must('ip address add fd00:78::9/64 dev lan0 nodad');
  return { host, peer, home: createHome({ as: 'root', namespace: host.namespace }) };
}

const profileOf = ({ vmlinuz, initrd, append }: GuestFiles, nic: string): string => `accel: tcg
memory: 160
kernel: ${vmlinuz}
initrd: ${initrd}
append: ${append} qrun.name=web1 qrun.ip=eth0=10.78.0.11/24
nics: [${nic}]
`;

const reaches = ({ namespace }: LinkHost, address: string): boolean =>
  namespace.run(['ping', '-c', '2', '-W', '10', address]).status === 0;
const misses = ({ namespace }: LinkHost, address: string): boolean =>
  namespace.run(['ping', '-c', '2', '-W', '1', address]).status !== 0;
const newMac = '52:54:00:12:34:56';
const changeMac = `ip link set dev eth0 down; ip link set dev eth0 address ${newMac}; ip link set dev eth0 up; ip addr add 10.78.0.11/24 dev eth0 2>/dev/null`;

test('IPv6 to the LAN and, with hostAccess, to the host; a MAC that the guest chose itself is told', async (context) => {
  const guest = needsGuest(context);
  const { host, peer, home } = await createLan(context);
  home.profile('web1', profileOf(guest, '{ kind: macvtap, parent: v0, hostAccess: true }'));
  await detach(home, 'web1');
  // its driver is not there yet
  expect((await home.qrun(['nics', 'web1'])).stderr).toBe('');
  const shell = await GuestShell.open(home, 'web1');
  await shell.run(
    'ip -6 addr add fd00:78::11/64 dev eth0; while ip -6 addr show dev eth0 | grep -q tentative; do sleep 0.2; done',
  );
  const linkLocal = await shell.run("ip -6 addr show dev eth0 | sed -n 's,.*inet6 \\(fe80[^/]*\\)/.*,\\1,p'");
  // who asks first asks by a group that only the guest is in
  expect(reaches(peer, 'fd00:78::11')).toBe(true);
  expect(reaches(peer, `${linkLocal}%lan0`)).toBe(true);
  const way = host.made().find((name) => name.startsWith('qr-way')) ?? '';
  expect(reaches(host, 'fd00:78::11')).toBe(true);
  expect(reaches(host, `${linkLocal}%${way}`)).toBe(true);
  expect(await shell.run('ping -6 -c 2 -W 30 fd00:78::1 >/dev/null && echo there')).toBe('there');
  expect((await home.qrun(['nics', 'web1'])).stderr).toBe('');
  await shell.run('ip link set dev eth0 promisc on');
  expect((await home.qrun(['nics', 'web1'])).stderr).toContain('the guest asks for all frames');
  await shell.run('ip link set dev eth0 promisc off');
  await shell.run(changeMac);
  // the card has no interface for that MAC
  expect(misses(peer, '10.78.0.11')).toBe(true);
  const [nic] = JSON.parse((await home.qrun(['nics', 'web1', '--json'])).stdout) as {
    mac: string;
    guestMac?: string;
  }[];
  expect(nic?.guestMac).toBe(newMac);
  expect((await home.qrun(['nics', 'web1'])).stderr).toContain(
    `takes frames for ${nic?.mac} alone: write mac: ${newMac}`,
  );
  shell.close();
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});

test('a network on a card: root’s guest and an ordinary user’s on a port reach one another, the host, the LAN', async (context) => {
  const guest = needsGuest(context);
  const { host, peer, home } = await createLan(context);
  const user = createHome({ namespace: host.namespace, env: { QRUN_HOST_DIR: home.env['QRUN_HOST_DIR'] ?? '' } });
  const lan = `forward: macvtap\nbridge: { uplink: v0 }\nhostAccess: true\nports: 1\nowner: ${ownerFor('user').name}\n`;
  home.network('lan0', lan);
  const text = profileOf(guest, '"network:lan0"');
  home.profile('web1', text);
  user.profile('web2', text.replace('web1', 'web2').replace('.11/24', '.12/24'));
  await detach(home, 'web1');
  await detach(user, 'web2');
  const shell = await GuestShell.open(home, 'web1');
  const other = await GuestShell.open(user, 'web2');
  for (const address of ['10.78.0.12', '10.78.0.1', '10.78.0.9'])
    expect(await shell.run(`ping -c 2 -W 30 ${address} >/dev/null && echo there`)).toBe('there');
  expect(await other.run('ping -c 2 -W 30 10.78.0.9 >/dev/null && echo there')).toBe('there');
  expect(reaches(peer, '10.78.0.11')).toBe(true);
  const { members } = JSON.parse((await home.qrun(['net', 'info', 'lan0', '--json'])).stdout) as {
    members: { vm: string; ip: string }[];
  };
  expect(members.find(({ vm }) => vm === 'web1')?.ip).toBe('10.78.0.11');
  shell.close();
  other.close();
  for (const [one, vm] of [
    [home, 'web1'],
    [user, 'web2'],
  ] as const)
    expect((await one.qrun(['kill', vm])).status).toBe(0);
});

test('mode passthru: a guest that changes its MAC still gets its frames', async (context) => {
  const guest = needsGuest(context);
  const { peer, home } = await createLan(context);
  home.profile('web1', profileOf(guest, '{ kind: macvtap, parent: v0, mode: passthru }'));
  await detach(home, 'web1');
  const shell = await GuestShell.open(home, 'web1');
  await shell.run(changeMac);
  expect(reaches(peer, '10.78.0.11')).toBe(true);
  expect(peer.must('ip neighbour show 10.78.0.11')).toContain(newMac);
  shell.close();
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});
