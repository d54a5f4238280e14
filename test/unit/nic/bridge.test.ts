import { describe, expect, test } from 'vitest';
import type { BridgeDoor } from '../../../src/host/bridge-door.ts';
import type { IfName } from '../../../src/names.ts';
import { faultsOfDoor } from '../../../src/nic/bridge-faults.ts';
import type { NicPlan } from '../../../src/nic/nic-kind.ts';
import { dropTo } from '../../../src/plan/drop-to.ts';
import type { BridgeNic } from '../../../src/profile/profile.ts';
import { aUserNic } from '../qemu/a-profile.ts';
import { aBridgeDoor, helperFile } from './a-bridge-door.ts';
import { netdevOf, planOf, qemuWithout } from './a-cable.ts';

const { id, model, queues, vhost } = aUserNic();
const aBridgeNic = (changes: Partial<BridgeNic> = {}): BridgeNic => ({
  ...{ id, model, queues, vhost },
  kind: 'bridge',
  bridge: 'br0' as IfName,
  ...changes,
});

const planned = (nic: BridgeNic, door: BridgeDoor): NicPlan => planOf(nic, { bridgeDoors: { net0: door } });

describe('what QEMU is told', () => {
  test('is the bridge alone, in the old syntax and in JSON', () => {
    const facts = { bridgeDoors: { net0: aBridgeDoor() } };
    expect(netdevOf(aBridgeNic(), '6.2', facts)).toBe('bridge,id=net0,br=br0');
    for (const version of ['7.2', '10.0'] as const)
      expect(JSON.parse(netdevOf(aBridgeNic(), version, facts))).toEqual({ type: 'bridge', id: 'net0', br: 'br0' });
  });

  test('and the helper, where QEMU would not find it by itself', () => {
    const facts = { bridgeDoors: { net0: aBridgeDoor({ helper: { file: '/opt/helper', told: true } }) } };
    expect(netdevOf(aBridgeNic(), '6.2', facts)).toBe('bridge,id=net0,br=br0,helper=/opt/helper');
  });

  test('ABUSE 23: a comma in the name of a bridge is a part of the name', () => {
    const nic = aBridgeNic({ bridge: 'b,helper=/e' as IfName });
    const facts = { bridgeDoors: { net0: aBridgeDoor({ bridge: { name: nic.bridge } }) } };
    expect(netdevOf(nic, '6.2', facts)).toBe('bridge,id=net0,br=b,,helper=/e');
    expect(JSON.parse(netdevOf(nic, '7.2', facts))).toMatchObject({ br: 'b,helper=/e' });
  });

  test('one that is built without it says so', () => {
    expect(() => planOf(aBridgeNic(), { qemu: qemuWithout('bridge'), bridgeDoors: { net0: aBridgeDoor() } })).toThrow(
      expect.objectContaining({ code: 'missing-feature' }),
    );
  });
});

describe('the MTU of the bridge', () => {
  test.each([
    ['the usual one is not told', {}, 1500, {}],
    ['a smaller one is', {}, 1400, { host_mtu: 1400 }],
    ['a larger one is', {}, 9000, { host_mtu: 9000 }],
    ['one that virtio cannot say is cut', {}, 65_536, { host_mtu: 65_535 }],
    ['what the profile says is left to it', { mtu: 1300 }, 1400, {}],
    ['another card cannot tell it', { model: 'e1000' }, 1400, {}],
  ])('%s', (...[, nic, mtu, device]) => {
    expect(planned(aBridgeNic(nic), aBridgeDoor({ bridge: { mtu } })).device).toEqual(device);
  });

  test('what does not fit is said', () => {
    const notes = (nic: Partial<BridgeNic>, mtu: number) =>
      planned(aBridgeNic(nic), aBridgeDoor({ bridge: { mtu } })).notes;
    expect(notes({}, 1500)).toEqual([]);
    expect(notes({ mtu: 9000 }, 1500)).toEqual([expect.stringContaining('of the 9000 that the guest is told')]);
    expect(notes({ model: 'e1000' }, 1400)).toEqual([expect.stringContaining('a e1000 does not tell the guest')]);
  });
});

test('the plan says where the tap will be, that no sandbox can be, and what the helper gains', () => {
  expect(planned(aBridgeNic(), aBridgeDoor())).toMatchObject({
    source: 'br0',
    tapOn: 'br0',
    steps: [],
    sandboxOff: expect.stringContaining('bridge helper'),
    keeps: ['net_admin'],
  });
});

test('a bridge that is down is a note, and no error', () => {
  expect(planned(aBridgeNic(), aBridgeDoor({ bridge: { up: false } })).notes).toEqual([
    'net0: br0 is down: nothing passes until: sudo ip link set br0 up',
  ]);
});

test('a bridge whose MAC is that of its guests’ taps is a note, with what makes it last', () => {
  expect(planned(aBridgeNic(), aBridgeDoor({ bridge: { lackingMac: '02:00:00:00:00:07' } })).notes).toEqual([
    expect.stringMatching(/br0 has no MAC of its own.*sudo ip link set dev br0 address 02:00:00:00:00:07\)$/),
  ]);
});

test('root’s QEMU keeps nothing but what the helper is to gain', () => {
  const facts = { runAs: { name: 'nobody', uid: 65_534, gid: 65_534 }, tools: {} };
  expect(dropTo(facts)).toContain('--bounding-set=-all');
  expect(dropTo(facts, ['net_admin'])).toContain('--bounding-set=-all,+net_admin');
  expect(dropTo({ tools: {} }, ['net_admin'])).toEqual([]);
});

describe('what is missing', () => {
  const place = { file: '/etc/qemu/bridge.conf', line: 3, text: 'allow br0 # x' };
  const rows: readonly (readonly [string, Parameters<typeof aBridgeDoor>[0], string, RegExp, RegExp])[] = [
    [
      'no helper',
      { helper: { found: false } },
      'missing-tool',
      /no bridge helper/,
      /apt-get install qemu-system-common/,
    ],
    [
      'no helper where the profile says',
      { helper: { found: false, told: true } },
      'missing-tool',
      /no bridge helper/,
      /leave helper out/,
    ],
    ['an unsafe helper', { helper: { unsafe: 'it is mine' } }, 'unsafe-file', /helper: it is mine/, /leave helper out/],
    [
      'a helper of nobody',
      { helper: { blocked: { member: false } } },
      'permission',
      /alice may not run/,
      /chmod a\+rx/,
    ],
    [
      'a group’s helper',
      { helper: { blocked: { group: 'kvm', member: false } } },
      'permission',
      /the group kvm may/,
      /usermod -aG kvm alice/,
    ],
    [
      'a group’s helper, joined since',
      { helper: { blocked: { group: 'kvm', member: true } } },
      'permission',
      /kvm/,
      /log in again, or: newgrp kvm/,
    ],
    ['no rights', { helper: { rights: 'none' } }, 'permission', /no right to make taps/, /qrun setup --bridge br0/],
    [
      'no rights of a program that is not QEMU’s helper',
      { helper: { file: '/bin/sh', told: true, foreign: true, rights: 'none' } },
      'permission',
      /helper: \/bin\/sh has no right/,
      /^leave helper out$/,
    ],
    [
      'mixed rights of such a one',
      { helper: { file: '/bin/su', foreign: true, rights: 'mixed' } },
      'permission',
      /with both/,
      /^leave helper out$/,
    ],
    [
      'such a one that is nobody’s',
      { helper: { file: '/bin/su', foreign: true, blocked: { member: false } } },
      'permission',
      /may not run/,
      /^leave helper out$/,
    ],
    ['nosuid', { helper: { rights: 'nosuid' } }, 'permission', /mounted nosuid/, /findmnt/],
    ['mixed rights', { helper: { rights: 'mixed' } }, 'permission', /with both it fails/, /chmod u-s/],
    ['no_new_privs', { gain: 'no-new-privs' }, 'permission', /no_new_privs/, /NoNewPrivileges/],
    ['a bare container', { gain: 'bounded' }, 'permission', /container/, /--cap-add NET_ADMIN/],
    ['no bridge.conf', { conf: { verdict: 'absent', file: '/c' } }, 'permission', /there is no \/c/, /qrun setup/],
    [
      'a secret bridge.conf',
      { conf: { verdict: 'unreadable', file: '/c' } },
      'permission',
      /may not read \/c/,
      /chmod a\+r \/c/,
    ],
    [
      'a strange bridge.conf',
      { conf: { verdict: 'strange', file: '/c' } },
      'permission',
      /no plain file/,
      /^sudo mv \/c \/c.old && sudo qrun setup --bridge br0$/,
    ],
    [
      'a bad line',
      { conf: { verdict: 'invalid', place, reason: 'why' } },
      'permission',
      /bridge.conf:3: why/,
      /\+3 \/etc\/qemu\/bridge.conf/,
    ],
    ['denied', { conf: { verdict: 'denied', rule: place, skipped: [] } }, 'permission', /:3 denies br0/, /\+3/],
    ['not allowed', { conf: { verdict: 'denied', skipped: [] } }, 'permission', /does not allow br0/, /qrun setup/],
    ['no tun', { tun: { state: 'absent' } }, 'host-failed', /no \/dev\/net\/tun/, /modprobe tun/],
    ['no driver', { tun: { state: 'no-driver' } }, 'host-failed', /no driver/, /modprobe tun/],
    ['a refused tun', { tun: { state: 'refused' } }, 'permission', /does not let/, /--device/],
    [
      'a closed tun',
      { tun: { state: 'blocked', blocked: { member: false } } },
      'permission',
      /may not open/,
      /chmod 0666/,
    ],
    ['no bridge', { bridge: { state: 'absent' } }, 'host-failed', /no bridge br0/, /qrun setup --bridge br0/],
    ['a card', { bridge: { name: 'eth0', state: 'other' } }, 'host-failed', /eth0 is no bridge/, /--uplink eth0/],
    [
      'a port',
      { bridge: { name: 'eth0', state: 'other', portOf: 'br1' } },
      'host-failed',
      /a port of br1/,
      /bridge: br1/,
    ],
  ];

  test.each(rows)('%s', (...[, changes, code, message, mend]) => {
    expect(faultsOfDoor(aBridgeDoor(changes), 'alice')).toEqual([
      expect.objectContaining({ code, message: expect.stringMatching(message), mend: expect.stringMatching(mend) }),
    ]);
  });

  test('of what is no bridge, setup is not told to make one', () => {
    const mendOf = (bridge: Partial<BridgeDoor['bridge']>): string | undefined =>
      faultsOfDoor(aBridgeDoor({ bridge, helper: { rights: 'none' } }), 'alice')[0]?.mend;
    expect(mendOf({ name: 'v0', state: 'other' })).toBe('sudo qrun setup --bridge br0 --uplink v0');
    expect(mendOf({ name: 'lo', state: 'other' })).toBe('sudo qrun setup --bridge br0');
    expect(mendOf({ name: 'v0', state: 'other', portOf: 'br1' })).toBe('sudo qrun setup --bridge br1');
  });

  test('no setcap is advised for a program that is not QEMU’s helper', () => {
    const [fault] = faultsOfDoor(aBridgeDoor({ helper: { foreign: true, rights: 'none' } }), 'alice');
    expect(JSON.stringify(fault)).not.toContain('setcap');
  });

  test('nothing, where all is there or cannot be known', () => {
    expect(faultsOfDoor(aBridgeDoor(), 'alice')).toEqual([]);
    expect(faultsOfDoor(aBridgeDoor({ helper: { rights: 'unknown' } }), 'alice')).toEqual([]);
  });

  test('ABUSE 23: a name that a shell would read is quoted in what people are to paste', () => {
    const conf = { verdict: 'denied', skipped: [] } as const;
    const [fault] = faultsOfDoor(aBridgeDoor({ bridge: { name: "b;'$(id)" }, conf }), 'alice');
    expect(fault?.mend).toBe(String.raw`sudo qrun setup --bridge 'b;'\''$(id)'`);
    expect(fault?.causes[0]).toContain(String.raw`echo 'allow b;'\''$(id)' | sudo tee`);
  });

  test('all of it is said at once; the first has the hint', () => {
    const door = aBridgeDoor({
      helper: { rights: 'none' },
      conf: { verdict: 'absent', file: '/etc/qemu/bridge.conf' },
      tun: { state: 'absent' },
    });
    expect(() => planned(aBridgeNic(), door)).toThrow(
      expect.objectContaining({
        message: `nics[0]: ${helperFile} has no right to make taps (a package upgrade takes it away again)`,
        hint: 'sudo qrun setup --bridge br0',
        causes: [
          `by hand: sudo setcap cap_net_admin=ep ${helperFile}`,
          'also: there is no /etc/qemu/bridge.conf: the bridge helper lets nobody on any bridge',
          expect.stringMatching(/^also: there is no \/dev\/net\/tun \(sudo modprobe tun/),
        ],
      }),
    );
  });
});
