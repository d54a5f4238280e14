/**
 * The event journal: the file into which QEMU writes its greeting, its answers to the commands that it was started with, and every event, from
 * its start to its end. It tells how a run went and how it ended, also when nobody was there.
 */
import { createLineDecoder } from './line-codec.ts';
import { isObject, parseQmpMessage, type QmpMessage } from './message.ts';

/** Longer than any event; what is longer is skipped. */
const maxLineBytes = 1024 * 1024;

export interface JournalParser {
  /** Gives the messages that are complete now. What is no message (a torn line, noise) is skipped. */
  readonly push: (chunk: Buffer) => QmpMessage[];
}

export function createJournalParser(): JournalParser {
  const decoder = createLineDecoder({ maxLineBytes, overlong: 'drop' });
  return {
    push: (chunk) =>
      decoder.push(chunk).flatMap((line) => {
        const message = parseQmpMessage(line);
        return message === undefined ? [] : [message];
      }),
  };
}

/** The messages of a whole journal. */
export function parseJournal(text: string): QmpMessage[] {
  return createJournalParser().push(Buffer.from(text));
}

export interface JournalSummary {
  /** QEMU's main loop ran: everything that it was told could be had. */
  readonly started: boolean;
  /** The guest stands still. */
  readonly paused: boolean;
  /** The guest was asked to power down, and still runs. */
  readonly poweringDown: boolean;
  readonly guestPanicked: boolean;
  /** Why it ended: `guest-shutdown`, `host-qmp-quit`, `host-signal`, `guest-reset`, `guest-panic`, … */
  readonly shutdownReason?: string;
}

export const emptySummary: JournalSummary = {
  started: false,
  paused: false,
  poweringDown: false,
  guestPanicked: false,
};

export function summarise(messages: readonly QmpMessage[]): JournalSummary {
  return messages.reduce(addToSummary, emptySummary);
}

/** For whoever follows a journal: what is known when one more message came. */
function addToSummary(summary: JournalSummary, message: QmpMessage): JournalSummary {
  if (message.kind === 'return') return { ...summary, started: true, ...pausedBy(message.value) };
  if (message.kind !== 'event') return summary;
  switch (message.event) {
    case 'STOP':
      return { ...summary, paused: true };
    case 'RESUME':
      return { ...summary, paused: false };
    case 'POWERDOWN':
      return { ...summary, poweringDown: true };
    case 'RESET':
      // a guest that reboots did not power down
      return { ...summary, poweringDown: false };
    case 'GUEST_PANICKED':
      return { ...summary, guestPanicked: true };
    case 'SHUTDOWN':
      return { ...summary, poweringDown: false, shutdownReason: reasonOf(message.data) };
    default:
      return summary;
  }
}

/** The answer to query-status, which is among the commands of the start: with `-S` there is no event that says so. */
function pausedBy(value: unknown): { readonly paused?: boolean } {
  if (!isObject(value) || typeof value['running'] !== 'boolean' || typeof value['status'] !== 'string') return {};
  return { paused: !value['running'] };
}

function reasonOf(data: Readonly<Record<string, unknown>>): string {
  const reason = data['reason'];
  if (typeof reason === 'string') return reason;
  return data['guest'] === true ? 'guest-shutdown' : 'host-signal';
}
