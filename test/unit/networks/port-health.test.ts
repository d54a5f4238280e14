import { expect, test } from 'vitest';
import type { IfName, Mac } from '../../../src/names.ts';
import { faultsOfPort, type PortSight } from '../../../src/networks/port-health.ts';
import { aHostLink } from '../nic/a-link-door.ts';

const port = { number: 0, device: 'qr-p0' as IfName, mac: '52:54:00:00:00:01' as Mac, lock: '/host/ports/lan0/0' };
const macvtap = { ...port, index: 777, node: '/dev/tap777' };
const on = 'br0' as IfName;
const alices = { uid: 1000, gid: 0, mode: 0o100600 };
const groups = { uid: 0, gid: 44, mode: 0o100660 };
const tap = aHostLink('qr-p0', { kind: 'tap', master: 'br0', tap: { owner: 1000, multiQueue: false } });

const faults = (
  sight: PortSight,
  of: typeof port | typeof macvtap = port,
  who: { user?: number; group?: number } = { user: 1000 },
) => faultsOfPort(of, { on, ...who }, sight).map(({ what, of: part }) => `${part} ${what}`);

test('as it was made: a tap of a user’s, of a group’s, a macvtap', () => {
  expect(faults({ link: tap, lock: alices })).toEqual([]);
  const ofGroup = { ...tap, tap: { group: 44, multiQueue: false } };
  expect(faults({ link: ofGroup, lock: groups }, port, { group: 44 })).toEqual([]);
  expect(faults({ link: aHostLink('qr-p0'), lock: alices, node: alices }, macvtap)).toEqual([]);
});

test('what is wrong with the interface', () => {
  expect(faults({ lock: alices })).toEqual(['link is gone']);
  expect(faults({ link: { ...tap, up: false }, lock: alices })).toEqual(['link is down']);
  const { master: _master, ...off } = tap;
  expect(faults({ link: off, lock: alices })).toEqual(['link is not on br0']);
  expect(faults({ link: { ...tap, tap: { multiQueue: false } }, lock: alices })).toEqual(['link has another owner']);
});

test('what is wrong with who may take it', () => {
  expect(faults({ link: tap })).toEqual(['rights : /host/ports/lan0/0 is not there, or is not its own']);
  expect(faults({ link: tap, lock: { ...alices, mode: 0o100666 } })).toEqual([
    'rights : /host/ports/lan0/0 is of uid 1000, gid 0, mode 0666',
  ]);
  expect(faults({ link: aHostLink('qr-p0'), lock: alices, node: { ...alices, uid: 0 } }, macvtap)).toEqual([
    'rights : /dev/tap777 is of uid 0, gid 0, mode 0600',
  ]);
  expect(faults({ link: aHostLink('qr-p0'), lock: alices }, macvtap)).toEqual([
    'rights : /dev/tap777 is not there, or is not its own',
  ]);
});
