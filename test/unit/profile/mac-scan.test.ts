import { describe, expect, test } from 'vitest';
import { findMacs } from '../../../src/profile/mac-scan.ts';
import { profileOf } from './profile-text.ts';

const macsOf = (text: string): string[] => findMacs(text).map(({ mac }) => mac);

describe('findMacs', () => {
  test('finds the MACs of a profile, with their places', () => {
    const text =
      'nics:\n  - kind: user\n    mac: 52:54:00:AA:BB:CC\n  - { kind: user, mac: "52-54-00-00-00-01", id: a }\n';
    expect(findMacs(text)).toEqual([
      { mac: '52:54:00:aa:bb:cc', line: 3, column: 10 },
      { mac: '52:54:00:00:00:01', line: 4, column: 25 },
    ]);
    expect(profileOf(text).nics.map(({ mac }) => mac)).toEqual(macsOf(text));
  });

  test.each([
    'mac: 52:54:00:00:00:01',
    "mac: '52:54:00:00:00:01'",
    '"mac": "52:54:00:00:00:01"',
    '{"nics":[{"kind":"user","mac":"52:54:00:00:00:01"}]}',
    "nics: [{'mac':   52:54:00:00:00:01}]",
    '- mac: 52:54:00:00:00:01 # why',
    'mac: 52:54:00:00:00:01\r\n',
    'description: "#1"\nnics: [{ id: "a#b", mac: 52:54:00:00:00:01 }]',
    "description: it's # not a quote\nmac: 52:54:00:00:00:01",
    'a: b"#c" \nmac: 52:54:00:00:00:01',
    'mac:\n  52:54:00:00:00:01',
    'broken: [\n  mac: 52:54:00:00:00:01',
  ])('finds the one in %j', (text) => {
    expect(macsOf(text)).toEqual(['52:54:00:00:00:01']);
  });

  test.each([
    '# mac: 52:54:00:00:00:01',
    'cpus: 1 # mac: 52:54:00:00:00:01',
    'id: "a" # mac: 52:54:00:00:00:01',
    'hostmac: 52:54:00:00:00:01',
    'mac: 52:54:00:00:00:01:02',
    'mac: 52:54:00:00:00',
    'mac: 53:54:00:00:00:01',
    'mac: 00:00:00:00:00:00',
    'address: 52:54:00:00:00:01',
    '',
  ])('finds none in %j', (text) => {
    expect(macsOf(text)).toEqual([]);
  });

  test('is quick on a text that was written to be slow', () => {
    expect(findMacs('mac:'.repeat(60_000))).toEqual([]);
    expect(findMacs('"#'.repeat(120_000))).toEqual([]);
    expect(findMacs(`mac:${' '.repeat(250_000)}`)).toEqual([]);
    expect(findMacs('mac: 52:54:00:00:00:01\n'.repeat(10_000))).toHaveLength(10_000);
  });
});
