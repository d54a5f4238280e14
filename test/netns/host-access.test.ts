/** `hostAccess`: the host's way to macvtaps of a card, which all of them share, in a network of the test's own. */
import { expect, test } from 'vitest';
import { createHome, needsQemu, ownerFor, refused } from '../harness/harness.ts';
import { detach, leftOf, still } from '../cli/a-vm.ts';
import { createLinkHost, type LinkHost } from './a-link-host.ts';
import { createPortHost } from './a-port-host.ts';

const nic = (hostAccess: string): string =>
  `${still}nics: [{ kind: macvtap, parent: v0, hostAccess: ${hostAccess} }]\n`;
const way = (host: LinkHost): string | undefined => host.made().find((name) => name.startsWith('qr-way'));
const deviceTo = (host: LinkHost, address: string): string =>
  / dev (\S+)/.exec(host.must(`ip route get ${address}`))?.[1] ?? '';

/** Of both families, and without what the kernel makes by itself. */
const stateOf = (host: LinkHost): string[] => [
  ...host.state(),
  host.must('ip -6 route').replaceAll(/^(fe80::|.* proto kernel).*\n/gm, ''),
  host.must('ip -6 -oneline address show scope global').replaceAll(/\d+: |\\.*$/gm, ''),
];

async function createWayHost(context: Parameters<typeof createLinkHost>[0]): Promise<LinkHost> {
  const host = await createLinkHost(context);
  host.must('ip address add fd00:78::1/64 dev v0 nodad');
  return host;
}

test('several VMs on one card share one way, of IPv4 and IPv6, and it goes with the last of them', async (context) => {
  needsQemu(context);
  const host = await createWayHost(context);
  const before = stateOf(host);
  const home = createHome({ as: 'root', namespace: host.namespace });
  const other = createHome({ as: 'root', namespace: host.namespace });
  for (const vm of ['web1', 'web2']) home.profile(vm, nic('true'));
  other.profile('web1', nic('true'));
  await detach(home, 'web1');
  const name = way(host) ?? '';
  const made = host.row(name);
  expect(made).toMatchObject({ link: 'v0', linkinfo: { info_kind: 'macvlan', info_data: { mode: 'bridge' } } });
  for (const address of ['10.78.0.77', '10.78.0.200', 'fd00:78::77', 'fd00:78:0:0:ffff::1'])
    expect(deviceTo(host, address)).toBe(name);
  expect(host.must('ip route get 10.78.0.200')).toContain('src 10.78.0.1');
  expect(host.must('ip -6 route get fd00:78::77')).toContain('src fd00:78::1');
  expect(host.must(`sysctl -n net.ipv6.conf.${name}.accept_ra`)).toBe('0\n');
  // another state directory's are counted as well
  await Promise.all([detach(home, 'web2'), detach(other, 'web1')]);
  expect(host.made().filter((one) => one.startsWith('qr-way'))).toEqual([name]);
  expect(host.row(name)?.address).toBe(made?.address);
  expect((await home.qrun(['kill', 'web1', 'web2'])).status).toBe(0);
  expect(deviceTo(host, '10.78.0.77')).toBe(name);
  expect((await other.qrun(['kill', 'web1'])).status).toBe(0);
  expect(deviceTo(host, '10.78.0.77')).toBe('v0');
  expect(stateOf(host)).toEqual(before);
});

test('with an address of its own: the host’s on the card stays where it is, and the way is the one of who came first', async (context) => {
  needsQemu(context);
  const host = await createWayHost(context);
  const before = stateOf(host);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', nic('{ address: 10.78.0.9/32 }'));
  home.profile('web2', nic('{ address: 10.78.0.8/32 }'));
  home.profile('web3', nic('true'));
  home.profile('part', nic('{ address: 10.78.0.193/26 }'));
  await detach(home, 'web1');
  const name = way(host) ?? '';
  expect(host.must(`ip -4 -oneline address show dev ${name}`)).toMatch(/inet 10\.78\.0\.9\/32 /);
  expect(host.must('ip route get 10.78.0.77')).toContain(`dev ${name} src 10.78.0.9`);
  expect(await refused(home, 'run', 'web2', '-d')).toEqual({
    status: 4,
    stderr: expect.stringMatching(/10\.78\.0\.9 and not 10\.78\.0\.8/),
  });
  await detach(home, 'web3');
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(way(host)).toBe(name);
  expect((await home.qrun(['kill', 'web3'])).status).toBe(0);
  await detach(home, 'part');
  expect([deviceTo(host, '10.78.0.191'), deviceTo(host, '10.78.0.200')]).toEqual(['v0', name]);
  expect((await home.qrun(['kill', 'part'])).status).toBe(0);
  expect(stateOf(host)).toEqual(before);
});

test('killed at every step of the way, by gc and by the next start all is as it was; the way of another VM stays', async (context) => {
  needsQemu(context);
  const host = await createWayHost(context);
  const before = stateOf(host);
  const home = createHome({ as: 'root', namespace: host.namespace });
  for (const vm of ['web1', 'web2']) home.profile(vm, nic('true'));
  const kill = (at: string) => home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${at}:kill` } });
  for (const at of ['acquire:host-access:net0', 'acquired:host-access:net0']) {
    await kill(at);
    expect((await home.qrun(['gc'])).status).toBe(0);
    expect({ at, state: stateOf(host) }).toEqual({ at, state: before });
  }
  // no journal knows of it, and no macvtap has need of it
  host.must('ip link add link v0 name lost type macvlan mode bridge');
  host.must('ip link set dev lost up');
  await kill('acquired:host-access:net0');
  const lost = way(host) ?? '';
  expect((await home.qrun(['gc'])).status).toBe(0);
  host.must(`ip link set dev lost down name ${lost} alias qrun-host:v0`);
  expect((await home.qrun(['gc'])).stdout).toContain(lost);
  expect(stateOf(host)).toEqual(before);
  // half made by a start that was killed between two commands: without its alias
  await kill('acquired:host-access:net0');
  const name = way(host) ?? '';
  host.must(`ip link delete dev ${name}`);
  host.must(`ip link add link v0 name ${name} type macvlan mode bridge`);
  await detach(home, 'web2');
  expect(host.row(name)?.ifalias).toBe('qrun-host:v0');
  expect(deviceTo(host, '10.78.0.77')).toBe(name);
  expect((await home.qrun(['gc'])).status).toBe(0);
  expect(way(host)).toBe(name);
  const { pid } = await detach(home, 'web1');
  process.kill(pid, 'SIGKILL');
  // what is left are the other VM's macvtap and the way
  await expect.poll(() => host.made().length, { timeout: 30_000 }).toBe(2);
  expect(way(host)).toBe(name);
  for (const at of ['release:host-access:net0', 'released:host-access:net0']) {
    await home.qrun(['kill', 'web2'], { env: { QRUN_FAILPOINT: `${at}:kill` } });
    await home.qrun(['kill', 'web2']);
    await home.qrun(['gc']);
    expect({ at, state: stateOf(host) }).toEqual({ at, state: before });
    expect(leftOf(home, 'web2')).toEqual([]);
    if (at.startsWith('release:')) await detach(home, 'web2');
  }
});

test('what cannot be: another mode, no address, a strict reverse path filter, an interface of that name', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('vepa', `${still}nics: [{ kind: macvtap, parent: v0, mode: vepa, hostAccess: true }]\n`);
  home.profile('own', nic('{ address: 10.99.0.9/32 }'));
  home.profile('web1', nic('true'));
  expect(await refused(home, 'run', 'vepa', '-d')).toEqual({
    status: 2,
    stderr: expect.stringContaining('mode: bridge alone'),
  });
  expect(await refused(home, 'run', 'own', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('such as 10.99.0.9/24'),
  });
  host.must('sysctl -qw net.ipv4.conf.v0.rp_filter=1');
  expect(await refused(home, 'run', 'web1', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('rp_filter=2'),
  });
  host.must('sysctl -qw net.ipv4.conf.v0.rp_filter=0');
  await detach(home, 'web1');
  const name = way(host) ?? '';
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  host.must(`ip link add ${name} type bridge`);
  expect(await refused(home, 'run', 'web1', '-d')).toEqual({ status: 3, stderr: expect.stringContaining(name) });
  expect(host.made()).toEqual([name]);
  host.must(`ip link delete dev ${name}`);
  host.must('ip address flush dev v0');
  expect(await refused(home, 'run', 'web1', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('no address on v0'),
  });
  expect(host.made()).toEqual([]);
});

test('the script of show --shell makes it, shares it with a run of qrun’s, and takes it away', async (context) => {
  needsQemu(context);
  const host = await createWayHost(context);
  const before = stateOf(host);
  const home = createHome({ as: 'root', namespace: host.namespace });
  for (const vm of ['web1', 'web2']) home.profile(vm, nic('true'));
  const { stdout } = await home.qrun(['show', 'web1', '--shell']);
  const file = home.write('way.sh', stdout, 0o700);
  const running = home.startProgram(['bash', file]);
  await expect.poll(() => way(host), { timeout: 30_000 }).toBeDefined();
  await expect.poll(() => host.row(way(host) ?? '')?.ifalias, { timeout: 30_000 }).toBe('qrun-host:v0');
  await detach(home, 'web2');
  running.kill('SIGTERM');
  await running.end;
  expect(deviceTo(host, '10.78.0.77')).toBe(way(host));
  expect((await home.qrun(['kill', 'web2'])).status).toBe(0);
  expect(stateOf(host)).toEqual(before);
});

test('ports of a network of root’s: net up makes the way too, mends it, and net down takes it back', async (context) => {
  needsQemu(context);
  const { host, root, home } = await createPortHost(context);
  const before = stateOf(host);
  root.network(
    'lan0',
    `forward: macvtap\nbridge: { uplink: v0 }\nports: 2\nhostAccess: true\nowner: ${ownerFor('user').name}\n`,
  );
  expect(await root.qrun(['net', 'up', 'lan0'])).toMatchObject({ status: 0 });
  const name = way(host) ?? '';
  expect(deviceTo(host, '10.78.0.77')).toBe(name);
  home.profile('web1', `${still}nics: [{ kind: network, network: lan0 }]\n`);
  const apart = async (): Promise<boolean> =>
    (await home.qrun(['show', 'web1'])).stdout.includes('cannot reach one another');
  expect(await apart()).toBe(false);
  await detach(home, 'web1');
  root.profile('web2', nic('true'));
  await detach(root, 'web2');
  const told = async (of: typeof root, vm: string) => {
    const doctor = JSON.parse((await of.qrun(['doctor', vm, '--json'])).stdout) as { id: string; mend: unknown }[];
    return [(await of.qrun(['nics', vm])).stderr, doctor.find(({ id }) => id === 'running')?.mend];
  };
  for (const [of, vm] of [
    [home, 'web1'],
    [root, 'web2'],
  ] as const)
    expect(await told(of, vm)).toEqual(['', null]);
  expect((await root.qrun(['kill', 'web2'])).status).toBe(0);
  expect(way(host)).toBe(name);
  await detach(root, 'web2');
  host.must(`ip link delete dev ${name}`);
  expect(await apart()).toBe(true);
  for (const [of, vm, mend] of [
    [home, 'web1', 'sudo qrun net up lan0'],
    [root, 'web2', 'qrun stop web2; then start it again'],
  ] as const) {
    expect(await told(of, vm)).toEqual([expect.stringContaining(`the host's way on v0 is gone`), mend]);
    expect((await of.qrun(['kill', vm])).status).toBe(0);
  }
  expect(JSON.parse((await root.qrun(['net', 'info', 'lan0', '--json'])).stdout)).toMatchObject({ state: 'broken' });
  expect(await root.qrun(['net', 'up', 'lan0'])).toMatchObject({ status: 0 });
  expect(deviceTo(host, '10.78.0.77')).toBe(name);
  expect(await root.qrun(['net', 'down', 'lan0'])).toMatchObject({ status: 0 });
  expect(stateOf(host)).toEqual(before);
});

test('on a card that is a macvlan, or that goes down while a VM runs', async (context) => {
  needsQemu(context);
  const host = await createWayHost(context);
  for (const line of [
    'ip link add link v0 name mv0 type macvlan mode bridge',
    'ip address add 10.79.0.1/24 dev mv0',
    'ip link set mv0 up',
  ])
    host.must(line);
  const before = stateOf(host);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [{ kind: macvtap, parent: mv0, hostAccess: true }]\n`);
  home.profile('web2', nic('true'));
  expect((await home.qrun(['show', 'web1'])).stdout).toContain('mv0 is a macvlan of the host');
  await detach(home, 'web1');
  // the kernel puts it beside the macvlan
  expect(host.made().map((name) => host.row(name)?.link)).toEqual(['v0']);
  expect(deviceTo(host, '10.79.0.77')).toBe('mv0');
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(stateOf(host)).toEqual(before);
  host.must('ip link delete dev mv0');
  await detach(home, 'web2');
  // the kernel lets no bridge have what others stand on
  expect(host.namespace.run(['ip', 'link', 'set', 'dev', 'v0', 'master', 'br0']).status).not.toBe(0);
  host.must('ip link set dev v0 down');
  expect((await home.qrun(['kill', 'web2'])).status).toBe(0);
  expect(host.made()).toEqual([]);
});
