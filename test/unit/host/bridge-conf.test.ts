/** What the predictor says beside its verdict. That the verdict is the helper's own is shown with the real one: test/netns/bridge-conf.test.ts. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { predictBridgeConf, type BridgeVerdict } from '../../../src/host/bridge-conf.ts';
import { confReader } from '../../../src/host/bridge-conf-file.ts';

const file = '/etc/qemu/bridge.conf';

function predict(text: string, files: Readonly<Record<string, string>> = {}, bridge = 'br0'): BridgeVerdict {
  const all: Readonly<Record<string, string>> = { ...files, [file]: text };
  return predictBridgeConf({
    bridge,
    file,
    cwd: '/work',
    read: (name) => (all[name] === undefined ? { missing: 'absent' } : { text: all[name] }),
  });
}

test('the rule that decides is told with its line', () => {
  expect(predict('# x\n\nallow br0\n')).toEqual({
    verdict: 'allowed',
    rule: { file, line: 3, text: 'allow br0' },
    skipped: [],
  });
  expect(predict('allow br0\r\ndeny all\r\n')).toMatchObject({
    verdict: 'denied',
    rule: { line: 2, text: 'deny all' },
  });
  expect(predict('allow br0\nallow\n')).toMatchObject({ verdict: 'invalid', place: { line: 2, text: 'allow' } });
});

test('a line that is longer than the helper’s buffer is several, and still one to a person', () => {
  expect(predict(`#${'x'.repeat(4094)}bogus line\nallow br0\n`)).toMatchObject({
    verdict: 'invalid',
    place: { line: 1 },
  });
  expect(predict(`#${'x'.repeat(9000)} y\nallow br0\n`)).toMatchObject({ verdict: 'invalid' });
});

describe('what was meant', () => {
  test.each([
    ['allow br0 # lab', 'a comment behind a rule'],
    ['allow br0 br1', 'a rule takes one name'],
    ['allow br1,br0', 'a rule takes one name'],
    ['allow br*', 'no patterns'],
    ['allow br?', 'no patterns'],
    ['allow br[0-9]', 'no patterns'],
    ['allow BR0', 'upper and lower case'],
  ])('%s', (line, reason) => {
    expect(predict(`${line}\n`)).toMatchObject({
      verdict: 'denied',
      near: { place: { line: 1, text: line }, reason: expect.stringContaining(reason) },
    });
  });

  test.each(['allow br1', 'allow br00', 'allow xbr*', 'allow br1 # br'])('and not %s', (line) => {
    expect(predict(`${line}\n`)).toEqual({ verdict: 'denied', skipped: [] });
  });
});

describe('files that are included', () => {
  test('relative ones begin where QEMU stands', () => {
    expect(predict('include lab.conf\n', { '/work/lab.conf': 'allow br0' })).toMatchObject({
      verdict: 'allowed',
      rule: { file: '/work/lab.conf', line: 1 },
    });
  });

  test('what the helper passes over is told', () => {
    expect(predict('include /gone\ninclude \ninclude /bad\n', { '/bad': 'allow br1\nbogus\n' })).toEqual({
      verdict: 'denied',
      skipped: [
        { place: { file, line: 1, text: 'include /gone' }, reason: 'there is no "/gone"' },
        { place: { file, line: 2, text: 'include ' }, reason: 'include names no file' },
        {
          place: { file: '/bad', line: 2, text: 'bogus' },
          reason: expect.stringContaining('the rest of that file is not read'),
        },
      ],
    });
  });

  test('ABUSE 59: files that include one another end, also when ever new names lead to the same', () => {
    expect(predict('include /a\nallow br0\n', { '/a': 'include /etc/qemu/bridge.conf\n' })).toMatchObject({
      verdict: 'invalid',
      place: { file: '/a', line: 1 },
    });
    let opened = 0;
    const verdict = predictBridgeConf({
      bridge: 'br0',
      file,
      cwd: '/',
      read: () => ({ text: `include /${(opened += 1)}a\ninclude /${opened}b\n` }),
    });
    expect(verdict.verdict).toBe('invalid');
    expect(opened).toBeLessThan(1000);
  });
});

describe('the reader', () => {
  let dir = '';
  beforeEach(() => (dir = mkdtempSync(path.join(tmpdir(), 'qconf-'))));
  afterEach(() => rmSync(dir, { recursive: true }));
  const read = (name: string, mayRead = true) => confReader({ mayRead: () => mayRead })(path.join(dir, name));

  test('gives bytes, follows links, and is stopped by nothing strange', () => {
    writeFileSync(path.join(dir, 'plain'), Buffer.from([0x61, 0xff, 0]));
    symlinkSync('plain', path.join(dir, 'link'));
    symlinkSync('loop', path.join(dir, 'loop'));
    symlinkSync('/dev/null', path.join(dir, 'null'));
    symlinkSync('/dev/zero', path.join(dir, 'zero'));
    mkdirSync(path.join(dir, 'directory'));
    writeFileSync(path.join(dir, 'large'), Buffer.alloc(1024 * 1024 + 1));
    expect(spawnSync('mkfifo', [path.join(dir, 'fifo')]).status).toBe(0);
    expect(read('plain')).toEqual({ text: 'a\u00ff\0' });
    expect(read('link')).toEqual({ text: 'a\u00ff\0' });
    expect(read('null')).toEqual({ text: '' });
    expect(read('directory')).toEqual({ text: '' });
    for (const name of ['zero', 'fifo', 'large']) expect(read(name)).toEqual({ missing: 'strange' });
    for (const name of ['gone', 'plain/x', 'loop']) expect(read(name)).toEqual({ missing: 'absent' });
    expect(read('plain', false)).toEqual({ missing: 'unreadable' });
  });
});
