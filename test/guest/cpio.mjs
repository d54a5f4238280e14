/**
 * An initramfs as bytes: the kernel's "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst). The same entries always give
 * the same bytes: no times, no owners, inode numbers by position.
 */

/**
 * @typedef {{path: string, mode: number, data?: Buffer, device?: [number, number]}} Entry
 * mode holds the file type too: 0o040755 a directory, 0o100644 a file, 0o120777 a link (data is its aim), 0o020600 a character device
 */

/** @param {Entry[]} entries @returns {Buffer} */
export function buildCpio(entries) {
  const trailer = { path: 'TRAILER!!!', mode: 0 };
  const sorted = entries.toSorted((one, other) => (one.path < other.path ? -1 : 1));
  return Buffer.concat([...sorted, trailer].flatMap((entry, index) => renderEntry(entry, index + 1)));
}

function renderEntry({ path, mode, data = Buffer.alloc(0), device: [major, minor] = [0, 0] }, inode) {
  const name = Buffer.from(`${path}\0`);
  // inode mode uid gid nlink mtime size devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, major, minor, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [header, name, padding(header.length + name.length), data, padding(data.length)];
}

/** Names and contents begin at multiples of four. */
const padding = (length) => Buffer.alloc((4 - (length % 4)) % 4);
