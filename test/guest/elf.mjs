/** A program of the test guest: x86-64 code that stands behind the headers and begins with its first byte. */

export const programBase = 0x400000;
export const headerBytes = 64 + 56;

/** @param {Buffer} text code, and what it reads @returns {Buffer} an ELF program for x86-64 Linux */
export function buildProgram(text) {
  const header = Buffer.alloc(headerBytes);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(2, 16); // an executable
  header.writeUInt16LE(62, 18); // for x86-64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(programBase + headerBytes), 24); // begins behind the headers
  header.writeBigUInt64LE(64n, 32); // the one program header
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  const size = BigInt(headerBytes + text.length);
  header.writeUInt32LE(1, 64); // to be loaded
  header.writeUInt32LE(5, 68); // readable, executable
  for (const at of [80, 88]) header.writeBigUInt64LE(BigInt(programBase), at);
  for (const at of [96, 104]) header.writeBigUInt64LE(size, at);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, text]);
}
