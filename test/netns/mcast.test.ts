/** Multicast groups in a network of the test's own: loopback alone, loopback down, and a network beside it. */
import { expect, test } from 'vitest';
import { createHome, createNamespace, needsQemu, needsRoot, type Namespace } from '../harness/harness.ts';
import { detach, leftOf, still } from '../cli/a-vm.ts';

/** `lo 230.77.0.1`, … of /proc/net/igmp; 224.0.0.1, which every interface is in, is left out. */
const groupsOf = (namespace: Namespace): string[] => {
  let name = '';
  return namespace
    .run(['cat', '/proc/net/igmp'])
    .stdout.split('\n')
    .flatMap((line) => {
      name = /^\d+\s+(\S+)/.exec(line)?.[1] ?? name;
      const hex = /^\s+([0-9A-F]{8})\s/.exec(line)?.[1];
      if (hex === undefined) return [];
      const address = [...Buffer.from(hex, 'hex')].toReversed().join('.');
      return address === '224.0.0.1' ? [] : [`${name} ${address}`];
    });
};

async function createLan(): Promise<Namespace> {
  const namespace = await createNamespace();
  for (const argv of [
    ['ip', 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'peer0'],
    ['ip', 'addr', 'add', '10.9.0.1/24', 'dev', 'lan0'],
    ['ip', 'link', 'set', 'lan0', 'up'],
    ['ip', 'link', 'set', 'peer0', 'up'],
    ['ip', 'route', 'add', 'default', 'via', '10.9.0.2'],
  ])
    expect(namespace.run(argv)).toMatchObject({ status: 0, stderr: '' });
  return namespace;
}

test('ABUSE 34: beside a LAN with the default route, the group is joined on loopback alone', async (context) => {
  needsRoot(context);
  needsQemu(context);
  const namespace = await createLan();
  const home = createHome({ namespace });
  home.profile('web1', `${still}nics: [mcast:230.77.0.1:5000]\n`);
  await detach(home, 'web1');
  expect(groupsOf(namespace)).toEqual(['lo 230.77.0.1']);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(groupsOf(namespace)).toEqual([]);
});

test('on an interface that is named, or on its address, it is joined there', async (context) => {
  needsRoot(context);
  needsQemu(context);
  const namespace = await createLan();
  const home = createHome({ namespace });
  for (const on of ['lan0', '10.9.0.1']) {
    home.profile('web1', `${still}nics: [{ kind: mcast, group: 230.77.0.1:5000, interface: ${on} }]\n`);
    const { status, stderr } = await home.qrun(['run', 'web1', '-d']);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/leave this host in clear through .*10\.9\.0\.1/),
    });
    expect(groupsOf(namespace)).toEqual(['lan0 230.77.0.1']);
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  }
});

test('where loopback is down, it and doctor say so, and what mends it; an interface that is down or gone is named', async (context) => {
  needsRoot(context);
  needsQemu(context);
  const namespace = await createLan();
  const home = createHome({ namespace });
  home.profile('web1', `${still}nics: [mcast:230.77.0.1:5000]\n`);
  namespace.run(['ip', 'link', 'set', 'lo', 'down']);
  const { status, stderr } = await home.qrun(['run', 'web1', '-d']);
  expect({ status, stderr }).toEqual({ status: 3, stderr: expect.stringContaining('the loopback interface is down') });
  expect(stderr).toContain('sudo ip link set lo up');
  expect(leftOf(home, 'web1')).toEqual([]);
  expect(JSON.parse((await home.qrun(['doctor', '--json'])).stdout)).toContainEqual(
    expect.objectContaining({ id: 'loopback', state: 'fail', mend: 'sudo ip link set lo up' }),
  );
  namespace.run(['ip', 'link', 'set', 'lo', 'up']);
  await detach(home, 'web1');
  namespace.run(['ip', 'link', 'set', 'lan0', 'down']);
  for (const [on, words] of [
    ['lan0', 'lan0 is down'],
    ['gone0', 'there is no interface gone0'],
    ['peer0', 'peer0 has no IPv4 address'],
  ]) {
    home.profile('web2', `${still}nics: [{ kind: mcast, group: 230.77.0.1:5000, interface: ${on} }]\n`);
    const refused = await home.qrun(['run', 'web2', '-d']);
    expect({ status: refused.status, stderr: refused.stderr }).toEqual({
      status: 3,
      stderr: expect.stringContaining(words ?? ''),
    });
  }
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});
