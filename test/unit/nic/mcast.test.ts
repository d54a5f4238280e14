import { describe, expect, test } from 'vitest';
import type { LinkFact } from '../../../src/host/facts.ts';
import { renderKeyval } from '../../../src/qemu/option.ts';
import { capabilitiesOf } from '../qemu/a-profile.ts';
import { aMcastNic, netdevOf, planOf, qemuWithout } from './a-cable.ts';

const lan: LinkFact = { name: 'eth1', addresses: ['fd00::5', '192.0.2.5', '192.0.2.6'], up: true };

describe('what QEMU is told', () => {
  test('ABUSE 34: is what a careful person writes, loopback said, in the old syntax and in JSON', () => {
    expect(netdevOf(aMcastNic(), '6.2')).toBe('socket,id=net0,mcast=230.0.0.1:5558,localaddr=127.0.0.1');
    const json = { type: 'socket', id: 'net0', mcast: '230.0.0.1:5558', localaddr: '127.0.0.1' };
    expect(JSON.parse(netdevOf(aMcastNic(), '7.2'))).toEqual(json);
    expect(JSON.parse(netdevOf(aMcastNic(), '10.0'))).toEqual(json);
  });

  test('an interface is told by its IPv4 address', () => {
    expect(netdevOf(aMcastNic({ interface: '192.0.2.5' }), '6.2')).toContain('localaddr=192.0.2.5');
    expect(netdevOf(aMcastNic({ interface: 'eth1' }), '6.2', { links: [lan] })).toContain('localaddr=192.0.2.5');
  });

  test('a QEMU without socket has the same by dgram; one without both says so', () => {
    const qemu = qemuWithout('socket');
    expect(renderKeyval(planOf(aMcastNic(), { qemu }).netdev, 'type')).toBe(
      'dgram,id=net0,remote.type=inet,remote.host=230.0.0.1,remote.port=5558,local.type=inet,local.host=127.0.0.1,local.port=5558',
    );
    const bare = { ...capabilitiesOf('7.2'), netdevTypes: ['user'] };
    expect(() => planOf(aMcastNic(), { qemu: bare })).toThrow(expect.objectContaining({ code: 'missing-feature' }));
  });
});

test('the group is tried on that address before QEMU joins it', () => {
  expect(planOf(aMcastNic({ interface: 'eth1' }), { links: [lan] }).steps).toEqual([
    { kind: 'group', id: 'group:net0', needsRoot: false, address: '230.0.0.1', port: 5558, interface: '192.0.2.5' },
  ]);
});

test('who can read and send is said', () => {
  for (const nic of [aMcastNic(), aMcastNic({ interface: '127.0.0.1' })])
    expect(planOf(nic).notes).toEqual([
      'net0: every user of this host can read the frames of 230.0.0.1:5558 and send some',
    ]);
  expect(planOf(aMcastNic({ interface: 'eth1' }), { links: [lan] })).toMatchObject({
    source: '230.0.0.1:5558 on eth1',
    notes: [expect.stringContaining('frames leave this host in clear through eth1 (192.0.2.5)')],
  });
  expect(planOf(aMcastNic({ interface: '192.0.2.5' })).notes).toEqual([
    expect.stringContaining('frames leave this host in clear through 192.0.2.5: '),
  ]);
});

test.each([
  ['gone0', [lan], 'there is no interface gone0'],
  ['eth1', [{ ...lan, up: false }], 'eth1 is down'],
  ['eth1', [{ ...lan, addresses: ['fd00::5'] }], 'eth1 has no IPv4 address'],
])('the interface %s that cannot be used is named', (name, links, message) => {
  expect(() => planOf(aMcastNic({ interface: name }), { links })).toThrow(
    expect.objectContaining({ code: 'host-failed', message: `nics[0].interface: ${message}` }),
  );
});
