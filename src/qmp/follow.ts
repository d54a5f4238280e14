/** Follows an event journal while QEMU writes it. Any number may follow one journal; none of them disturbs QEMU. */
import { followFile } from '../system/follow-file.ts';
import { createJournalParser } from './journal.ts';
import type { QmpMessage } from './message.ts';

export interface FollowOptions {
  /** Byte from which to read, the begin of a line; default 0. */
  readonly offset?: number;
  /** Aborted: what is there by then is still given, and that is the end. */
  readonly signal: AbortSignal;
}

/** Gives each message, old ones first, and waits for more until `signal` aborts. @throws Error of Node's when the file cannot be opened */
export async function* followJournal(
  file: string,
  { offset = 0, signal }: FollowOptions,
): AsyncGenerator<QmpMessage, void> {
  const parser = createJournalParser();
  for await (const chunk of followFile(file, { offset, signal })) yield* parser.push(chunk);
}
