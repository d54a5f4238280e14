/** Who holds a port: /proc/net names the socket's inode and owner, /proc/PID/fd says which process has that inode. */
import { readFileSync } from 'node:fs';
import { listPids, readArguments, readDescriptors, readProcess, readRealUser } from './processes.ts';
import { isQemu, nameOfQemu } from './qemus.ts';

export interface PortQuery {
  readonly protocol: 'tcp' | 'udp';
  /** A literal IPv4 or IPv6 address. */
  readonly address: string;
  readonly port: number;
}

export interface PortHolder {
  readonly uid: number;
  readonly pid?: number;
  readonly command?: string;
  /** For a message: `qemu-system-x86 (pid 4711, VM web1)` or `another user's process (uid 33)`. */
  readonly description: string;
}

export interface SocketRow {
  readonly address: Buffer;
  readonly port: number;
  readonly listening: boolean;
  /** Of a TCP socket that listens: connections that it has not accepted yet. */
  readonly waiting: number;
  readonly uid: number;
  readonly inode: number;
}

/** One line of /proc/net/{tcp,tcp6,udp,udp6}. Addresses are 32-bit words in the byte order of the host. */
export function parseSocketRow(line: string): SocketRow | undefined {
  const fields = line.trim().split(/\s+/);
  const [hexAddress, hexPort] = (fields[1] ?? '').split(':');
  const inode = Number(fields[9]);
  if (hexAddress === undefined || hexPort === undefined || !Number.isInteger(inode)) return undefined;
  const bytes = Buffer.from(hexAddress, 'hex');
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  if (littleEndian) bytes.swap32();
  // 0A: a TCP socket that listens; 07: a UDP socket that is bound and not connected
  const listening = fields[3] === '0A' || fields[3] === '07';
  const waiting = fields[3] === '0A' ? Number.parseInt(fields[4]?.split(':')[1] ?? '0', 16) : 0;
  return { address: bytes, port: Number.parseInt(hexPort, 16), listening, waiting, uid: Number(fields[7]), inode };
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** The first socket that keeps that port from being bound; undefined when none is seen. */
export function holderOfPort(query: PortQuery): PortHolder | undefined {
  const row = findRow(query);
  if (row === undefined) return undefined;
  const found = processOfSocket(row.inode) ?? findPasst(query, row.uid);
  if (found !== undefined) return { uid: row.uid, ...found };
  const whose =
    row.uid === process.getuid?.() ? 'a process of this user that hides what it has' : "another user's process";
  return { uid: row.uid, description: `${whose} (uid ${row.uid})` };
}

/** passt lets nobody look at its descriptors, but its arguments tell which ports it has: `127.0.0.1/8080:80`. */
function findPasst({ address, port }: PortQuery, uid: number): Required<Omit<PortHolder, 'uid'>> | undefined {
  const isForward = (word: string): boolean => {
    const [host = '', rest = ''] = word.split('/');
    return rest.startsWith(`${port}:`) && collides(parseAddress(host), parseAddress(address));
  };
  const pid = listPids().find((one) => {
    const [program = '', ...words] = readArguments(one);
    return /(^|\/)passt(\.avx2)?$/.test(program) && words.some(isForward) && readRealUser(one) === uid;
  });
  return pid === undefined ? undefined : { pid, command: 'passt', description: `passt (pid ${pid})` };
}

/** Who has the socket of that inode; undefined when it is another user's. */
export function processOfSocket(inode: number): Required<Omit<PortHolder, 'uid'>> | undefined {
  const pid = pidOfSocket(inode);
  if (pid === undefined) return undefined;
  const found = readProcess(pid);
  const command = found?.command ?? 'a process';
  const vm = found === undefined || !isQemu(found.argv) ? undefined : nameOfQemu(found.argv);
  return { pid, command, description: `${command} (pid ${pid}${vm === undefined ? '' : `, VM ${vm}`})` };
}

/** The ports on which this very process listens, by TCP. */
export function readListeningPorts(pid: number): number[] {
  const own = new Set(readDescriptors(pid));
  return ['tcp', 'tcp6']
    .flatMap(readRows)
    .filter((row) => row.listening && own.has(`socket:[${row.inode}]`))
    .map((row) => row.port);
}

/** Whether somebody is connected to that address of this host, by TCP, and was not let in yet. */
export function hasWaitingConnection(address: string, port: number): boolean {
  const wanted = parseAddress(address);
  return ['tcp', 'tcp6']
    .flatMap(readRows)
    .some((row) => row.waiting > 0 && row.port === port && collides(row.address, wanted));
}

/** False: no socket of this network namespace has that port, at whatever address. The tables are read once for many that are asked for at once. */
export function mayHaveSocket(protocol: 'tcp' | 'udp', port: number): boolean {
  const now = performance.now();
  if (looked?.protocol !== protocol || now - looked.at > lookMs)
    looked = { protocol, at: now, ports: readPortNumbers(protocol) };
  return looked.ports?.has(port) !== false;
}

let looked:
  | { readonly protocol: string; readonly at: number; readonly ports: ReadonlySet<number> | undefined }
  | undefined;
const lookMs = 250;

/** Undefined: that cannot be told. */
function readPortNumbers(protocol: 'tcp' | 'udp'): ReadonlySet<number> | undefined {
  const four = readTable(protocol);
  if (four === undefined) return undefined;
  const rows = `${four}\n${readTable(`${protocol}6`) ?? ''}`.matchAll(/^ *\d+: [0-9A-F]+:([0-9A-F]{4}) /gm);
  return new Set([...rows].map(([, hex]) => Number.parseInt(hex ?? '', 16)));
}

/** Undefined: no IPv6 on this host. */
function readTable(table: string): string | undefined {
  try {
    return readFileSync(`/proc/net/${table}`, 'latin1');
  } catch {
    return undefined;
  }
}

function findRow(query: PortQuery): SocketRow | undefined {
  const wanted = parseAddress(query.address);
  const rows = [query.protocol, `${query.protocol}6`].flatMap(readRows).filter((row) => row.port === query.port);
  const hits = rows.filter((row) => collides(row.address, wanted));
  return hits.find((row) => row.listening) ?? hits[0];
}

function readRows(table: string): SocketRow[] {
  try {
    const lines = readFileSync(`/proc/net/${table}`, 'utf8').split('\n').slice(1);
    return lines.map(parseSocketRow).filter((row) => row !== undefined);
  } catch {
    return []; // no IPv6 on this host
  }
}

/** Equal, or one of the two is the wildcard (`::` takes IPv4 as well unless told otherwise). */
function collides(bound: Buffer, wanted: Buffer): boolean {
  const left = unmapped(bound);
  const right = unmapped(wanted);
  if (isWildcard(left)) return left.length === 16 || right.length === 4;
  if (isWildcard(right)) return right.length === 16 || left.length === 4;
  return left.equals(right);
}

const isWildcard = (address: Buffer): boolean => address.every((byte) => byte === 0);

const mappedPrefix = Buffer.from('00000000000000000000ffff', 'hex');

/** `::ffff:127.0.0.1` is IPv4. */
function unmapped(address: Buffer): Buffer {
  return address.length === 16 && address.subarray(0, 12).equals(mappedPrefix) ? address.subarray(12) : address;
}

/** A literal address as bytes; anything else counts as the wildcard. */
export function parseAddress(text: string): Buffer {
  const bare = text.split('%')[0] ?? '';
  const four = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(bare);
  if (four !== null) return Buffer.from(four.slice(1).map(Number));
  const [front = '', back] = bare.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, dottedToWords).split('::');
  const head = wordsOf(front);
  const tail = back === undefined ? [] : wordsOf(back);
  const middle = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => 0);
  const bytes = Buffer.alloc(16);
  [...head, ...middle, ...tail].slice(0, 8).forEach((word, index) => bytes.writeUInt16BE(word & 0xffff, index * 2));
  return bytes;
}

const wordsOf = (text: string): number[] =>
  text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16) || 0);

function dottedToWords(_text: string, ...octets: string[]): string {
  const [a = 0, b = 0, c = 0, d = 0] = octets.slice(0, 4).map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function pidOfSocket(inode: number): number | undefined {
  const wanted = `socket:[${inode}]`;
  return listPids().find((pid) => readDescriptors(pid).includes(wanted));
}
