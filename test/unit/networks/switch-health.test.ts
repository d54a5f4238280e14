import type { Stats } from 'node:fs';
import { expect, test } from 'vitest';
import type { IfName } from '../../../src/names.ts';
import { faultsOfSwitch, type SwitchSight } from '../../../src/networks/switch-health.ts';
import { aHostLink } from '../nic/a-link-door.ts';

const vde = { directory: '/host/vde/lan0', tap: 'qr-tap' as IfName, user: 102, group: 44 };
const tap = { owner: 102, multiQueue: false, attached: true };
const link = aHostLink('qr-tap', { kind: 'tap', master: 'qr-lan0', tap });
const directory: Pick<Stats, 'uid' | 'gid' | 'mode'> = { uid: 102, gid: 44, mode: 0o043770 };
const faults = (sight: SwitchSight, group: number | undefined = 44): string[] =>
  faultsOfSwitch({ on: 'qr-lan0' as IfName, ...(group !== undefined && { group }) }, vde, sight).map(
    ({ what, of }) => `${of} ${what}`,
  );

test('as it was made: nothing', () => {
  expect(faults({ link, directory })).toEqual([]);
  expect(
    faultsOfSwitch({ on: 'qr-lan0' as IfName }, vde, { link, directory: { ...directory, mode: 0o040700 } }),
  ).toEqual([]);
});

test('its tap: gone, down, off the bridge, without a switch', () => {
  const { master: _none, ...off } = link;
  expect(faults({ directory })).toEqual(['link is gone']);
  expect(faults({ link: { ...link, up: false }, directory })).toEqual(['switch is down']);
  expect(faults({ link: off, directory })).toEqual(['switch is not on qr-lan0']);
  expect(faults({ link: { ...link, tap: { ...tap, attached: false } }, directory })).toEqual([
    'switch has no switch behind it',
  ]);
});

test('who may go into its directory', () => {
  expect(faults({ link })).toEqual(['rights : /host/vde/lan0 is not there']);
  expect(faults({ link, directory: { ...directory, mode: 0o040777 } })).toEqual([
    'rights : /host/vde/lan0 is of uid 102, gid 44, mode 0777',
  ]);
});
