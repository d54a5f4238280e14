/**
 * What the header of a disk image says, read without QEMU: the format, and whether the image leads to other files. A guest can write what it
 * likes into its raw disk, and an image may come from anywhere: everything here is hostile, and no length or offset in it is believed.
 * https://www.qemu.org/docs/master/interop/qcow2.html
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errnoOf, QrunError } from '../errors.ts';
import type { DiskFormat } from '../profile/profile.ts';
import { shellWord } from '../shell-word.ts';

export interface ImageHeader {
  readonly format: DiskFormat;
  readonly backingFile?: string;
  readonly backingFormat?: string;
  /** A file besides this one that holds the guest's data. */
  readonly dataFile?: string;
}

/** No format needs more for its header, and qcow2's must lie in the first cluster (2 MiB at most, 64 KiB by default). */
const maxHeaderBytes = 1024 * 1024;

/** @throws QrunError `invalid-profile` when it is no regular file or a damaged image, `permission`, `host-failed` */
export function readImageHeader(file: string): ImageHeader {
  return parseImageHeader(readBeginning(file), file);
}

function readBeginning(file: string): Buffer {
  let fd: number | undefined;
  try {
    // not blocking: opening a FIFO would wait for a writer
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new QrunError('invalid-profile', `${file}: a disk image must be a regular file`);
    const buffer = Buffer.alloc(Math.min(maxHeaderBytes, stat.size));
    let length = 0;
    while (length < buffer.length) {
      const count = readSync(fd, buffer, length, buffer.length - length, length);
      if (count === 0) break;
      length += count;
    }
    return buffer.subarray(0, length);
  } catch (error) {
    throw error instanceof QrunError ? error : unreadable(file, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function unreadable(file: string, error: unknown): QrunError {
  const errno = errnoOf(error) ?? 'an unknown error';
  if (errno === 'ENOENT' || errno === 'ENXIO')
    return new QrunError('invalid-profile', `${file}: there is no such disk image`);
  const code = errno === 'EACCES' || errno === 'EPERM' ? 'permission' : 'host-failed';
  return new QrunError(code, `${file}: the disk image cannot be read: ${errno}`, { cause: error });
}

/** Pure. What has no known magic is raw. @throws QrunError `invalid-profile` for a header that contradicts itself */
export function parseImageHeader(head: Buffer, file: string): ImageHeader {
  if (startsWith(head, 'QFI\u00fb')) return parseQcow2(head, file);
  if (startsWith(head, 'KDMV') || startsWith(head, 'COWD')) return parseSparseVmdk(head, file);
  if (isVmdkDescriptor(head)) return parseVmdkDescriptor(head.toString('latin1'));
  if (startsWith(head, 'vhdxfile')) return { format: 'vhdx' };
  if (head.length >= 68 && head.readUInt32LE(64) === 0xbeda107f) return { format: 'vdi' };
  return { format: 'raw' };
}

function startsWith(head: Buffer, magic: string): boolean {
  return head.subarray(0, magic.length).equals(Buffer.from(magic, 'latin1'));
}

const externalDataBit = 1n << 2n;
const backingFormatType = 0xe2792aca;
const dataFileType = 0x44415441;
const maxNameBytes = 1023;

function parseQcow2(head: Buffer, file: string): ImageHeader {
  if (head.length < 72) throw damaged(file, 'it ends within the header');
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw damaged(file, `version ${version} of qcow2 is unknown`);
  const headerLength = version === 2 ? 72 : longHeader(head, file);
  const extensions = readExtensions(head, headerLength);
  const external = version === 3 && (head.readBigUInt64BE(72) & externalDataBit) !== 0n;
  const backingFile = readBackingName(head, file);
  const backingFormat = extensions.get(backingFormatType);
  // an external data file without a name is still one: QEMU is then told by whoever opens it
  const dataFile = extensions.get(dataFileType) ?? (external ? '(unnamed)' : undefined);
  return {
    format: 'qcow2',
    ...(backingFile !== undefined && { backingFile }),
    ...(backingFormat !== undefined && { backingFormat }),
    ...(dataFile !== undefined && { dataFile }),
  };
}

function longHeader(head: Buffer, file: string): number {
  if (head.length < 104) throw damaged(file, 'it ends within the header');
  const length = head.readUInt32BE(100);
  if (length < 104 || length > head.length) throw damaged(file, `its header claims ${length} bytes`);
  return length;
}

function readBackingName(head: Buffer, file: string): string | undefined {
  const offset = head.readBigUInt64BE(8);
  const length = head.readUInt32BE(16);
  if (offset === 0n) return undefined;
  if (length === 0) return undefined;
  if (length > maxNameBytes) throw damaged(file, 'the name of its backing file is too long');
  if (offset + BigInt(length) > BigInt(head.length))
    throw damaged(file, 'the name of its backing file lies outside of its header');
  return head.toString('utf8', Number(offset), Number(offset) + length);
}

/** Type, length, data padded to 8 bytes, until type 0. What does not fit ends the list, as it would for QEMU. */
function readExtensions(head: Buffer, begin: number): Map<number, string> {
  const found = new Map<number, string>();
  for (let at = begin; at + 8 <= head.length;) {
    const type = head.readUInt32BE(at);
    const length = head.readUInt32BE(at + 4);
    if (type === 0 || length > head.length - at - 8) break;
    if ((type === backingFormatType || type === dataFileType) && length <= maxNameBytes) {
      found.set(type, head.toString('utf8', at + 8, at + 8 + length));
    }
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return found;
}

/** A sparse extent holds its data itself, unless its capacity is zero: then it is a descriptor in disguise. */
function parseSparseVmdk(head: Buffer, file: string): ImageHeader {
  if (startsWith(head, 'COWD')) return { format: 'vmdk' };
  if (head.length < 79) throw damaged(file, 'it ends within the header');
  const sector = 512n;
  const capacity = head.readBigUInt64LE(12);
  const offset = head.readBigUInt64LE(28) * sector;
  const size = head.readBigUInt64LE(36) * sector;
  if (offset === 0n || size === 0n) return { format: 'vmdk' };
  if (offset + size > BigInt(head.length)) throw damaged(file, 'its descriptor lies outside of its header');
  const text = head.toString('latin1', Number(offset), Number(offset + size));
  const { backingFile, dataFile } = parseVmdkDescriptor(text);
  return {
    format: 'vmdk',
    ...(backingFile !== undefined && { backingFile }),
    ...(capacity === 0n && dataFile !== undefined && { dataFile }),
  };
}

/** QEMU skips comments and empty lines before it looks for the first word. */
function isVmdkDescriptor(head: Buffer): boolean {
  const text = head.toString('latin1', 0, Math.min(head.length, 64 * 1024));
  return /^(?:#[^\n]*\n|[ \t]*\r?\n)*version=\d/.test(text) || text.startsWith('# Disk DescriptorFile');
}

function parseVmdkDescriptor(text: string): ImageHeader {
  const parent =
    /^[ \t]*parentFileNameHint="([^"\n]*)"/m.exec(text)?.[1] ?? /parentFileNameHint="([^"\n]*)"/.exec(text)?.[1];
  const extent = /^[ \t]*(?:RW|RDONLY|NOACCESS)[ \t]+\d+[ \t]+[A-Z]+[ \t]+"([^"\n]*)"/m.exec(text)?.[1];
  return {
    format: 'vmdk',
    ...(parent !== undefined && { backingFile: parent }),
    ...(extent !== undefined && { dataFile: extent }),
  };
}

function damaged(file: string, why: string): QrunError {
  return new QrunError('invalid-profile', `${file}: the disk image is damaged: ${why}`, {
    hint: `qemu-img check ${shellWord(file)}`,
  });
}
