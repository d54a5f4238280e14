import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { quoted, renderNewProfile } from '../../../src/profile/template.ts';
import { directory, faultsOf, profileOf } from './profile-text.ts';
import { runs } from '../quick.ts';
import { anyText } from '../any-text.ts';

/** Text without what no value of a profile may hold. */
const printable = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom(...':#{}[],&*!|>%@`\'"\\?- =~0'.split('')),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
    ),
    minLength: 1,
    maxLength: 30,
  })
  .filter((text) => !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]/u.test(text));
const fileName = printable.filter((name) => !name.startsWith('/')).map((name) => `./${name}`);
const option = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

describe('renderNewProfile', () => {
  test('what boots from a CD has a screen, for installers show nothing on a serial line', () => {
    expect(profileOf(renderNewProfile({ cdrom: './debian.iso' }))).toMatchObject({ display: 'vnc' });
    expect(profileOf(renderNewProfile({ cdrom: './debian.iso', kernel: './vmlinuz' }))).toMatchObject({
      display: 'none',
    });
    expect(profileOf(renderNewProfile({}))).toMatchObject({ display: 'none' });
  });

  test('without options is a profile that says the defaults', () => {
    expect(profileOf(renderNewProfile({}))).toMatchObject({
      cpus: { cores: 1 },
      memoryMib: 512,
      disks: [],
      nics: [{ kind: 'user', id: 'net0', forwards: [] }],
    });
  });

  test('shows in comments what else there is, and every comment is a key that exists', () => {
    const text = renderNewProfile({});
    const uncommented = text.replace(/^( *)# (?=[a-zA-Z]+:|  - file| {4}size)/gm, '$1').replace('initrd:', '# initrd:');
    expect(uncommented).not.toBe(text);
    expect(faultsOf(uncommented)).toEqual([]);
    expect(profileOf(uncommented)).toMatchObject({
      description: 'what this machine is',
      disks: [{ written: 'disk.qcow2' }],
      cdrom: `${directory}/debian.iso`,
    });
  });

  test('with all options says them all', () => {
    const profile = profileOf(
      renderNewProfile({
        description: 'a: b # c',
        memory: '2G',
        cpus: '3',
        disk: 'my disk.qcow2',
        size: '20G',
        cdrom: '/iso/a,b.iso',
        kernel: 'vmlinuz',
        initrd: 'initrd.gz',
        append: 'console=ttyS0 a="b c"',
        nic: ['user', 'bridge:br0', 'user'],
      }),
    );
    expect(profile).toMatchObject({
      description: 'a: b # c',
      memoryMib: 2048,
      cpus: { cores: 3 },
      disks: [{ written: 'my disk.qcow2', sizeBytes: 20 * 1024 ** 3 }],
      cdrom: '/iso/a,b.iso',
      kernel: `${directory}/vmlinuz`,
      initrd: `${directory}/initrd.gz`,
      append: 'console=ttyS0 a="b c"',
      nics: [{ id: 'net0' }, { kind: 'bridge', bridge: 'br0', id: 'net1' }, { id: 'net2' }],
    });
  });

  test('parses back to what went in, whatever the texts hold', () => {
    const options = fc.record({
      description: option(printable),
      append: option(printable),
      kernel: fileName,
      initrd: option(fileName),
      disk: option(fileName.map((name) => `${name}a.qcow2`)),
      cdrom: option(fileName),
      memory: option(fc.integer({ min: 1, max: 4096 }).map((mib) => `${mib}M`)),
      cpus: option(fc.integer({ min: 1, max: 64 }).map(String)),
      nic: fc.array(fc.constantFrom('user', 'passt', 'bridge:br0', 'tap:tap0', 'network:lan0', 'mcast:230.0.0.1:1'), {
        maxLength: 4,
      }),
    });
    fc.assert(
      fc.property(options, ({ kernel, ...rest }) => {
        const given = Object.fromEntries(
          Object.entries({ kernel, ...rest }).filter(([, value]) => value !== undefined),
        );
        const profile = profileOf(renderNewProfile(given));
        expect(profile.description).toBe(rest.description);
        expect(profile.append).toBe(rest.append);
        expect(profile.disks.map(({ written }) => written)).toEqual(rest.disk === undefined ? [] : [rest.disk]);
        expect(profile.nics).toHaveLength(Math.max(1, rest.nic.length));
      }),
      { numRuns: runs(300) },
    );
  });

  test('names the schema for the editor, in a comment and nothing else', () => {
    expect(renderNewProfile({ schema: '/usr/lib/qrun/schema/profile.schema.json' })).toMatch(
      /^# yaml-language-server: \$schema=\/usr\/lib\/qrun\/schema\/profile\.schema\.json\n/,
    );
    expect(renderNewProfile({ schema: '/x\nmemory: 1T' })).toBe(renderNewProfile({}));
  });

  test('leaves it to the parser to refuse what is no good value', () => {
    expect(faultsOf(renderNewProfile({ memory: 'lots' }))).toMatchObject([{ path: 'memory' }]);
    expect(faultsOf(renderNewProfile({ cpus: 'two' }))).toMatchObject([{ path: 'cpus' }]);
    expect(faultsOf(renderNewProfile({ disk: 'nbd:x' }))).toMatchObject([{ path: 'disks[0].file' }]);
    expect(faultsOf(renderNewProfile({ size: '20G' }))).toMatchObject([
      { path: 'disks[0].file', message: 'the key "file" is missing' },
    ]);
    expect(faultsOf(renderNewProfile({ nic: ['usr'] }))).toMatchObject([{ path: 'nics[0]' }]);
    expect(faultsOf(renderNewProfile({ append: 'x' }))).toMatchObject([{ path: 'append' }]);
    expect(faultsOf(renderNewProfile({ description: 'a\nmemory: 1T' }))).toMatchObject([{ path: 'description' }]);
  });
});

describe('quoted', () => {
  test('reads back as the same text', () => {
    fc.assert(
      fc.property(anyText({ maxLength: 30 }), (text) => {
        expect(parse(`a: ${quoted(text)}`)).toEqual({ a: text });
        expect(parse(`- ${quoted(text)}`)).toEqual([text]);
        expect(quoted(text)).not.toMatch(/[\n\r]/);
      }),
      { numRuns: runs(500) },
    );
  });

  test.each([
    'yes',
    'no',
    'on',
    'off',
    'null',
    'True',
    '1',
    '1e3',
    '0x1',
    '.5',
    '.inf',
    '~',
    '-',
    '---',
    '',
    ' a',
    'a ',
    'a: b',
    'a #b',
    '#a',
    '&a',
    '*a',
    '!a',
    '1:2',
  ])('%j is text to every YAML', (text) => {
    expect(parse(`a: ${quoted(text)}`, { version: '1.1' })).toEqual({ a: text });
    expect(parse(`a: ${quoted(text)}`)).toEqual({ a: text });
  });

  test('leaves plain words plain', () => {
    expect(quoted('/srv/my disk.qcow2')).toBe('/srv/my disk.qcow2');
    expect(quoted('console=ttyS0')).toBe('console=ttyS0');
    expect(quoted('20G')).toBe('20G');
  });
});
