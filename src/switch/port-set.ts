/** The sockets of a directory as ports: looked at when the kernel says that something changed there, and now and then because it may not say so. */
import { lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../errors.ts';
import type { Log } from './log.ts';
import { Port, type PortOptions, type SocketFile } from './port.ts';

export interface PortSetOptions extends Pick<PortOptions, 'pool' | 'log' | 'plug' | 'unplug'> {
  readonly directory: string;
  /** Path of the gateway's socket. */
  readonly gateway: string;
}

const maxPorts = 1024;

const isGuestPort = (name: string): boolean => name.endsWith('.port') && !name.startsWith('.');

export class PortSet {
  readonly #options: PortSetOptions;
  /** By path. */
  readonly #ports = new Map<string, Port>();

  constructor(options: PortSetOptions) {
    this.#options = options;
  }

  get ports(): readonly Port[] {
    return [...this.#ports.values()];
  }

  scan(): void {
    const { directory, gateway, log } = this.#options;
    const here = new Set<string>();
    for (const name of namesIn(directory, log)) {
      const file = path.join(directory, name);
      if (isGuestPort(name) && file !== gateway) this.#look(file, here);
    }
    this.#look(gateway, here);
    for (const [file, port] of this.#ports) if (!here.has(file)) this.#gone(file, port);
  }

  close(): void {
    for (const port of this.#ports.values()) port.close();
  }

  #look(file: string, here: Set<string>): void {
    const { gateway, log } = this.#options;
    const name = path.basename(file);
    const socket = lookAtSocket(file);
    if (socket === undefined) return;
    if (socket === 'no socket') log.once(`no socket ${name}`, `${name} is no socket, and is left alone`);
    else if (!this.#ports.has(file) && this.#ports.size >= maxPorts)
      log.once('ports', `more than ${maxPorts} ports: the rest is left alone`);
    else {
      here.add(file);
      let port = this.#ports.get(file);
      if (port === undefined) {
        port = new Port({ ...this.#options, name, path: file, isGateway: file === gateway });
        this.#ports.set(file, port);
      }
      port.seen(socket);
    }
  }

  /** A connection outlives the socket's name: its guest runs on. */
  #gone(file: string, port: Port): void {
    if (port.isUp) return;
    port.close();
    this.#ports.delete(file);
  }
}

function namesIn(directory: string, log: Log): string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT')
      log.once('ports directory', `cannot read ${directory}: ${errnoOf(error) ?? 'error'}`);
    return [];
  }
}

/** A symbolic link is no socket, wherever it leads. */
function lookAtSocket(file: string): SocketFile | 'no socket' | undefined {
  try {
    const found = lstatSync(file, { bigint: true });
    if (!found.isSocket()) return 'no socket';
    const identity = `${found.dev} ${found.ino} ${found.birthtimeNs}`;
    return { identity, changed: `${identity} ${found.ctimeNs}` };
  } catch {
    return undefined;
  }
}
