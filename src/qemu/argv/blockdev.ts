/**
 * Block nodes, always in JSON with an explicit driver: a file name is a file name, never a protocol, and no header says what is opened.
 * https://www.qemu.org/docs/master/system/qemu-block-drivers.html
 */
import { QrunError } from '../../errors.ts';
import type { ArgvImage } from './input.ts';

export type BlockNode = Readonly<Record<string, string | boolean | null>>;

/** Formats that can lie on top of another image. */
const overlayFormats = ['qcow2', 'vmdk'];

export function blockdevArgs(node: BlockNode): string[] {
  return ['-blockdev', JSON.stringify(node)];
}

/** @throws QrunError `invalid-profile` for a name that no one can have meant */
export function fileNode({ name, file, readOnly }: { name: string; file: string; readOnly: boolean }): BlockNode {
  // oxlint-disable-next-line no-control-regex -- a name with a newline or a NUL is an attempt at something else
  if (!file.startsWith('/') || /[\u0000-\u001f\u007f]/.test(file)) {
    throw new QrunError('invalid-profile', `${JSON.stringify(file)} is no absolute path without control characters`);
  }
  return {
    driver: 'file',
    'node-name': name,
    filename: file,
    'read-only': readOnly,
    ...(!readOnly && { discard: 'unmap' }),
  };
}

/** The nodes of one image and of what it lies on; the image's own node is called `name`. */
export function imageArgs(options: {
  readonly name: string;
  readonly image: ArgvImage;
  readonly readOnly: boolean;
  readonly backing: readonly ArgvImage[];
}): string[] {
  const { name, image, readOnly, backing } = options;
  const [base, ...rest] = backing;
  const under = `${name}-base`;
  const below = base === undefined ? [] : imageArgs({ name: under, image: base, readOnly: true, backing: rest });
  return [
    ...below,
    ...blockdevArgs(fileNode({ name: `${name}-file`, file: image.file, readOnly })),
    ...blockdevArgs({
      driver: image.format,
      'node-name': name,
      file: `${name}-file`,
      'read-only': readOnly,
      ...(!readOnly && { discard: 'unmap' }),
      // null: the header's own word about a backing file counts for nothing
      ...(overlayFormats.includes(image.format) && { backing: base === undefined ? null : under }),
    }),
  ];
}
