import { expect, test } from 'vitest';
import { profileOf, saidOf } from './profile-text.ts';

const user = (subnet: string): string => `  - kind: user\n    subnet: ${subnet}\n`;

test('two user networks that overlap are told with both places', () => {
  expect(saidOf(`nics:\n${user('10.0.2.0/24')}${user('10.0.0.0/16')}`)).toEqual([
    '5:13 nics[1].subnet: 10.0.0.0/16 overlaps 10.0.2.0/24 of nics[0] on line 3: each user NIC is a network of its own',
  ]);
  expect(saidOf(`nics:\n${user('10.0.2.0/25')}${user('10.0.2.128/25')}${user('10.0.2.192/26')}`)).toEqual([
    expect.stringMatching(
      /^7:13 nics\[2\]\.subnet: 10\.0\.2\.192\/26 overlaps 10\.0\.2\.128\/25 of nics\[1\] on line 5/,
    ),
  ]);
});

test('what lies side by side is fine, and so is any number of plain ones', () => {
  expect(profileOf(`nics:\n${user('10.0.2.0/25')}${user('10.0.2.128/25')}`).nics).toHaveLength(2);
  expect(profileOf('nics: [user, user, user]').nics).toHaveLength(3);
});

test('another fault of the same NIC is told as well', () => {
  expect(saidOf(`nics:\n${user('10.0.2.0/24')}${user('10.0.2.0/24')}    mac: nonsense\n`)).toHaveLength(2);
});
