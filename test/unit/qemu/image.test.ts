import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import { parseImageHeader, readImageHeader } from '../../../src/qemu/image.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'qrun-image-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const parse = (head: Buffer) => parseImageHeader(head, '/vm/a.img');

interface Qcow2 {
  readonly version?: number;
  readonly backing?: string;
  readonly backingLength?: number;
  readonly backingOffset?: bigint;
  readonly incompatible?: bigint;
  readonly headerLength?: number;
  readonly extensions?: readonly { readonly type: number; readonly text: string; readonly length?: number }[];
}

function qcow2({ version = 3, backing, extensions = [], ...odd }: Qcow2 = {}): Buffer {
  const head = Buffer.alloc(4096);
  const length = version === 2 ? 72 : 104;
  head.write('QFI\u00fb', 'latin1');
  head.writeUInt32BE(version, 4);
  head.writeBigUInt64BE(20n * 1024n ** 3n, 24);
  if (version === 3) {
    head.writeBigUInt64BE(odd.incompatible ?? 0n, 72);
    head.writeUInt32BE(odd.headerLength ?? length, 100);
  }
  let at = length;
  for (const extension of extensions) {
    head.writeUInt32BE(extension.type, at);
    head.writeUInt32BE(extension.length ?? extension.text.length, at + 4);
    head.write(extension.text, at + 8);
    at += 8 + Math.ceil(extension.text.length / 8) * 8;
  }
  if (backing !== undefined) {
    head.writeBigUInt64BE(odd.backingOffset ?? BigInt(at + 8), 8);
    head.writeUInt32BE(odd.backingLength ?? Buffer.byteLength(backing), 16);
    head.write(backing, at + 8);
  }
  return head;
}

describe('qcow2', () => {
  test('of both versions, alone', () => {
    expect(parse(qcow2())).toEqual({ format: 'qcow2' });
    expect(parse(qcow2({ version: 2 })).format).toBe('qcow2');
  });

  test('ABUSE 29: its backing file is named, with the format that it claims', () => {
    const extensions = [
      { type: 0x6803f857, text: 'features' },
      { type: 0xe2792aca, text: 'raw' },
    ];
    expect(parse(qcow2({ backing: '/etc/shadow', extensions }))).toMatchObject({
      backingFile: '/etc/shadow',
      backingFormat: 'raw',
    });
    expect(parse(qcow2({ version: 2, backing: 'json:{"driver":"nbd"}' }))).toMatchObject({
      backingFile: 'json:{"driver":"nbd"}',
    });
  });

  test('ABUSE 29: an external data file is seen by its extension and by its bit', () => {
    const named = qcow2({ incompatible: 4n, extensions: [{ type: 0x44415441, text: '/etc/shadow' }] });
    expect(parse(named).dataFile).toBe('/etc/shadow');
    expect(parse(qcow2({ incompatible: 4n })).dataFile).toBe('(unnamed)');
  });

  test.each([
    ['an unknown version', qcow2({ version: 9 })],
    ['a header that ends early', qcow2().subarray(0, 60)],
    ['a header that claims more than there is', qcow2({ headerLength: 1e9 })],
    ['a header that claims less than it needs', qcow2({ headerLength: 4 })],
    ['a name beyond the limit', qcow2({ backing: 'x', backingLength: 5000 })],
    ['a name beyond the file', qcow2({ backing: 'x', backingOffset: 2n ** 63n })],
  ])('%s is refused', (_, head) => {
    expect(() => parse(head)).toThrow(expect.objectContaining({ code: 'invalid-profile' }));
  });

  test('an extension that claims more than there is ends the list', () => {
    const extensions = [{ type: 0xe2792aca, text: 'raw', length: 0xffffffff }];
    expect(parse(qcow2({ extensions }))).not.toHaveProperty('backingFormat');
  });
});

describe('other formats', () => {
  test('are known by their magic, and what has none is raw', () => {
    const vdi = Buffer.alloc(512);
    vdi.writeUInt32LE(0xbeda107f, 64);
    expect(parse(vdi).format).toBe('vdi');
    expect(parse(Buffer.from('vhdxfile......')).format).toBe('vhdx');
    expect(parse(Buffer.from('COWD')).format).toBe('vmdk');
    expect(parse(Buffer.alloc(0)).format).toBe('raw');
    expect(parse(Buffer.from('QFI')).format).toBe('raw');
  });

  test('ABUSE 29: a VMDK that is but a description names the files that it leads to', () => {
    const text = '# Disk DescriptorFile\nversion=1\nparentFileNameHint="/etc/passwd"\nRW 100 FLAT "/etc/shadow" 0\n';
    expect(parse(Buffer.from(text))).toEqual({ format: 'vmdk', backingFile: '/etc/passwd', dataFile: '/etc/shadow' });
    expect(parse(Buffer.from('# a comment first\n\nversion=1\nRW 1 FLAT "x" 0')).dataFile).toBe('x');
  });

  test('ABUSE 29: a sparse VMDK holds its own data, unless its capacity is zero', () => {
    const sparse = (capacity: bigint): Buffer => {
      const head = Buffer.alloc(2048);
      head.write('KDMV');
      head.writeBigUInt64LE(capacity, 12);
      head.writeBigUInt64LE(1n, 28);
      head.writeBigUInt64LE(1n, 36);
      head.write('# Disk DescriptorFile\nversion=1\nRW 8 SPARSE "other.vmdk"\n', 512);
      return head;
    };
    expect(parse(sparse(8n))).toEqual({ format: 'vmdk' });
    expect(parse(sparse(0n)).dataFile).toBe('other.vmdk');
  });
});

test('ABUSE 29: no header, whatever is in it, ends in anything but an answer or a refusal', () => {
  const magic = fc.constantFrom('QFI\u00fb\0\0\0\u0003', 'QFI\u00fb\0\0\0\u0002', 'KDMV', '# Disk DescriptorFile', '');
  fc.assert(
    fc.property(magic, fc.uint8Array({ maxLength: 300 }), (begin, rest) => {
      try {
        expect(parse(Buffer.concat([Buffer.from(begin, 'latin1'), rest])).format).toBeTypeOf('string');
      } catch (error) {
        expect(error).toBeInstanceOf(QrunError);
      }
    }),
  );
});

describe('reading', () => {
  test('a file, through a link too, and only its beginning', () => {
    const file = path.join(directory, 'big.qcow2');
    writeFileSync(file, qcow2());
    truncateSync(file, 5 * 1024 ** 3);
    symlinkSync(file, path.join(directory, 'link'));
    expect(readImageHeader(path.join(directory, 'link')).format).toBe('qcow2');
  });

  test('ABUSE 22: a FIFO, a device and a directory are no images, and nothing waits', () => {
    const fifo = path.join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    for (const file of [fifo, '/dev/null', directory]) {
      expect(() => readImageHeader(file)).toThrow(expect.objectContaining({ code: 'invalid-profile' }));
    }
    expect(() => readImageHeader(path.join(directory, 'nothing'))).toThrow(/there is no such/);
  });
});
