/**
 * A unix stream socket on which a QEMU waits: connected to, and connected to again after an end, for as long as it is there.
 *
 * QEMU makes the socket's file before it listens, and listens again after a connection has ended. So a refused connection is tried again, after
 * 5 ms at first and up to a second later; a QEMU that sends what is no frame is left alone for longer.
 */
import type { ChunkPool } from './chunk-pool.ts';
import { Connection, type ConnectionEnd } from './connection.ts';
import type { FrameSink } from './frame-reader.ts';
import type { Log } from './log.ts';

export interface PortOptions {
  /** The socket's file name. */
  readonly name: string;
  readonly path: string;
  readonly isGateway: boolean;
  readonly pool: ChunkPool;
  readonly log: Log;
  /** It is connected: who takes its frames. */
  readonly plug: (port: Port) => FrameSink;
  readonly unplug: (port: Port) => void;
}

const firstRetryMs = 5;
const lastRetryMs = 1000;
const firstNonsenseMs = 100;
const lastNonsenseMs = 60_000;
/** Nobody listens yet, or has time to accept, or a QEMU has ended. */
const ordinaryEnds: ReadonlySet<ConnectionEnd> = new Set(['closed', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EAGAIN']);
/** A connection that lasted so long was a good one. */
const steadyAfterMs = 1000;

/** Which socket it is: a new one of the same name may have the same inode, where no time of birth is kept. */
export interface SocketFile {
  readonly identity: string;
  /** Another text whenever anything about it changed. */
  readonly changed: string;
}

const namesTold = 5;

/** Of many ports, which a broadcast reaches at once, it is one line. */
function tellLosses(names: readonly string[]): string {
  const [only] = names;
  if (names.length === 1) return `port ${only} does not take its frames fast enough: some are lost`;
  const more = names.length > namesTold ? ` and ${names.length - namesTold} more` : '';
  return `ports ${names.slice(0, namesTold).join(', ')}${more} do not take their frames fast enough: some are lost`;
}

export class Port {
  readonly name: string;
  readonly isGateway: boolean;
  readonly #options: PortOptions;
  #connection: Connection | undefined;
  #upSinceMs: number | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #socket: SocketFile | undefined;

  constructor(options: PortOptions) {
    this.name = options.name;
    this.isGateway = options.isGateway;
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#upSinceMs !== undefined;
  }

  get queuedBytes(): number {
    return this.#connection?.queuedBytes ?? 0;
  }

  /** The socket is there, and is this one. Connects if it has to; at once if it is another one than before. */
  seen(socket: SocketFile): void {
    const before = this.#socket;
    this.#socket = socket;
    const isOther = before?.identity !== socket.identity;
    if (isOther || (!this.isUp && before?.changed !== socket.changed)) {
      this.close();
      this.#failures = 0;
    }
    if (this.#connection === undefined && this.#timer === undefined) this.#connect();
  }

  /** Whole envelopes. Never waits; what finds no room is lost. */
  send(bytes: Buffer, start: number, end: number): void {
    if (this.#connection?.send(bytes, start, end) === false && this.isUp)
      this.#options.log.together('lost', this.name, tellLosses);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#connection?.abandon();
    this.#connection = undefined;
    this.#down();
  }

  #connect(): void {
    this.#timer = undefined;
    const { path, pool, plug } = this.#options;
    this.#connection = new Connection({
      path,
      pool,
      onUp: () => {
        this.#upSinceMs = performance.now();
        return plug(this);
      },
      onEnd: (why) => this.#ended(why),
    });
  }

  #down(): void {
    if (this.#upSinceMs === undefined) return;
    if (performance.now() - this.#upSinceMs >= steadyAfterMs) this.#failures = 0;
    this.#upSinceMs = undefined;
    this.#options.unplug(this);
  }

  #ended(why: ConnectionEnd): void {
    this.#connection = undefined;
    this.#down();
    if (why === 'ENOENT') return; // gone: whoever looks at the directory says when it is there again
    this.#tell(why);
    // the first connection after a switch that was killed may begin in the middle of a frame: that is no reason for a long silence
    const [firstMs, lastMs] = why === 'nonsense' ? [firstNonsenseMs, lastNonsenseMs] : [firstRetryMs, lastRetryMs];
    this.#timer = setTimeout(() => this.#connect(), Math.min(lastMs, firstMs * 2 ** Math.min(this.#failures, 20)));
    this.#failures += 1;
  }

  #tell(why: ConnectionEnd): void {
    const { log, name } = this.#options;
    if (why === 'nonsense')
      log.once(`nonsense ${name}`, `port ${name} sent what is no frame: it is left alone for a while`);
    else if (!ordinaryEnds.has(why)) log.once(`${why} ${name}`, `port ${name}: ${why}`);
  }
}
