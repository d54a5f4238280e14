/** DNS messages (RFC 1035): reading a question, building its answer. */
import { parseIpv4 } from './address.ts';

export const dnsTypes = { a: 1, soa: 6, ptr: 12, aaaa: 28, opt: 41, any: 255 } as const;
export const dnsCodes = { noError: 0, noSuchName: 3, refused: 5 } as const;

export interface DnsQuestion {
  /** In lower case, without the dot at the end; the root is empty. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The header and the question as they came. */
  readonly head: Buffer;
  /** Whether it speaks EDNS (RFC 6891), and so wants to hear that we do. */
  readonly hasEdns: boolean;
}

const headerSize = 12;
const maxLabel = 63;
const maxName = 255;

/** Undefined: no question, or one that is damaged or has parts that a question has not. */
export function parseDnsQuestion(message: Buffer): DnsQuestion | undefined {
  if (message.length < headerSize) return undefined;
  const flags = message.readUInt16BE(2);
  const isPlainQuery = (flags & 0xf800) === 0;
  // one question, no answers, no authorities
  if (!isPlainQuery || message.readUInt16BE(4) !== 1 || message.readUInt32BE(6) !== 0) return undefined;
  const name = parseName(message, headerSize);
  if (name === undefined || name.end + 4 > message.length) return undefined;
  const end = name.end + 4;
  return {
    name: name.text,
    type: message.readUInt16BE(name.end),
    class: message.readUInt16BE(name.end + 2),
    head: message.subarray(0, end),
    hasEdns: message.readUInt16BE(10) > 0 && hasOpt(message, end),
  };
}

/** The name of a question, which points nowhere. */
function parseName(message: Buffer, start: number): { readonly text: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let at = start;
  while (at < message.length) {
    const size = message.readUInt8(at);
    at += 1;
    if (size === 0) return at - start <= maxName ? { text: labels.join('.'), end: at } : undefined;
    if (size > maxLabel || at + size > message.length || at - start > maxName) return undefined;
    // a dot inside of a label is no end of one: no name of ours has such a label
    labels.push(
      message
        .toString('latin1', at, at + size)
        .replaceAll('.', '\0')
        .toLowerCase(),
    );
    at += size;
  }
  return undefined;
}

/** EDNS is a record of the root's; resolvers put it first. */
const hasOpt = (message: Buffer, at: number): boolean =>
  at + 11 <= message.length && message.readUInt8(at) === 0 && message.readUInt16BE(at + 1) === dnsTypes.opt;

export interface DnsRecord {
  readonly type: number;
  readonly data: Buffer;
}

const ttlS = 5;
/** What every resolver takes without EDNS. */
const maxSize = 512;

/** An answer with authority. Records that find no room are left out, and the answer says so. */
export function buildDnsAnswer(question: DnsQuestion, code: number, records: readonly DnsRecord[] = []): Buffer {
  const opt = question.hasEdns ? Buffer.from([0, 0, dnsTypes.opt, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]) : Buffer.alloc(0);
  let room = maxSize - question.head.length - opt.length;
  const parts = records.map(encodeRecord).filter((part) => (room -= part.length) >= 0);
  const answer = Buffer.concat([question.head, ...parts, opt]);
  const truncated = parts.length < records.length ? 0x0200 : 0;
  const wantsRecursion = question.head.readUInt16BE(2) & 0x0100;
  answer.writeUInt16BE(0x8480 | truncated | wantsRecursion | code, 2);
  answer.writeUInt16BE(parts.length, 6);
  answer.writeUInt16BE(opt.length > 0 ? 1 : 0, 10);
  return answer;
}

/** About the name of the question, which stands behind the header. */
function encodeRecord({ type, data }: DnsRecord): Buffer {
  const head = Buffer.alloc(headerSize);
  head.writeUInt16BE(0xc000 + headerSize, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlS, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

export function encodeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.from([...labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]), 0]);
}

/** The address that `1.2.44.10.in-addr.arpa` asks about. */
export function parseReverseName(name: string): number | undefined {
  const match = /^([0-9.]+)\.in-addr\.arpa$/.exec(name);
  return match?.[1] === undefined ? undefined : parseIpv4(match[1].split('.').toReversed().join('.'));
}
