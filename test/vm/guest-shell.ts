/** The shell of a test guest on its serial line: commands are typed, and what they wrote comes back. */
import { createConnection, type Socket } from 'node:net';
import { expect } from 'vitest';
import type { Home } from '../harness/harness.ts';

const promptMs = 120_000;

export class GuestShell {
  readonly #socket: Socket;
  readonly #name: string;
  #text = '';
  #count = 0;
  #wake: () => void = () => {};

  private constructor(name: string, socket: Socket) {
    this.#name = name;
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      this.#text += chunk.replaceAll('\r', '');
      this.#wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#wake());
  }

  /** The guest is up; nobody else is at its console. */
  static async open(home: Pick<Home, 'qrun' | 'runtime'>, vm: string): Promise<GuestShell> {
    const { status, stderr } = await home.qrun(['wait', vm, '--for', 'text:qrun-guest: up', '--timeout', '150']);
    expect({ vm, status, stderr }).toMatchObject({ status: 0 });
    const socket = createConnection(`${home.runtime}/${vm}/console`);
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const shell = new GuestShell(vm, socket);
    await shell.run(':');
    return shell;
  }

  /** One line, under 900 bytes. @returns what it wrote. @throws Error with all that came when it has not ended after `timeoutMs` */
  async run(command: string, timeoutMs = promptMs): Promise<string> {
    const tag = `q${(this.#count += 1)}`;
    // in what is echoed the marks are broken by quotes
    this.#socket.write(`\necho ${tag}''a; ${command}; status=$?; echo; echo ${tag}''z$status\n`);
    const pattern = new RegExp(`^${tag}a\\n([\\s\\S]*?)^${tag}z\\d+$`, 'm');
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const match = pattern.exec(this.#text);
      if (match !== null) {
        this.#text = this.#text.slice(match.index + match[0].length);
        return (match[1] ?? '').trimEnd();
      }
      if (this.#socket.destroyed || performance.now() > deadline) {
        const why = this.#socket.destroyed ? 'the console was closed' : 'it has not ended';
        throw new Error(`${this.#name}: ${command}: ${why}\n${this.#text}`);
      }
      await this.#change(deadline - performance.now());
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, timeoutMs));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
