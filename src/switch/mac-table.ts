/**
 * Which MAC is behind which port. Bounded in all and for each port, so that a guest that invents addresses pushes out its own and nobody else's;
 * an address that was not heard for five minutes is forgotten.
 */

/** What the table needs of a port. */
export interface TablePort {
  readonly name: string;
}

export interface MacEntry<Port extends TablePort> {
  readonly mac: number;
  port: Port;
  /** Milliseconds on the clock that the caller hands in. */
  seenMs: number;
}

export const maxMacs = 4096;
export const maxMacsOfPort = 256;
const forgetAfterMs = 300_000;

export class MacTable<Port extends TablePort> {
  readonly #entries = new Map<number, MacEntry<Port>>();
  readonly #ofPort = new Map<Port, Set<number>>();

  get size(): number {
    return this.#entries.size;
  }

  /** The port, if it was heard of lately. */
  find(mac: number, nowMs: number): Port | undefined {
    const entry = this.#entries.get(mac);
    if (entry === undefined) return undefined;
    if (nowMs - entry.seenMs <= forgetAfterMs) return entry.port;
    this.#remove(entry);
    return undefined;
  }

  /** Gives the entry of this address if it is known behind this port, and notes that it was heard again. */
  refresh(mac: number, port: Port, nowMs: number): boolean {
    const entry = this.#entries.get(mac);
    if (entry === undefined || entry.port !== port) return false;
    entry.seenMs = nowMs;
    return true;
  }

  /** Gives the port where it was before, if that was another one and not long ago. */
  learn(mac: number, port: Port, nowMs: number): { readonly port: Port; readonly agoMs: number } | undefined {
    const before = this.#entries.get(mac);
    if (before !== undefined) this.#remove(before);
    this.#makeRoom(port);
    this.#entries.set(mac, { mac, port, seenMs: nowMs });
    let own = this.#ofPort.get(port);
    if (own === undefined) this.#ofPort.set(port, (own = new Set()));
    own.add(mac);
    return before !== undefined && before.port !== port
      ? { port: before.port, agoMs: nowMs - before.seenMs }
      : undefined;
  }

  forgetPort(port: Port): void {
    for (const mac of this.#ofPort.get(port) ?? []) this.#entries.delete(mac);
    this.#ofPort.delete(port);
  }

  forgetWhere(isWrong: (mac: number, port: Port) => boolean): void {
    for (const entry of [...this.#entries.values()]) if (isWrong(entry.mac, entry.port)) this.#remove(entry);
  }

  #makeRoom(port: Port): void {
    const own = this.#ofPort.get(port);
    if (own !== undefined && own.size >= maxMacsOfPort) this.#removeFirst(own);
    else if (this.#entries.size >= maxMacs)
      this.#removeFirst(own !== undefined && own.size > 0 ? own : this.#entries.keys());
  }

  /** Both maps keep the order in which addresses were learned. */
  #removeFirst(macs: Iterable<number>): void {
    for (const mac of macs) {
      const entry = this.#entries.get(mac);
      if (entry !== undefined) this.#remove(entry);
      return;
    }
  }

  #remove({ mac, port }: MacEntry<Port>): void {
    this.#entries.delete(mac);
    this.#ofPort.get(port)?.delete(mac);
  }
}
