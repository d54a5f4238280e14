/**
 * `disks:` and `cdrom:`. A format is stated or told by the suffix; no image is ever probed.
 */
import path from 'node:path';
import * as z from 'zod/mini';
import type { Parsed } from './address.ts';
import { described, flag, map, oneOf, parsedText, parsePath, transformed, type FieldContext } from './fields.ts';
import type { Disk, DiskFormat } from './profile.ts';
import { parseSize, sizePattern } from './size.ts';
import { truncated } from './words.ts';
import type { DocumentPath, PathFault } from './yaml-document.ts';

const formats = ['raw', 'qcow2', 'vmdk', 'vdi', 'vhdx'] as const satisfies readonly DiskFormat[];

const suffixes: Readonly<Record<string, DiskFormat>> = {
  '.qcow2': 'qcow2',
  '.img': 'raw',
  '.raw': 'raw',
  '.iso': 'raw',
  '.vmdk': 'vmdk',
  '.vdi': 'vdi',
  '.vhdx': 'vhdx',
};

/** @returns undefined when the name does not say it */
function formatOfName(file: string): DiskFormat | undefined {
  const suffix = path.extname(file).toLowerCase();
  return Object.hasOwn(suffixes, suffix) ? suffixes[suffix] : undefined;
}

const fileDescription =
  "The image, relative to the profile. If that place cannot be written, a new disk goes to the VM's own directory.";

export function diskField(context: FieldContext) {
  const full = map('A disk.', {
    file: z.pipe(
      described(z.string(), fileDescription, { examples: ['web1.qcow2'] }),
      transformed((written: string): Parsed<CheckedDisk['file']> => {
        const parsed = parseDiskPath(written, context);
        return 'fault' in parsed ? parsed : { value: { file: parsed.value, written } };
      }),
    ),
    format: z.exactOptional(oneOf("The image's format. Default: by the suffix of its name.", formats)),
    size: z.exactOptional(
      parsedText('The disk is created with this size if it is missing.', parseSize, {
        pattern: sizePattern,
        examples: ['20G'],
      }),
    ),
    base: z.exactOptional(
      parsedText('The disk is created as an overlay of this image if it is missing.', (written) =>
        parseDiskPath(written, context),
      ),
    ),
    readOnly: z.exactOptional(flag('true: the guest cannot write it. Default: false, true for an .iso.')),
  });
  const short = z.pipe(
    described(z.string(), fileDescription),
    transformed((written: string): Parsed<Disk> => {
      const parsed = parseDiskPath(written, context);
      return 'fault' in parsed ? parsed : { value: diskOf({ file: { file: parsed.value, written } }) };
    }),
  );
  return z.union([short, z.pipe(full, z.transform(diskOf))]);
}

interface CheckedDisk {
  readonly file: { readonly file: string; readonly written: string };
  readonly format?: DiskFormat;
  readonly size?: number;
  readonly base?: string;
  readonly readOnly?: boolean;
}

function diskOf({ file, format, size, base, readOnly }: CheckedDisk): Disk {
  return {
    ...file,
    // without a format there is a fault (diskFaults), and nobody sees this value
    format: format ?? formatOfName(file.file) ?? 'raw',
    ...(size !== undefined && { sizeBytes: size }),
    ...(base !== undefined && { base }),
    readOnly: readOnly ?? /\.iso$/i.test(file.file),
  };
}

/** `/dev/fdset/N` is a descriptor to QEMU and no file. */
function parseDiskPath(written: string, context: FieldContext): Parsed<string> {
  const parsed = parsePath(written, context);
  if ('fault' in parsed || !/^\/dev\/fdset(\/|$)/.test(parsed.value)) return parsed;
  return { fault: `${truncated(written)} is a descriptor of QEMU's and no file` };
}

export function isDevice(written: string, context: FieldContext): boolean {
  const parsed = parsePath(written, context);
  return 'value' in parsed && parsed.value.startsWith('/dev/');
}

/** A host's CD drive can be nothing else than a CD drive; any other device is not given away by this key. */
export function faultOfCdrom(written: string, context: FieldContext): string | undefined {
  const parsed = parsePath(written, context);
  if ('fault' in parsed || !parsed.value.startsWith('/dev/')) return undefined;
  return /^\/dev\/(sr[0-9]+|cdrom[0-9]*)$/.test(parsed.value)
    ? undefined
    : `${truncated(written)} is a device and no image of a CD`;
}

/** What takes more than one key of a disk to see, of the disks as they are written. */
export function diskFaults(disks: unknown, context: FieldContext): PathFault[] {
  if (!Array.isArray(disks)) return [];
  const first = new Map<string, number>();
  return disks.flatMap((disk: unknown, index): PathFault[] => {
    const entry = typeof disk === 'string' ? { file: disk } : disk;
    if (typeof entry !== 'object' || entry === null) return [];
    const place: DocumentPath = ['disks', index];
    const at = (key: string): DocumentPath => (typeof disk === 'string' ? place : [...place, key]);
    const faults = faultsOfDisk(entry as Record<string, unknown>, context);
    return [
      ...faults.map(({ key, message }): PathFault => ({ path: at(key), at: 'value', message })),
      ...taken({ file: (entry as Record<string, unknown>)['file'], index, first, context }).map(
        (message): PathFault => ({ path: at('file'), at: 'value', message }),
      ),
    ];
  });
}

function faultsOfDisk(
  disk: Readonly<Record<string, unknown>>,
  context: FieldContext,
): { key: string; message: string }[] {
  const { file, format, base, size } = disk;
  if (typeof file !== 'string' || 'fault' in parsePath(file, context)) return [];
  const faults: { key: string; message: string }[] = [];
  const told = format ?? formatOfName(file);
  if (isDevice(file, context)) {
    if (format !== 'raw')
      faults.push({
        key: 'file',
        message: `${truncated(file)} is a device of the host's: state "format: raw" if that is meant`,
      });
    if (size !== undefined) faults.push({ key: 'size', message: 'a device has the size that it has' });
  } else if (told === undefined) {
    faults.push({
      key: 'file',
      message: `the name ${truncated(file)} does not tell the format: state "format: qcow2" or "format: raw"`,
    });
  }
  if (base === undefined) return faults;
  if (told !== undefined && told !== 'qcow2')
    faults.push({
      key: 'base',
      message: `an overlay of a base is qcow2, and this disk is ${typeof told === 'string' ? told : 'another'}`,
    });
  if (typeof base === 'string' && isDevice(base, context))
    faults.push({ key: 'base', message: `${truncated(base)} is a device and no image` });
  return faults;
}

interface TakenOptions {
  readonly file: unknown;
  readonly index: number;
  readonly first: Map<string, number>;
  readonly context: FieldContext;
}

function taken({ file, index, first, context }: TakenOptions): string[] {
  const parsed = typeof file === 'string' ? parsePath(file, context) : undefined;
  if (parsed === undefined || 'fault' in parsed) return [];
  const before = first.get(parsed.value);
  if (before === undefined) first.set(parsed.value, index);
  return before === undefined ? [] : [`this is the file of disks[${before}] already`];
}
