/** Unix sockets by their paths: /proc/net/unix tells of those of this network namespace, a connection tells of any. */
import { readFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

export interface UnixSocket {
  readonly path: string;
  readonly type: 'stream' | 'dgram' | 'seqpacket';
  readonly listening: boolean;
  /** The server's end of a connection that the server has not accepted yet. */
  readonly waiting: boolean;
  /** As in `socket:[INODE]` of /proc/PID/fd; not that of the file. */
  readonly inode: number;
}

const types: Readonly<Record<string, UnixSocket['type']>> = { '0001': 'stream', '0002': 'dgram', '0005': 'seqpacket' };

/** __SO_ACCEPTCON of the kernel's: the socket listens. */
const acceptsConnections = 0x10000;

/** SS_CONNECTING of the kernel's. */
const connecting = '02';

/** Rows `ffff…: 00000002 00000000 00010000 0001 01 12345 /path`; those without a name are left out. A path is as whoever bound it wrote it. */
export function parseUnixSockets(text: string): UnixSocket[] {
  return text.split('\n').flatMap((line) => {
    const [, flags = '', code = '', state, inode, path] =
      /^\S+ +\S+ +\S+ +(\S+) +(\S+) +(\S+) +(\d+) (.+)$/.exec(line.trimStart()) ?? [];
    const type = types[code];
    if (path === undefined || type === undefined) return [];
    const listening = (Number.parseInt(flags, 16) & acceptsConnections) !== 0;
    return [{ path, type, listening, waiting: state === connecting && inode === '0', inode: Number(inode) }];
  });
}

export function readUnixSockets(): UnixSocket[] {
  try {
    return parseUnixSockets(readFileSync('/proc/net/unix', 'utf8'));
  } catch {
    return [];
  }
}

/** The one that others reach by this path: it listens, or takes datagrams. What a listening socket accepted has the same name and is none. */
export function findUnixSocket(path: string): UnixSocket | undefined {
  return readUnixSockets().find((socket) => socket.path === path && (socket.listening || socket.type === 'dgram'));
}

/**
 * Whether somebody is behind the socket file, in whatever namespace and however he spelled the path: connecting to one that nobody has is refused.
 * `unknown`: this user may not connect.
 */
export async function probeUnixSocket(path: string): Promise<'taken' | 'dead' | 'unknown'> {
  if (findUnixSocket(path) !== undefined) return 'taken';
  const { createConnection } = await import('node:net');
  return await new Promise((resolve) => {
    const connection = createConnection(path);
    const tell = (state: 'taken' | 'dead' | 'unknown'): void => {
      connection.destroy();
      resolve(state);
    };
    connection.once('connect', () => tell('taken'));
    connection.once('error', (error) => tell(stateOfRefusal(errnoOf(error))));
  });
}

/** EPROTOTYPE: it takes datagrams; EAGAIN: its queue is full. */
function stateOfRefusal(errno: string | undefined): 'taken' | 'dead' | 'unknown' {
  if (errno === 'ECONNREFUSED' || errno === 'ENOENT') return 'dead';
  return errno === 'EPROTOTYPE' || errno === 'EAGAIN' ? 'taken' : 'unknown';
}
