/** What is waited for of a VM: its end, an answer on a port, a text on its console. As `qrun wait --for` and a lab file's `wait` write it. */
import type { Parsed } from '../profile/address.ts';
import { truncated } from '../profile/words.ts';

export type WaitFor =
  | { readonly what: 'end' }
  | { readonly what: 'port'; readonly port: number }
  | { readonly what: 'text'; readonly pattern: RegExp };

/** `end`, `port:NUMBER`, `text:REGEX` (of JavaScript, with the `u` flag). */
export function parseWaitFor(text: string): Parsed<WaitFor> {
  if (text === 'end') return { value: { what: 'end' } };
  const port = /^port:(\d{1,5})$/.exec(text)?.[1];
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65_535)
    return { value: { what: 'port', port: Number(port) } };
  if (!text.startsWith('text:') || text === 'text:')
    return { fault: `${truncated(text)} is not one of end, port:NUMBER, text:REGEX` };
  try {
    return { value: { what: 'text', pattern: new RegExp(text.slice('text:'.length), 'u') } };
  } catch (error) {
    return {
      fault: `${truncated(text)}: ${error instanceof Error ? truncated(error.message, 200, false) : 'no pattern'}`,
    };
  }
}
