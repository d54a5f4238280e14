import { expect, test } from 'vitest';
import { isChangedKey, knownKeysOf, scanArgs } from '../../../src/ssh/host-keys.ts';

test('keys are read from known_hosts, hashed or not, and from what ssh-keyscan says', () => {
  const text = [
    '# 127.0.0.1:22 SSH-2.0-dropbear',
    'web1 ssh-ed25519 AAAA1',
    '|1|salt=|hash= ecdsa-sha2-nistp256 AAAA2 a comment',
    '@revoked web1 ssh-rsa AAAA3',
    '',
    'nonsense',
  ].join('\n');
  expect(knownKeysOf(text)).toEqual([
    { type: 'ssh-ed25519', key: 'AAAA1' },
    { type: 'ecdsa-sha2-nistp256', key: 'AAAA2' },
  ]);
});

test('a key has changed when one of a known type is another', () => {
  const known = knownKeysOf('web1 ssh-ed25519 OLD\nweb1 ssh-rsa R');
  expect(isChangedKey(known, knownKeysOf('[127.0.0.1]:2222 ssh-ed25519 NEW'))).toBe(true);
  expect(isChangedKey(known, knownKeysOf('[127.0.0.1]:2222 ssh-ed25519 OLD'))).toBe(false);
  expect(isChangedKey(known, knownKeysOf('[127.0.0.1]:2222 ecdsa-sha2-nistp256 E'))).toBe(false);
  expect(isChangedKey(known, [])).toBe(false);
});

test('ssh-keyscan is told address and port, how long to wait, and the known types that it understands', () => {
  const way = { address: '::1', port: 2222, by: '' };
  const known = knownKeysOf('web1 ssh-ed25519 A\nweb1 ecdsa-sha2-nistp256 B\nweb1 ssh-ed25519 C\nweb1 a,b D');
  expect(scanArgs(way, known, 9)).toEqual(['-T', '9', '-p', '2222', '-t', 'ssh-ed25519,ecdsa-sha2-nistp256', '::1']);
  expect(scanArgs(way, knownKeysOf('web1 ssh-later A'), 5)).toEqual(['-T', '5', '-p', '2222', '::1']);
});
