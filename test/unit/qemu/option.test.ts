import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapeComma, renderJson, renderKeyval } from '../../../src/qemu/option.ts';
import { parseMembers } from '../../../src/qemu/args-syntax.ts';
import { anyText } from '../any-text.ts';

test('a value is told in keyval with the implied key first, booleans as on and off, and nested members dotted', () => {
  const value = { id: 'net0', type: 'stream', server: true, addr: { type: 'unix', path: '/run/a,b' }, n: 3 };
  expect(renderKeyval(value, 'type')).toBe('stream,id=net0,server=on,addr.type=unix,addr.path=/run/a,,b,n=3');
});

test('a list repeats its key, and the wrapped strings of QAPI are bare in keyval', () => {
  const value = { type: 'user', id: 'n', hostfwd: [{ str: 'tcp:127.0.0.1:1-:2' }, { str: 'udp:127.0.0.1:3-:4' }] };
  expect(renderKeyval(value, 'type')).toBe('user,id=n,hostfwd=tcp:127.0.0.1:1-:2,hostfwd=udp:127.0.0.1:3-:4');
  expect(JSON.parse(renderJson(value))).toEqual(value);
});

test('ABUSE 20: whatever a string holds, keyval gives it back as one value', () => {
  fc.assert(
    fc.property(
      anyText().filter((text) => !text.includes('\0')),
      (text) => {
        const members = parseMembers(`user,id=n,hostname=${escapeComma(text)},last=1`);
        expect([...members]).toEqual([
          ['', 'user'],
          ['id', 'n'],
          ['hostname', text],
          ['last', '1'],
        ]);
      },
    ),
  );
});
