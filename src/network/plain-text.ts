import { truncated } from '../profile/words.ts';

/** Text that a server is configured with: what ends a value there, or starts another one, is refused. */
export function faultOfPlainText(written: string): string | undefined {
  if (written.length > 255) return 'the text has more than 255 characters';
  const odd = /[^ -~]|["'\\`$#]/.exec(written)?.[0];
  return odd === undefined ? undefined : `the character ${truncated(odd)} has no place in ${truncated(written)}`;
}
