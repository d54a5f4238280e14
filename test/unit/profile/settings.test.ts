import { expect, test } from 'vitest';
import { parseSettings } from '../../../src/profile/settings.ts';

const file = '/c/config.yaml';

test.each([
  ['', 'never'],
  ['# sudo: ask\n\n', 'never'],
  ['{}\n', 'never'],
  ['sudo: never\n', 'never'],
  ['sudo: ask\n', 'ask'],
  ['sudo: noninteractive\n', 'noninteractive'],
] as const)('%j', (text, sudo) => {
  expect(parseSettings(text, file)).toEqual({ sudo });
});

test.each([
  'sudo: always\n',
  'sudo: true\n',
  'sodo: ask\n',
  '- sudo\n',
  'sudo: ask\nsudo: never\n',
  'sudo: [ask\n',
  'sudo:\n',
])('%j is refused with its place', (text) => {
  expect(() => parseSettings(text, file)).toThrow(
    expect.objectContaining({ status: 2, faults: [expect.objectContaining({ file, line: expect.any(Number) })] }),
  );
});
