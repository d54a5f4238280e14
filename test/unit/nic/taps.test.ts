/** NICs of kind `tap` and `macvtap`: what QEMU is told, what is made, what is refused. */
import { describe, expect, test } from 'vitest';
import type { HostFacts } from '../../../src/host/facts.ts';
import type { HostLink } from '../../../src/host/host-link.ts';
import type { LinkDoor } from '../../../src/host/link-door.ts';
import { linkAliasOf } from '../../../src/link-name.ts';
import type { IfName, Mac } from '../../../src/names.ts';
import type { MacvtapNic, TapNic } from '../../../src/profile/profile.ts';
import { aUserNic } from '../qemu/a-profile.ts';
import { netdevOf, planOf, qemuWithout } from './a-cable.ts';
import { aHostLink, aLinkDoor } from './a-link-door.ts';

const { id, model, queues, vhost } = aUserNic();
const aTap = (changes: Partial<TapNic>): TapNic => ({ ...{ id, model, queues, vhost }, kind: 'tap', ...changes });
const aMacvtap = (changes: Partial<MacvtapNic> = {}): MacvtapNic => ({
  ...{ id, model, queues, vhost },
  ...({ kind: 'macvtap', parent: 'eth0' as IfName, mode: 'bridge', hostAccess: false } as const),
  ...changes,
});
type Facts = Pick<HostFacts, 'macs'> & { readonly linkDoor: LinkDoor };
const tap0 = 'tap0' as IfName;
const br0 = 'br0' as IfName;
const macs = { net0: '52:54:00:00:00:01' as Mac };
const withDoor = (changes: Partial<LinkDoor> = {}): Facts => ({ linkDoor: aLinkDoor(changes), macs });
const withLink = (name: string, changes: Partial<HostLink>): Facts => {
  const door = aLinkDoor();
  const link = aHostLink(name, { ...door.links[name], ...changes });
  return { linkDoor: { ...door, links: { ...door.links, [name]: link } }, macs };
};
const refused = (message: string, code?: string) =>
  expect.objectContaining({ message: expect.stringContaining(message), ...(code !== undefined && { code }) });

describe('a tap that is there', () => {
  test('is told to QEMU as one would by hand, in the old syntax and in JSON', () => {
    expect(netdevOf(aTap({ device: tap0 }), '6.2', withDoor())).toBe('tap,id=net0,ifname=tap0,script=no,downscript=no');
    const linkDoor = aLinkDoor({ vhost: { state: 'ok' } });
    for (const version of ['7.2', '10.0'] as const)
      expect(JSON.parse(netdevOf(aTap({ device: tap0 }), version, { linkDoor, macs }))).toEqual({
        ...{ type: 'tap', id: 'net0', ifname: 'tap0', script: 'no', downscript: 'no', vhost: true },
      });
  });

  test('is looked at and not made, and its bridge is what it hangs on', () => {
    expect(planOf(aTap({ device: tap0 }), withDoor({ rights: 'none' }))).toMatchObject({
      steps: [{ kind: 'tap-check', name: 'tap0', needsRoot: false }],
      source: 'br0',
      hostInterface: 'tap0',
    });
  });

  test.each([
    ['of another user', { tap: { owner: 7, multiQueue: false } }, 'belongs to another user (uid 7)', 'permission'],
    ['of a group', { tap: { owner: 1000, group: 7, multiQueue: false } }, 'for the group 7', 'permission'],
    ['with more queues', { tap: { owner: 1000, multiQueue: true } }, 'made for several queues', 'host-failed'],
    ['that is a tun', { kind: 'tun' as const }, 'a tun', 'host-failed'],
    ['that is none', { kind: 'bridge' as const }, 'is no tap, but a bridge', 'host-failed'],
  ])('%s is refused', (...[, changes, message, code]) => {
    expect(() => planOf(aTap({ device: tap0 }), withLink('tap0', changes))).toThrow(refused(message, code));
  });

  test('that is on another bridge than the profile says is refused', () => {
    expect(() => planOf(aTap({ device: tap0, bridge: br0 }), withLink('tap0', { master: 'br1' }))).toThrow(
      refused('tap0 is a port of br1, and not of br0'),
    );
  });

  test('without an owner, and down, is told', () => {
    const { notes } = planOf(aTap({ device: tap0 }), withLink('tap0', { up: false, tap: { multiQueue: false } }));
    expect(notes).toContainEqual(expect.stringContaining('every user of this host can take it'));
    expect(notes).toContainEqual(expect.stringContaining('sudo ip link set tap0 up'));
  });
});

test('a tap that another program has is told, as far as it can be seen', () => {
  const told = (taken: Record<string, string>) => planOf(aTap({ device: tap0 }), withDoor({ taken })).notes?.[0];
  expect(told({ tap0: 'pid 7 (qemu)' })).toBe(
    'net0: tap0 is in use by pid 7 (qemu): a run is refused as long as it is',
  );
  expect(told({ tap0: '' })).toBe('net0: tap0 is in use: a run is refused as long as it is');
  expect(told({})).not.toContain('in use');
});

describe('a tap that is made', () => {
  test('by the commands that one would use by hand', () => {
    const [step] = planOf(aTap({ bridge: br0, device: 'vt0' as IfName, queues: 2 }), withDoor()).steps;
    expect(step).toMatchObject({ kind: 'link', needsRoot: true, name: 'vt0' });
    expect(step?.kind === 'link' && step.commands).toEqual([
      'tuntap add dev vt0 mode tap user 1000 multi_queue vnet_hdr',
      `link set dev vt0 alias ${linkAliasOf({ state: '/state', vm: 'web1', nic: 'net0', role: 'tap' })} address fe:54:00:00:00:01 mtu 1500 addrgenmode none`,
      'link set dev vt0 master br0',
      'link set dev vt0 up',
    ]);
  });

  test('is one still when it is there already, of this very VM', () => {
    const alias = linkAliasOf({ state: '/state', vm: 'web1', nic: 'net0', role: 'tap' });
    expect(planOf(aTap({ device: tap0 }), withLink('tap0', { alias })).steps).toMatchObject([{ kind: 'link' }]);
  });

  test.each([
    ['none', 'takes root', { device: 'vt0' as IfName }],
    ['contained', 'CAP_NET_ADMIN', { device: 'vt0' as IfName }],
    ['none', 'to make a tap on br0 takes root', { bridge: br0 }],
  ] as const)('with rights %s is refused: %s', (rights, message, nic) => {
    expect(() => planOf(aTap(nic), withDoor({ rights }))).toThrow(refused(message, 'permission'));
  });

  test('on what is no bridge is refused', () => {
    expect(() => planOf(aTap({ bridge: 'eth0' as IfName }), withDoor())).toThrow(refused('eth0 is no bridge'));
    expect(() => planOf(aTap({ bridge: 'br9' as IfName }), withDoor())).toThrow(refused('there is no bridge br9'));
    expect(() => planOf(aTap({ bridge: tap0 }), withDoor())).toThrow(refused('a port of br0'));
  });

  test('a name that ip would read as more than a word is handed to it by nobody', () => {
    const odd = 'a"b#c' as IfName;
    expect(() => planOf(aTap({ device: odd }), withDoor())).toThrow(refused('is no name that ip takes', 'host-failed'));
    expect(() => planOf(aTap({ device: '-all' as IfName }), withDoor())).toThrow(refused('is no name that ip takes'));
  });
});

test('ABUSE 57: vhost on without its device is refused before QEMU; off and auto never ask for it', () => {
  const door = withDoor();
  expect(() => planOf(aTap({ device: tap0, vhost: 'on' }), door)).toThrow(refused('/dev/vhost-net', 'missing-feature'));
  expect(() => planOf(aTap({ device: tap0, vhost: 'on' }), withDoor({ vhost: { state: 'blocked' } }))).toThrow(
    refused('may not open /dev/vhost-net', 'permission'),
  );
  for (const wanted of ['auto', 'off'] as const)
    expect(planOf(aTap({ device: tap0, vhost: wanted }), door).netdev).not.toHaveProperty('vhost');
  expect(planOf(aTap({ device: tap0 }), door).notes).toContainEqual(expect.stringContaining('sudo modprobe vhost_net'));
});

test('a QEMU without taps says so; /sys of another network is told', () => {
  for (const nic of [aTap({ device: tap0 }), aMacvtap()]) {
    expect(() => planOf(nic, { qemu: qemuWithout('tap'), ...withDoor() })).toThrow(refused('tap', 'missing-feature'));
    expect(() => planOf(nic, withDoor({ others: [] }))).toThrow(refused('/sys here is that of another network'));
  }
});

describe('a macvtap', () => {
  test('is made by the commands that one would use by hand, and handed to QEMU as a descriptor', () => {
    const { steps, netdev, fds } = planOf(aMacvtap(), withDoor());
    const [link, node] = steps;
    if (link?.kind !== 'link' || node?.kind !== 'tap-node') throw new Error('other steps');
    expect(link.commands).toEqual([
      `link add link eth0 name ${link.name} index ${node.index} address 52:54:00:00:00:01 type macvtap mode bridge`,
      `link set dev ${link.name} alias ${link.alias} address 52:54:00:00:00:01 addrgenmode none allmulticast on`,
      `link set dev ${link.name} up`,
    ]);
    expect(node).toMatchObject({ path: `/dev/tap${node.index}`, fds: [5], owner: { uid: 1000 }, needsRoot: true });
    expect(netdev).toEqual({ type: 'tap', id: 'net0', fd: '5' });
    expect(fds).toEqual([{ fd: 5, path: node.path }]);
    expect(netdevOf(aMacvtap({ queues: 5 }), '6.2', withDoor())).toBe('tap,id=net0,fds=5:6:7:8:9');
  });

  test('whose device an ordinary user is given by sudo: udev’s rules come first', () => {
    const nodeOf = (door: Partial<LinkDoor>) => planOf(aMacvtap(), withDoor(door)).steps[1];
    const sudo = { rights: 'sudo', sudo: 'noninteractive' } as const;
    expect(nodeOf({ ...sudo, udev: true })).toMatchObject({ kind: 'tap-node', settle: true });
    for (const door of [
      { ...sudo, udev: false },
      { rights: 'own', udev: true },
    ] as const)
      expect(nodeOf(door)).not.toHaveProperty('settle');
  });

  test.each([
    ['no card', 'nope0', {}, 'no network card nope0'],
    ['Wi-Fi', 'eth0', { kind: 'wifi' as const }, 'eth0 is Wi-Fi'],
    ['the loopback', 'eth0', { kind: 'loopback' as const }, 'the loopback'],
    ['a port of a bridge', 'eth0', { master: 'br0' }, 'a port of br0'],
    ['a card that is down', 'eth0', { up: false }, 'eth0 is down'],
  ])('on %s is refused', (...[, parent, changes, message]) => {
    const door = parent === 'eth0' ? withLink('eth0', changes) : withDoor();
    expect(() => planOf(aMacvtap({ parent: parent as IfName }), door)).toThrow(refused(message, 'host-failed'));
  });

  test.each([
    [
      'a port',
      linkAliasOf({ state: '/s', vm: 'net/lan0', nic: '0', role: 'macvtap' }),
      'qr-1 of network lan0',
      'sudo qrun net down lan0',
    ],
    [
      'another user’s',
      linkAliasOf({ state: '/s', vm: 'p1', nic: 'net0', role: 'macvtap' }),
      'qr-1 of another user',
      'ip -details link show dev qr-1',
    ],
    [
      'this user’s',
      linkAliasOf({ state: '/state', vm: 'p1', nic: 'net0', role: 'macvtap' }),
      'qr-1 of p1',
      'qrun stop p1',
    ],
    ['nobody’s', '', 'qr-1', 'ip -details link show dev qr-1'],
  ])('on a card that %s has alone: told, with what frees it', (...[, alias, who, hint]) => {
    const told = (alone: boolean, changes: Partial<MacvtapNic> = {}) =>
      planOf(aMacvtap(changes), withDoor({ uses: { eth0: [{ name: 'qr-1', alias, alone }] } })).notes?.find((note) =>
        note.includes('a run is refused'),
      );
    expect(told(false)).toBeUndefined();
    expect(told(true)).toContain(who);
    expect(told(true)).toContain(`(${hint})`);
    expect(told(false, { mode: 'passthru' })).toContain('eth0 cannot be had alone');
  });

  test('that the host cannot reach is told, unless it can', () => {
    expect(planOf(aMacvtap(), withDoor()).notes).toContainEqual(
      expect.stringContaining('hostAccess: true makes a way'),
    );
    const { notes } = planOf(aMacvtap({ hostAccess: true }), withDoor());
    expect(notes).not.toContainEqual(expect.stringContaining('cannot reach'));
  });

  const wayOf = (changes: Partial<MacvtapNic>, door: Partial<LinkDoor> = {}) => {
    const [link, , way] = planOf(aMacvtap(changes), withDoor(door)).steps;
    if (link?.kind !== 'link' || way?.kind !== 'host-access') throw new Error('no way');
    return { link, way };
  };

  test('with hostAccess: the host’s addresses of both families, and routes more exact than the card’s own', () => {
    const { link, way } = wayOf({ hostAccess: true });
    expect(link.commands[1]).toMatch(/ group 1903314552$/);
    expect(way).toMatchObject({ parent: 'eth0', links: [link.name], name: expect.stringMatching(/^qr-way/) });
    expect(way.add).toEqual([
      expect.stringMatching(/^link add link eth0 name qr-way\w+ address 02:\S+ type macvlan mode bridge$/),
    ]);
    expect(way.settings).toEqual([`net/ipv6/conf/${way.name}/accept_ra=0`, `net/ipv6/conf/${way.name}/disable_ipv6=0`]);
    expect(way.commands).toEqual([
      `address replace 10.0.5.1/32 dev ${way.name} noprefixroute`,
      `address replace fd00:5::1/128 dev ${way.name} nodad noprefixroute`,
      `link set dev ${way.name} up`,
      `route replace 10.0.5.0/25 dev ${way.name} src 10.0.5.1 scope link`,
      `route replace 10.0.5.128/25 dev ${way.name} src 10.0.5.1 scope link`,
      `route replace fd00:5::/65 dev ${way.name} src fd00:5::1`,
      `route replace fd00:5:0:0:8000::/65 dev ${way.name} src fd00:5::1`,
      `link set dev ${way.name} alias qrun-host:eth0`,
    ]);
  });

  test.each([
    ['10.0.5.9/32', ['10.0.5.0/25', '10.0.5.128/25']],
    ['10.0.5.193/26', ['10.0.5.192/26']],
    ['10.0.5.9/24', ['10.0.5.0/25', '10.0.5.128/25']],
    ['10.9.9.1/24', ['10.9.9.0/24']],
    ['10.0.4.1/23', ['10.0.4.0/24', '10.0.5.0/24', '10.0.5.0/25', '10.0.5.128/25']],
    ['fd00:9::1/64', ['fd00:9::/64']],
  ])('with an address of its own, %s: routes to %s', (address, routes) => {
    const { way } = wayOf({ hostAccess: { address } });
    const src = address.split('/')[0];
    expect(way.address).toBe(src);
    const made = way.commands.filter((line) => line.startsWith('route ')).map((line) => line.split(' '));
    expect(made.map((words) => words[2])).toEqual(routes);
    expect(made.every((words) => words[6] === src)).toBe(true);
  });

  test('the host’s way cannot be without an address, or where answers are dropped', () => {
    const way = (changes: object) => ({ ways: { eth0: { addresses: [], networks: [], strict: false, ...changes } } });
    expect(() => wayOf({ hostAccess: true }, way({}))).toThrow(refused('the host has no address on eth0'));
    expect(() => wayOf({ hostAccess: { address: '10.0.5.9/32' } }, way({}))).toThrow(refused('is in no network'));
    expect(() => wayOf({ hostAccess: true }, way({ addresses: ['10.0.5.1/24'], strict: true }))).toThrow(
      refused('rp_filter 1'),
    );
  });

  test('on a macvlan of the host’s own there is a way without one', () => {
    const door = { ways: { eth0: { addresses: [], networks: [], strict: false, macvlan: true } } } as const;
    const { steps, notes } = planOf(aMacvtap({ hostAccess: true }), withDoor(door));
    expect(steps.map(({ kind }) => kind)).toEqual(['link', 'tap-node']);
    expect(notes).toContainEqual(expect.stringContaining('they reach one another'));
    expect(planOf(aMacvtap(), withDoor(door)).notes).not.toContainEqual(expect.stringContaining('cannot reach'));
  });

  test('what setup made is taken as it is, without root, and leads to every guest', () => {
    const lasting = { name: 'qrh-eth0', addresses: ['10.0.5.9/32'] };
    const door = { ways: { eth0: { addresses: ['10.0.5.1/24'], networks: [], strict: false, lasting } } };
    for (const hostAccess of [true, { address: '10.0.5.9/32' }]) {
      const { steps, notes } = planOf(aMacvtap({ hostAccess }), withDoor(door));
      expect(steps.map(({ kind }) => kind)).toEqual(['link', 'tap-node']);
      expect(notes).toContainEqual(expect.stringContaining('through qrh-eth0, which setup made'));
    }
    expect(planOf(aMacvtap(), withDoor(door)).notes).not.toContainEqual(expect.stringContaining('cannot reach'));
    expect(() => planOf(aMacvtap({ hostAccess: { address: '10.0.5.8/32' } }), withDoor(door))).toThrow(
      refused('10.0.5.8 is not its address', 'in-use'),
    );
  });

  test('goes through sudo only when the configuration says so', () => {
    expect(planOf(aMacvtap(), withDoor({ rights: 'sudo', sudo: 'ask' })).steps).toMatchObject([
      { sudo: 'ask' },
      { sudo: 'ask' },
    ]);
    expect(planOf(aMacvtap(), withDoor()).steps[0]).not.toHaveProperty('sudo');
  });

  test('the card’s MTU is told to the guest', () => {
    expect(planOf(aMacvtap(), withLink('eth0', { mtu: 9000 })).device).toEqual({ host_mtu: 9000 });
  });
});
