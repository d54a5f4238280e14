/** Real guests of root's and of ordinary users on one network of root's that a VDE switch carries. Outside is a namespace, and nothing leaves the machine. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { infoOf } from '../cli/a-network.ts';
import { createHome, needsFile, needsGuest, needsRoot, type Home } from '../harness/harness.ts';
import { parseDocument } from '../harness/document.ts';
import { eventually } from '../cli/a-vm.ts';
import { PortUser } from '../netns/a-port-host.ts';
import { addressesOf, get, guestProfile, kill, pidOf, ping, start } from './a-lan.ts';
import { GuestShell } from './guest-shell.ts';
import { createUplink, hostAddress, outsideAddress } from './uplink.ts';

const lan0 = `forward: nat
transport: vde
addresses: [10.10.120.1/24]
dns: { domain: lan0.test }
ports: 2
group: users
`;

/** A group that every Debian has. */
const usersGid = 100;
const ownAddress = "ip -4 -o addr show eth0 | awk '{ print $4 }'";

/** As a home, for the shell of a guest. */
const homeOf = (root: Home, user: PortUser): Pick<Home, 'qrun' | 'runtime'> => ({
  qrun: (args) => user.qrun(...args),
  runtime: path.join(root.dir, `u${user.uid}/r`),
});

async function startFor(user: PortUser, vm: string): Promise<void> {
  const { status, stderr } = await user.qrun('run', '-d', vm);
  expect({ status, stderr }).toMatchObject({ status: 0 });
}

test('a switch of root’s: guests of two users and of root’s have leases, reach one another, the host and the outside; a killed switch loses the users’ alone', async (context) => {
  needsRoot(context);
  for (const tool of ['sbin/nft', 'sbin/dnsmasq', 'bin/vde_switch']) needsFile(context, `/usr/${tool}`);
  const files = needsGuest(context);
  const { host } = await createUplink();
  const root = createHome({ as: 'root', namespace: host });
  const [alice, bob] = [new PortUser(root, 54_321, usersGid), new PortUser(root, 54_322, usersGid)];
  const net = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await root.qrun(['net', ...args]);
    expect({ args, status, stderr }).toMatchObject({ status: 0 });
    return stdout;
  };
  root.network('lan0', lan0);
  root.profile('web1', guestProfile(files, 'web1', '["network:lan0"]'));
  alice.profile('web2', guestProfile(files, 'web2', '["network:lan0"]'));
  bob.profile('web3', guestProfile(files, 'web3', '["network:lan0"]'));
  await net('up', 'lan0');
  await Promise.all([start(root, 'web1'), startFor(alice, 'web2'), startFor(bob, 'web3')]);
  const [web1, web2, web3] = await Promise.all([
    GuestShell.open(root, 'web1'),
    GuestShell.open(homeOf(root, alice), 'web2'),
    GuestShell.open(homeOf(root, bob), 'web3'),
  ]);
  const shells = [web1, web2, web3];

  const own = (await Promise.all(shells.map((shell) => shell.run(ownAddress)))).map((text) => text.replace('/24', ''));
  const [one = '', two = '', three = ''] = own;
  expect(await addressesOf(root)).toEqual({ web1: [one] });
  const leases = parseDocument('net-leases', await net('leases', 'lan0', '--json')) as { ip: string; vm: string }[];
  expect(Object.fromEntries(leases.map(({ ip, vm }) => [vm, ip]))).toEqual({
    web1: one,
    '54321/web2': two,
    '54322/web3': three,
  });
  // through the switch, through the bridge, and both
  const answers = await Promise.all([
    web1.run(`${get(`${two}/`)}; ${ping('10.10.120.1')}`),
    web2.run(`${get(`${three}/`)}; ${ping('10.10.120.1')}`),
    web3.run(`${get('web1.lan0.test/')}; ${ping(two)}`),
  ]);
  expect(answers.map((text) => text.match(/^qrun-guest \w+|\S+ answers/gm))).toEqual([
    ['qrun-guest web2', '10.10.120.1 answers'],
    ['qrun-guest web3', '10.10.120.1 answers'],
    ['qrun-guest web1', `${two} answers`],
  ]);
  for (const shell of [web1, web2])
    expect(await shell.run(get(`${outsideAddress}:8000/`))).toBe(`${outsideAddress} sees ${hostAddress}`);
  expect(host.run(['curl', '-s', '-m', '30', `http://${two}/`]).stdout).toMatch(/^qrun-guest web2\n/);
  await net('forward', 'lan0', `0.0.0.0:8080:${three}:80`);
  expect(host.run(['curl', '-s', '-m', '30', 'http://127.0.0.1:8080/']).stdout).toMatch(/^qrun-guest web3\n/);

  process.kill(await pidOf(root, 'lan0', 'vde_switch'), 'SIGKILL');
  await eventually(async () => (await infoOf(root, 'lan0')).state === 'broken');
  expect((await alice.qrun('ps')).stdout).toMatch(/^web2 .*lost/m);
  expect(await web1.run(get(`${outsideAddress}:8000/`))).toBe(`${outsideAddress} sees ${hostAddress}`);
  await net('up', 'lan0');
  expect((await infoOf(root, 'lan0')).state).toBe('pinned');
  expect(await web2.run(ping('10.10.120.1', 2))).toBe('');
  expect(await web1.run(ping('10.10.120.1'))).toContain('answers');

  for (const shell of shells) shell.close();
  await kill(root, 'web1');
  for (const [user, vm] of [
    [alice, 'web2'],
    [bob, 'web3'],
  ] as const)
    expect(await user.qrun('kill', vm)).toMatchObject({ status: 0 });
  await net('down', 'lan0');
  expect(host.run(['nft', 'list', 'ruleset']).stdout).toBe('');
});
