import { expect, test } from 'vitest';
import { checkOfDoors } from '../../../src/launch/doctor-bridge.ts';
import { aBridgeDoor, helperFile } from '../nic/a-bridge-door.ts';

const links = [{ name: 'br0', kind: 'bridge', up: true, addresses: ['10.0.5.1', 'fd00::1'] }];
const at = { user: 'alice', links };
const denied = aBridgeDoor({ bridge: { name: 'virbr0' }, conf: { verdict: 'denied', skipped: [] } });

test('what works is told with the bridges that may be used, and the host’s addresses on them', () => {
  expect(checkOfDoors([denied, aBridgeDoor(), aBridgeDoor({ bridge: { name: 'br1', up: false } })], at)).toEqual({
    id: 'bridge',
    what: expect.stringContaining('kind: bridge'),
    state: 'ok',
    evidence: `${helperFile}, which has cap_net_admin; /etc/qemu/bridge.conf lets alice on br0 (10.0.5.1, fd00::1), br1 (down) (of 3)`,
    mend: null,
  });
});

test('what is missing is told whole, with what mends the first of it', () => {
  expect(checkOfDoors([denied], at)).toMatchObject({
    state: 'warn',
    evidence: '/etc/qemu/bridge.conf does not allow virbr0',
    mend: 'sudo qrun setup --bridge virbr0',
  });
  const bare = aBridgeDoor({ helper: { rights: 'none' }, bridge: { state: 'absent' } });
  expect(checkOfDoors([bare], at)).toMatchObject({
    evidence: expect.stringMatching(/no right to make taps .*; there is no bridge br0$/),
    mend: 'sudo qrun setup --bridge br0',
  });
});

test('rights that cannot be read are not taken for granted', () => {
  expect(checkOfDoors([aBridgeDoor({ helper: { rights: 'unknown' } })], at)).toMatchObject({
    state: 'warn',
    evidence: expect.stringContaining('without getcap'),
    mend: 'sudo apt-get install libcap2-bin',
  });
});
