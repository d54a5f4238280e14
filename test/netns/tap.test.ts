/** `kind: tap`: taps that were prepared, by their user; taps that root's qrun makes. In a network of the test's own. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { bothQemus, createHome, needsEitherQemu, needsQemu, ownerFor, refused, testFacts } from '../harness/harness.ts';
import { argvOf, detach, leftOf, nothingLeft, rowOf, statusOf, still } from '../cli/a-vm.ts';
import { createLinkHost } from './a-link-host.ts';

const user = (): string => String(ownerFor('user').uid);

const netdevsOf = (pid: number): unknown[] => {
  const argv = argvOf(pid);
  return argv.flatMap((word, index) => (argv[index - 1] === '-netdev' ? [JSON.parse(word) as unknown] : []));
};

test.for(bothQemus)('a tap of the user’s own is used, and stays, with the %s QEMU', async (which, context) => {
  const qemu = needsEitherQemu(context, which);
  const host = await createLinkHost(context);
  host.must(`ip tuntap add dev pt0 mode tap user ${user()} vnet_hdr`);
  host.must('ip link set dev pt0 master br0 up');
  const before = host.state();
  const home = createHome({ qemu, namespace: host.namespace });
  home.profile('web1', `${still}nics: [{ kind: tap, device: pt0, bridge: br0 }]\n`);
  home.profile('web2', `${still}nics: [tap:pt0]\n`);
  const { pid } = await detach(home, 'web1');
  expect(netdevsOf(pid)).toEqual([{ type: 'tap', id: 'net0', ifname: 'pt0', script: 'no', downscript: 'no' }]);
  expect((await rowOf(home, 'web1')).nics).toMatchObject([{ kind: 'tap', source: 'br0', hostInterface: 'pt0' }]);
  // it is told by whom, before QEMU is asked
  expect(await refused(home, 'run', 'web2', '-d')).toEqual({
    status: 4,
    stderr: expect.stringMatching(new RegExp(`the tap pt0 is in use by pid ${pid} \\(qemu`)),
  });
  // what a run would do can be looked at while it runs, and who is in its way
  const told = `net0: pt0 is in use by pid ${pid} (qemu`;
  const shown = await home.qrun(['show', 'web1']);
  expect(shown.status).toBe(0);
  expect(shown.stdout).not.toContain('is in use');
  expect((await home.qrun(['show', 'web2'])).stdout).toContain(told);
  const checks = JSON.parse((await home.qrun(['doctor', 'web2', '--json'])).stdout) as { id: string }[];
  for (const id of ['nic-net0', 'profile'])
    expect(checks.find((check) => check.id === id)).toMatchObject({
      state: 'warn',
      evidence: expect.stringContaining(told),
    });
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(host.state()).toEqual(before);
});

test('a tap that is down is free, whoever has one of that name in another network', async (context) => {
  needsQemu(context);
  const [here, there] = [await createLinkHost(context), await createLinkHost(context)];
  for (const host of [here, there]) host.must(`ip tuntap add dev both0 mode tap user ${user()} vnet_hdr`);
  const homes = [createHome({ namespace: there.namespace }), createHome({ namespace: here.namespace })];
  for (const home of homes) {
    home.profile('web1', `${still}nics: [tap:both0]\n`);
    await detach(home, 'web1');
  }
  for (const home of homes) expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});

test('several queues: the tap and the profile must agree', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  host.must(`ip tuntap add dev one0 mode tap user ${user()} vnet_hdr`);
  host.must(`ip tuntap add dev two0 mode tap user ${user()} vnet_hdr multi_queue`);
  const home = createHome({ namespace: host.namespace });
  home.profile('good', `${still}nics: [{ kind: tap, device: two0, queues: 2 }]\n`);
  home.profile('many', `${still}nics: [{ kind: tap, device: one0, queues: 2 }]\n`);
  home.profile('few', `${still}nics: [tap:two0]\n`);
  const { pid } = await detach(home, 'good');
  expect(netdevsOf(pid)).toMatchObject([{ ifname: 'two0', queues: 2 }]);
  expect(host.row('two0')?.linkinfo?.info_data).toMatchObject({ multi_queue: true, numqueues: 1, numdisabled: 1 });
  expect((await home.qrun(['kill', 'good'])).status).toBe(0);
  expect(await refused(home, 'run', 'many', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('ip tuntap add dev one0'),
  });
  expect(await refused(home, 'run', 'few', '-d')).toEqual({ status: 3, stderr: expect.stringContaining('queues: 2') });
});

test('ABUSE 55: a tap of another user’s, and one that there is none of, are told apart', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  host.must('ip tuntap add dev their0 mode tap user 54321');
  host.must('ip tuntap add dev group0 mode tap group 54321');
  host.must('ip tuntap add dev tun0 mode tun');
  host.must('ip tuntap add dev any0 mode tap');
  const home = createHome({ namespace: host.namespace });
  for (const name of ['their0', 'group0', 'tun0', 'v0', 'br0', 'none0', 'any0'])
    home.profile(name, `${still}nics: [tap:${name}]\n`);
  home.profile('off', `${still}nics: [{ kind: tap, device: any0, bridge: br0 }]\n`);
  const before = host.state();
  const said = async (vm: string): Promise<string> => {
    const { status, stderr } = await refused(home, 'run', vm, '-d');
    expect({ vm, status, stderr }).toMatchObject({ status: 3 });
    return stderr;
  };
  expect(await said('their0')).toContain('belongs to another user (uid 54321)');
  expect(await said('group0')).toContain('for the group 54321');
  expect(await said('tun0')).toContain('a tun');
  expect(await said('v0')).toContain('v0 is no tap');
  expect(await said('br0')).toContain('in the profile: bridge: br0');
  expect(await said('none0')).toContain('there is no tap none0');
  expect(await said('none0')).toContain(`sudo ip tuntap add dev none0 mode tap user ${ownerFor('user').name} vnet_hdr`);
  expect(await said('off')).toContain('sudo ip link set dev any0 master br0');
  const any = await refused(home, 'run', 'any0', '-d');
  expect(any).toEqual({ status: 0, stderr: expect.stringContaining('any0 has no owner: every user of this host') });
  expect(any.stderr).toContain('any0 is down');
  expect((await home.qrun(['kill', 'any0'])).status).toBe(0);
  expect(host.state()).toEqual(before);
});

test('an ordinary user is told what must be prepared, and /dev/net/tun that he may not open', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context, { tunMode: '600' });
  host.must(`ip tuntap add dev pt0 mode tap user ${user()}`);
  const home = createHome({ namespace: host.namespace });
  home.profile('web1', `${still}nics: [tap:pt0]\n`);
  home.profile('web2', `${still}nics: [{ kind: tap, bridge: br0 }]\n`);
  home.profile('web3', `${still}nics: [{ kind: tap, bridge: br9 }]\n`);
  expect(await refused(home, 'run', 'web1', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('may not open /dev/net/tun'),
  });
  expect(await refused(home, 'run', 'web2', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('kind: bridge, bridge: br0'),
  });
  expect(await refused(home, 'run', 'web3', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('qrun setup --bridge br9'),
  });
});

test('ABUSE 23: what is no name of an interface is none of a tap', async (context) => {
  const host = await createLinkHost(context);
  const home = createHome({ namespace: host.namespace });
  for (const [index, name] of ['x,script=/e', 'tap%d', 'sixteen-bytes-16', '..', 'a/b'].entries()) {
    home.profile(`web${index}`, `${still}nics: [{ kind: tap, device: ${JSON.stringify(name)} }]\n`);
    expect(await refused(home, 'run', `web${index}`, '-d')).toMatchObject({ status: 2 });
  }
});

test('ABUSE 57: without /dev/vhost-net vhost: auto goes without and says so, vhost: on is refused before QEMU', async (context) => {
  needsQemu(context);
  if (existsSync('/dev/vhost-net')) context.skip('this host has /dev/vhost-net');
  const host = await createLinkHost(context);
  host.must(`ip tuntap add dev pt0 mode tap user ${user()}`);
  host.must('ip link set pt0 up');
  const home = createHome({ namespace: host.namespace });
  home.profile('auto', `${still}nics: [tap:pt0]\n`);
  home.profile('off', `${still}nics: [{ kind: tap, device: pt0, vhost: "off" }]\n`);
  home.profile('e1000', `${still}nics: [{ kind: tap, device: pt0, vhost: "on", model: e1000 }]\n`);
  expect((await home.qrun(['show', 'auto'])).stdout).toContain('there is no /dev/vhost-net');
  expect(await refused(home, 'run', 'auto', '-d')).toEqual({
    status: 0,
    stderr: expect.stringContaining('sudo modprobe vhost_net'),
  });
  expect((await home.qrun(['kill', 'auto'])).status).toBe(0);
  home.profile('on', `${still}nics: [{ kind: tap, device: pt0, vhost: "on" }]\n`);
  expect(await refused(home, 'run', 'on', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('there is no /dev/vhost-net'),
  });
  expect((await home.qrun(['show', 'off'])).stdout).not.toContain('vhost');
  expect(await refused(home, 'run', 'e1000', '-d')).toEqual({
    status: 2,
    stderr: expect.stringContaining('e1000 has no vhost'),
  });
});

test('root’s qrun makes taps for the user that QEMU runs as, and takes them away', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  host.must('ip link set br0 mtu 1400');
  const before = host.state();
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile(
    'web1',
    `${still}nics: [{ kind: tap, bridge: br0, mac: "52:54:00:12:34:56" }, { kind: tap, bridge: br0, device: vt0, queues: 2 }]\n`,
  );
  const shown = JSON.parse((await home.qrun(['show', 'web1', '--json'])).stdout) as {
    nics: { hostInterface: string }[];
    steps: { id: string; needsRoot: boolean; actions: { argv?: string[]; stdin?: string }[] }[];
  };
  const name = shown.nics[0]?.hostInterface ?? '';
  expect(name).toMatch(/^qr-[0-9a-f]{12}$/);
  const step = shown.steps.find(({ id }) => id === 'tap:net0');
  expect(step).toMatchObject({ needsRoot: true, actions: [{ argv: ['ip', '-batch', '-'] }] });
  expect(step?.actions[0]?.stdin?.split('\n')[0]).toMatch(
    new RegExp(`^tuntap add dev ${name} mode tap user \\d+ vnet_hdr$`),
  );
  const { pid } = await detach(home, 'web1');
  expect(statusOf(pid, 'Uid')).not.toMatch(/\b0\b/);
  expect(host.row(name)).toMatchObject({
    address: 'fe:54:00:12:34:56',
    mtu: 1400,
    master: 'br0',
    ifalias: expect.stringMatching(/^qrun:web1\/net0:/),
    linkinfo: { info_data: { type: 'tap', vnet_hdr: true, multi_queue: false, persist: true, user: 'nobody' } },
  });
  expect(host.row('vt0')).toMatchObject({
    master: 'br0',
    linkinfo: { info_data: { multi_queue: true, numqueues: 1, numdisabled: 1 } },
  });
  expect(await home.qrun(['kill', 'web1'])).toMatchObject({ status: 0 });
  expect(host.state()).toEqual(before);
  // the next run has another name: who still knows this one does not meet the next
  await detach(home, 'web1');
  expect(host.made()).toEqual([expect.stringMatching(/^qr-[0-9a-f]{12}$/)]);
  expect(host.made()).not.toEqual([name]);
  const { pid: again } = await rowOf(home, 'web1');
  process.kill(again, 'SIGKILL');
  expect(await nothingLeft(home, 'web1')).toBe(true);
  expect(host.state()).toEqual(before);
});

test('what is another’s is neither taken nor removed; what is a dead run’s of this VM is', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [{ kind: tap, bridge: br0 }]\n`);
  const { nics } = JSON.parse((await home.qrun(['show', 'web1', '--json'])).stdout) as {
    nics: { hostInterface: string }[];
  };
  const name = nics[0]?.hostInterface ?? '';
  // somebody has the name that was reserved: another is
  host.must(`ip link add ${name} type bridge`);
  await detach(home, 'web1');
  const [own = ''] = host.made().filter((made) => made !== name);
  const alias = host.row(own)?.ifalias ?? '';
  expect(host.row(own)).toMatchObject({ master: 'br0' });
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(host.made()).toEqual([name]);
  host.must(`ip link delete dev ${name}`);
  // its journal and everything else of it is lost: the alias still says whose it is
  host.must(`ip tuntap add dev ${own} mode tap`);
  host.must(`ip link set dev ${own} alias ${alias}`);
  await detach(home, 'web1');
  expect(host.row(own)).toBeUndefined();
  // a link of somebody else's under the name of one that went is left where it is
  const [next = ''] = host.made();
  host.must(`ip link delete dev ${next}`);
  host.must(`ip link add ${next} type bridge`);
  host.must(`ip link set dev ${next} alias mine`);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(host.made()).toEqual([next]);
});

test('the bridge goes before the start: nothing of the tap is left', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile(
    'web1',
    `${still}nics: [{ kind: tap, bridge: br0, device: one0 }, { kind: tap, bridge: v0, device: two0 }]\n`,
  );
  expect(await refused(home, 'run', 'web1', '-d')).toEqual({
    status: 3,
    stderr: expect.stringContaining('v0 is no bridge'),
  });
  const file = home.write('go', '#!/bin/sh\nexec ip link delete br1\n', 0o755);
  host.must('ip link add br1 type bridge');
  home.profile('web2', `${still}nics: [{ kind: tap, bridge: br1, device: one0 }]\nhooks: { beforeStart: [${file}] }\n`);
  // it is a tap without a bridge then: the guest has no network, and all is given back
  await detach(home, 'web2');
  expect((await home.qrun(['kill', 'web2'])).status).toBe(0);
  expect(host.row('one0')).toBeUndefined();
});

test('root without CAP_NET_ADMIN, as in a container, is told so', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [{ kind: tap, bridge: br0 }]\n`);
  home.profile('web2', `${still}nics: [macvtap:v0]\n`);
  for (const vm of ['web1', 'web2']) {
    const argv = [
      'setpriv',
      '--bounding-set=-net_admin',
      '--inh-caps=-net_admin',
      '--',
      testFacts().node,
      testFacts().bin,
      'run',
      vm,
      '-d',
    ];
    const { status, stderr } = await home.run(argv);
    expect({ status, stderr }).toEqual({ status: 3, stderr: expect.stringContaining('--cap-add NET_ADMIN') });
  }
});

test('ABUSE 64: kill -9 at each failpoint, then gc twice: the links are as before', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [{ kind: tap, bridge: br0 }, { kind: macvtap, parent: v0, hostAccess: true }]\n`);
  const before = host.state();
  const list = path.join(home.dir, 'failpoints');
  await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT_LIST: list } });
  await home.qrun(['kill', 'web1'], { env: { QRUN_FAILPOINT_LIST: list } });
  const names = [...new Set(readFileSync(list, 'utf8').trim().split('\n'))].filter((name) =>
    /net[01]$|spawn|running/.test(name),
  );
  for (const step of ['tap:net0', 'macvtap:net1', 'macvtap-node:net1', 'host-access:net1'])
    for (const at of ['acquire', 'acquired', 'release', 'released']) expect(names).toContain(`${at}:${step}`);
  for (const name of names) {
    await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${name}:kill` } });
    await home.qrun(['kill', 'web1']);
    expect({ name, ...(await home.qrun(['gc'])) }).toMatchObject({ status: 0 });
    expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
    expect({ name, state: host.state() }).toEqual({ name, state: before });
    expect(leftOf(home, 'web1')).toEqual([]);
  }
}, 180_000);

test('a start that fails behind any of its steps gives back all that it took', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [{ kind: tap, bridge: br0 }, { kind: macvtap, parent: v0, hostAccess: true }]\n`);
  const before = host.state();
  for (const step of ['tap:net0', 'macvtap:net1', 'macvtap-node:net1', 'host-access:net1']) {
    const env = { QRUN_FAILPOINT: `acquired:${step}:throw` };
    const { status, stderr } = await home.qrun(['run', 'web1', '-d'], { env });
    expect({ step, status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining('failpoint') });
    expect({ step, state: host.state() }).toEqual({ step, state: before });
    expect(leftOf(home, 'web1')).toEqual([]);
  }
});

test('one tap for two NICs of a VM: QEMU’s words are told in ours', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  host.must(`ip tuntap add dev pt0 mode tap user ${user()}`);
  host.must('ip link set dev pt0 up');
  const home = createHome({ namespace: host.namespace });
  home.profile('web1', `${still}nics: [tap:pt0, tap:pt0]\n`);
  expect(await refused(home, 'run', 'web1', '-d')).toEqual({
    status: 4,
    stderr: expect.stringContaining('the tap pt0 is in use, by another VM or by another NIC of this one'),
  });
  expect(leftOf(home, 'web1')).toEqual([]);
});
