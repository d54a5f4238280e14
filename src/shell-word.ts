/** One word for a POSIX shell: whatever it holds, the shell hands it on as it is. */

export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_@%+:,./-]+$/.test(text)) return text;
  // "=" is fine anywhere but in the first word of a command, where it would be an assignment: --reuid=65534 may stay readable
  if (/^-[A-Za-z0-9_@%+=:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export const shellWords = (words: readonly string[]): string => words.map(shellWord).join(' ');
