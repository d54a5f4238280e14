/**
 * A short name for a text, 16 hex digits, the same on every machine. For names of files and the like where a clash does no harm: nobody is kept
 * from making one on purpose. (node:crypto would do better, and takes 4 ms to load.)
 */
export function digestOf(text: string): string {
  let one = 0x811c9dc5;
  let other = 0x9e3779b9 ^ text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    one = Math.imul(one ^ unit, 0x01000193);
    other = Math.imul((other << 13) | (other >>> 19), 5) + (one ^ unit);
  }
  return hex(one) + hex(Math.imul(other ^ (other >>> 15), 0x2c1b3c6d));
}

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
