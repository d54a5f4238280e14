/** The cases of bad input that a profile's text can be. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import { directory, errorOf, faultsOf, profileOf, saidOf } from './profile-text.ts';
import { runs } from '../quick.ts';
import { anyText } from '../any-text.ts';

const nic = (keys: string): string => `nics: [{ kind: user, ${keys} }]`;

describe('YAML', () => {
  test('ABUSE 7: a bomb of aliases is refused at its first anchor, unexploded', () => {
    const levels = Array.from({ length: 9 }, (_, level) => {
      const inner = level === 0 ? '"x"' : `*a${level - 1}`;
      return `a${level}: &a${level} [${Array.from({ length: 9 }, () => inner).join(',')}]`;
    });
    // this thread's: others have the process in common with it
    const before = process.memoryUsage().heapTotal;
    const said = saidOf(levels.join('\n'));
    expect(process.memoryUsage().heapTotal - before).toBeLessThan(150 * 1024 ** 2);
    expect(said.filter((line) => line.includes('the anchor'))).toHaveLength(9);
    expect(said.filter((line) => line.includes('the alias'))).toHaveLength(0);
  });

  test('ABUSE 7: aliases, anchors and merge keys are refused one by one too', () => {
    expect(saidOf('memory: &m 1G')).toEqual(['1:12 memory: the anchor &"m": anchors and aliases are not taken']);
    expect(saidOf('cpus: 1\nmemory: *m')).toEqual([expect.stringContaining('2:9')]);
    expect(saidOf('nics: [&n user, *n]')).toHaveLength(2);
    expect(saidOf('<<: { cpus: 1 }')).toEqual(['1:1 ["<<"]: merge keys (<<) are not taken: write the keys out']);
    expect(faultsOf('args: &a [*a]')).not.toEqual([]);
  });

  test.each([
    ['flow lists', '['.repeat(20_000)],
    ['flow lists that end', '['.repeat(20_000) + ']'.repeat(20_000)],
    ['flow maps', '{a: '.repeat(20_000)],
    ['flow lists in a value', `args: ${'['.repeat(20_000)}`],
    ['block lists', `${'- '.repeat(20_000)}a`],
    ['block maps', Array.from({ length: 500 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['explicit keys', `${'? '.repeat(20_000)}a`],
    ['mixed', '- [{a: '.repeat(10_000)],
  ])('ABUSE 8: 20 000 nested %s are one clean fault', (_, text) => {
    expect(saidOf(text)).toEqual([expect.stringMatching(/^\d+:\d+ : nested more than 40 deep$/)]);
  });

  test('ABUSE 9: a duplicate key names both lines', () => {
    expect(saidOf('nics:\n  - kind: user\n    mac: 52:54:00:00:00:01\n    mac: 52:54:00:00:00:02\n')).toEqual([
      '4:5 nics[0].mac: duplicate key "mac": it stands on line 3 already',
    ]);
    expect(saidOf('cpus: 1\n"cpus": 2\n')).toHaveLength(1);
  });

  test.each([
    '!!js/function "x"',
    '!foo 1',
    '!!binary aGk=',
    '!!set {a}',
    '!!timestamp 2001-01-01',
    '!<tag:x> y',
    '!!python/object:x {}',
  ])('ABUSE 11: the tag of %s is a fault and no warning', (value) => {
    expect(saidOf(`description: ${value}`)).toEqual([expect.stringMatching(/^1:14 : unknown tag /)]);
  });

  test('ABUSE 12: two documents are a fault', () => {
    expect(saidOf('cpus: 1\n---\ncpus: 2\n')).toEqual(['2:1 : a second document: a profile is one']);
    expect(saidOf('cpus: 1\n---\n')).toHaveLength(1);
    expect(profileOf('---\ncpus: 2\n...\n').cpus.cores).toBe(2);
  });

  test('ABUSE 12: another version of YAML is a fault', () => {
    expect(saidOf('%YAML 1.1\n---\nephemeral: yes\n')).toEqual(['1:1 : YAML 1.1 is not taken: a profile is YAML 1.2']);
    expect(profileOf('%YAML 1.2\n---\nephemeral: true\n').ephemeral).toBe(true);
  });

  test.each([
    ['mac: 12:34:56', 'mac', 'not a MAC address'],
    ['mac: 525400123456', 'mac', 'a text is needed, not the number 525400123456'],
    ['mac: 0x52540012', 'mac', 'a text is needed'],
    ['mac: 00:00:10:10:10', 'mac', 'not a MAC address'],
    ['mac: true', 'mac', 'a text is needed, not the truth value true'],
    ['mac: [52]', 'mac', 'a text is needed, not a list'],
    ['mtu: 010', 'mtu', '010 begins with a zero'],
    ['mtu: "1500"', 'mtu', 'a number is needed, not the text "1500": remove the quotes'],
    ['restrict: no', 'restrict', 'true or false is needed, not the text "no": write false'],
    ['ipv6: on', 'ipv6', 'true or false is needed, not the text "on": write true'],
    ['restrict: 1', 'restrict', 'true or false is needed, not the number 1'],
    ['forwards: [8080]', 'forwards[0]', 'a text is needed, not the number 8080'],
    ['id: 1', 'id', 'a text is needed'],
  ])('ABUSE 13: %s is a typed fault and never a number', (keys, path, message) => {
    expect(faultsOf(nic(keys))).toMatchObject([{ path: `nics[0].${path}`, message: expect.stringContaining(message) }]);
  });

  test('ABUSE 13: net: no is an unknown key, and its value no truth', () => {
    expect(saidOf('net: no')).toEqual(['1:1 net: unknown key "net", did you mean "nics"?']);
    expect(profileOf('description: no').description).toBe('no');
    expect(profileOf(nic('mac: 52:54:00:12:34:56')).nics[0]?.mac).toBe('52:54:00:12:34:56');
  });

  test('ABUSE 15: an unknown key comes with what may have been meant', () => {
    expect(saidOf(nic('hostfw: ["2222:22"]'))).toEqual([
      '1:22 nics[0].hostfw: unknown key "hostfw", did you mean "forwards"?',
    ]);
    expect(saidOf('hostfw: x')).toEqual([
      '1:1 hostfw: unknown key "hostfw", did you mean "forwards" of a NIC (below "nics")?',
    ]);
    expect(saidOf('memroy: 1G')).toEqual(['1:1 memroy: unknown key "memroy", did you mean "memory"?']);
    expect(saidOf('readonly: true\ndrives: []')).toHaveLength(2);
    expect(saidOf('disks: [{ file: a.img, readonly: true }]')).toEqual([
      expect.stringContaining('did you mean "readOnly"?'),
    ]);
    expect(saidOf('__proto__: { cpus: 2 }\nconstructor: 1\ntoString: 2\n')).toEqual([
      expect.stringContaining('__proto__: unknown key "__proto__"'),
      expect.stringContaining('constructor: unknown key "constructor"'),
      expect.stringContaining('toString: unknown key "toString"'),
    ]);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  test('a file of another size or encoding is refused whole', () => {
    expect(saidOf(`# ${'x'.repeat(256 * 1024)}`)).toEqual([expect.stringMatching(/^1:1 : the file has 262146 bytes/)]);
    expect(saidOf('description: \ufffd\ufffd')).toEqual(['1:14 : this is not UTF-8 text']);
    expect(faultsOf('c\u0000p\u0000u\u0000s\u0000:\u00001\u0000')).not.toEqual([]);
  });

  test.each([
    ['line break', '"a\\nb"', 'U+000A'],
    ['carriage return', '"a\\rb"', 'U+000D'],
    ['tab', '"a\\tb"', 'U+0009'],
    ['zero', '"a\\0b"', 'U+0000'],
    ['escape', '"a\\x1b[2Jb"', 'U+001B'],
    ['C1 control', '"a\\x9bb"', 'U+009B'],
    ['line separator', '"a\\u2028b"', 'U+2028'],
    ['mark that turns the direction', '"a\\u202eb"', 'U+202E'],
    ['half of a character', '"a\\ud800b"', 'U+D800'],
  ])('ABUSE 36: no value holds a %s', (_, value, code) => {
    expect(saidOf(`append: ${value}\nkernel: k\n`)).toEqual([`1:9 append: a control character (${code}) in a value`]);
    expect(faultsOf(`description: ${value}`)).toHaveLength(1);
    expect(faultsOf(nic(`hostname: ${value}`))).toHaveLength(1);
    expect(faultsOf(`args: ["-name", ${value}]`)).toHaveLength(1);
    expect(faultsOf(`disks: [${value}]`)).toHaveLength(1);
  });

  test('a block of text says how to write it on one line', () => {
    expect(saidOf('description: |\n  two\n  lines\n')).toEqual([
      '1:14 description: this text has line breaks: write it on one line, or with ">-"',
    ]);
    expect(profileOf('description: >-\n  two\n  lines\n').description).toBe('two lines');
  });

  test('any text is a profile or has faults in its lines, and throws nothing else', () => {
    const word = fc.constantFrom(
      'nics',
      'kind',
      'user',
      ': ',
      '- ',
      '\n',
      '  ',
      '[',
      ']',
      '{',
      '}',
      ',',
      '"',
      "'",
      '&a',
      '*a',
      '!t',
      '|',
      '>',
      '#',
      '?',
      '---',
      '%',
      '0',
      '\t',
      '\r',
      'mac',
      '~',
      '😀',
      '\ufeff',
    );
    const text = fc.oneof(
      anyText({ maxLength: 60 }),
      fc.array(word, { maxLength: 30 }).map((words) => words.join('')),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        for (const { line, column, width = 1, source = '' } of faultsOf(candidate)) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(candidate.split('\n').length);
          expect(column).toBeGreaterThanOrEqual(1);
          expect(width).toBeGreaterThanOrEqual(1);
          expect(candidate).toContain(source);
        }
      }),
      { numRuns: runs(1000) },
    );
  });

  test.each([
    ['keys', Array.from({ length: runs(20_000) }, (_, index) => `k${index}: 1`).join('\n')],
    ['nics', `nics: [${'user,'.repeat(runs(50_000))}]`],
    ['disks', `disks: [${Array.from({ length: runs(20_000) }, (_, index) => `${index}.img`).join(',')}]`],
    [
      'forwards',
      nic(`forwards: [${Array.from({ length: runs(20_000) }, (_, index) => `"${index + 1}:1"`).join(',')}]`),
    ],
    ['anchors', '&a '.repeat(runs(80_000))],
    ['colons', ': '.repeat(runs(120_000))],
    ['empty documents', '---\n'.repeat(runs(60_000))],
    ['one long key', `${'k'.repeat(runs(200_000))}: 1`],
    ['one long path', `cdrom: ${'k/'.repeat(runs(100_000))}`],
  ])('a quarter of a megabyte of %s is faults, at most a hundred', (_, text) => {
    const { length } = faultsOf(text);
    expect(length).toBeGreaterThanOrEqual(1);
    expect(length).toBeLessThanOrEqual(100);
  });
});

describe('MACs', () => {
  test.each([
    ['53:54:00:12:34:56', 'multicast'],
    ['00:00:00:00:00:00', 'zero'],
    ['ff:ff:ff:ff:ff:ff', 'broadcast'],
    ['52:54:00:12:34', 'six pairs'],
    ['52:54:00:12:34:56:78', 'six pairs'],
    ['52:54:00:12:34:5', 'six pairs'],
    ['52:54:00:12:34:5g', 'six pairs'],
    ['52540012.3456', 'a text'],
    ['5254.0012.3456', 'six pairs'],
    ['" 52:54:00:12:34:56"', 'six pairs'],
    ['52:54:00:12:34:56,x', 'six pairs'],
  ])('ABUSE 16: %s is refused', (mac, message) => {
    expect(faultsOf(`nics:\n  - kind: user\n    mac: ${mac}`)).toMatchObject([
      { line: 3, column: 10, path: 'nics[0].mac', message: expect.stringContaining(message) },
    ]);
  });

  test.each(['52:54:00:AA:BB:CC', '52-54-00-aa-bb-cc', '52-54-00-AA-bb-CC'])(
    'ABUSE 16: %s is written as 52:54:00:aa:bb:cc',
    (mac) => {
      expect(profileOf(nic(`mac: ${mac}`)).nics[0]?.mac).toBe('52:54:00:aa:bb:cc');
    },
  );

  test('ABUSE 17: the same MAC on two NICs is refused, however it is written, and both lines are named', () => {
    const text = 'nics:\n  - kind: user\n    mac: 52:54:00:aa:bb:cc\n  - kind: user\n    mac: 52-54-00-AA-BB-CC\n';
    expect(saidOf(text)).toEqual(['5:10 nics[1].mac: the MAC 52:54:00:aa:bb:cc is that of nics[0] on line 3 already']);
  });
});

describe('what becomes options of QEMU', () => {
  test('ABUSE 20: a comma in a host name stays in the name', () => {
    const [first] = profileOf(nic('hostname: "web1,hostfwd=tcp:0.0.0.0:2222-:22"')).nics;
    expect(first).toMatchObject({ hostname: 'web1,hostfwd=tcp:0.0.0.0:2222-:22', forwards: [] });
  });

  test.each([
    ['"a,b.qcow2"', 'a,b.qcow2'],
    ['"a b.qcow2"', 'a b.qcow2'],
    ['"-a.qcow2"', '-a.qcow2'],
    ['./nbd:a.qcow2', 'nbd:a.qcow2'],
    ['"\\"a.qcow2"', '"a.qcow2'],
    ['a=b.qcow2', 'a=b.qcow2'],
    ['file.driver=nbd.qcow2', 'file.driver=nbd.qcow2'],
  ])('ABUSE 21: the disk %s is that very file', (written, name) => {
    expect(profileOf(`disks: [{ file: ${written} }]`).disks).toMatchObject([{ file: `${directory}/${name}` }]);
  });

  test.each([
    '\'json:{"driver":"nbd"}\'',
    '"fat:rw:/"',
    'nbd:localhost:10809',
    'nbd+unix:///x?socket=y',
    'http://example.net/a.qcow2',
    'https://example.net/a.qcow2',
    'ssh://host/a.img',
    'FILE:a.img',
    'file:///etc/shadow.img',
    'null-co://',
    'rbd:pool/a.raw',
    '"blkdebug::a.img"',
  ])('ABUSE 22: %s is no disk, no base, no CD and no kernel', (written) => {
    const message = expect.stringContaining('names a protocol and not a file');
    expect(faultsOf(`disks: [${written}]`)).toMatchObject([{ path: 'disks[0]', message }]);
    expect(faultsOf(`disks: [{ file: ${written}, format: raw }]`)).toMatchObject([{ path: 'disks[0].file', message }]);
    expect(faultsOf(`disks: [{ file: a.qcow2, base: ${written} }]`)).toMatchObject([
      { path: 'disks[0].base', message },
    ]);
    expect(faultsOf(`cdrom: ${written}`)).toMatchObject([{ path: 'cdrom', message }]);
    expect(faultsOf(`kernel: ${written}`)).toMatchObject([{ path: 'kernel', message }]);
  });

  test.each(['/dev/sda', '/dev/../dev/sda', '/dev/disk/by-id/x.img', '//dev/sda', '../../dev/sda'])(
    'ABUSE 22: the device %s is a disk only with its format stated',
    (written) => {
      const message = expect.stringContaining('state "format: raw"');
      expect(faultsOf(`disks: [${written}]`)).toMatchObject([{ message }]);
      expect(faultsOf(`disks: [{ file: ${written}, format: qcow2 }]`)).toMatchObject([{ message }]);
      expect(profileOf(`disks: [{ file: ${written}, format: raw }]`).disks).toMatchObject([{ format: 'raw' }]);
    },
  );

  test('ABUSE 22: a device is no kernel, no base and no CD but the CD drive; a descriptor is nothing', () => {
    expect(faultsOf('kernel: /dev/mem')).toHaveLength(1);
    expect(faultsOf('kernel: k\ninitrd: /dev/zero')).toHaveLength(1);
    expect(faultsOf('cdrom: /dev/sda')).toHaveLength(1);
    expect(profileOf('cdrom: /dev/sr0').cdrom).toBe('/dev/sr0');
    expect(faultsOf('disks: [{ file: a.qcow2, base: /dev/sda }]')).toHaveLength(1);
    expect(faultsOf('disks: [{ file: /dev/fdset/3, format: raw }]')).toHaveLength(1);
  });

  test.each(['x,script=/e', 'a/b', '%s', 'a b', '""', '.', '..', 'a:b', 'x'.repeat(16), 'ü'.repeat(8)])(
    'ABUSE 23: %s is no interface',
    (name) => {
      for (const keys of [
        `kind: tap, device: "${name.replaceAll('"', '')}"`,
        `kind: macvtap, parent: "${name.replaceAll('"', '')}"`,
      ]) {
        expect(faultsOf(`nics: [{ ${keys} }]`)).toHaveLength(1);
      }
    },
  );

  test.each([
    '/bin/sh -c id',
    'bridge-helper',
    './helper',
    '/a;b',
    '/a$(id)',
    '/a`id`',
    '/a|b',
    '/a&b',
    '/a\\\\b',
    '/a>b',
    '',
  ])('ABUSE 25: the helper %s is no plain absolute path', (helper) => {
    expect(faultsOf(`nics: [{ kind: bridge, bridge: br0, helper: "${helper}" }]`)).toMatchObject([
      { path: 'nics[0].helper' },
    ]);
  });

  test.each(['1 bad/../x', '1a', '.a', '-a', 'a b', 'a,b', 'a=b', 'ünï', 'a'.repeat(33), ''])(
    'ABUSE 27: %j is no id of a NIC',
    (id) => {
      expect(faultsOf(nic(`id: "${id}"`))).toMatchObject([{ path: 'nics[0].id' }]);
    },
  );

  test('every error is of the kind that is shown with exit status 2', () => {
    expect(errorOf('hostfw: 1')).toBeInstanceOf(QrunError);
    expect(errorOf('hostfw: 1')?.code).toBe('invalid-profile');
  });
});
