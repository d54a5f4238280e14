/** The shell of a test guest on its serial line, for measurements: one command at a time, and what it wrote. */
import { once } from 'node:events';
import { createConnection } from 'node:net';

export class GuestConsole {
  #socket;
  #text = '';
  #count = 0;

  constructor(socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (chunk) => (this.#text += chunk.replaceAll('\r', '')));
    socket.on('error', () => {});
  }

  static async open(file) {
    const socket = createConnection(file);
    await once(socket, 'connect');
    return new GuestConsole(socket);
  }

  /** One line. @throws Error with the end of what came, when it has not ended after that time */
  async run(command, timeoutMs = 120_000) {
    const tag = `q${(this.#count += 1)}`;
    this.#text = '';
    // in what is echoed the marks are broken by quotes
    this.#socket.write(`\necho ${tag}''a; ${command}; echo; echo ${tag}''z\n`);
    const pattern = new RegExp(`^${tag}a\\n([\\s\\S]*?)^${tag}z$`, 'm');
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const match = pattern.exec(this.#text);
      if (match !== null) return match[1].trim();
      try {
        await once(this.#socket, 'data', { signal });
      } catch {
        throw new Error(`${command} has not ended after ${timeoutMs / 1000} s: ${this.#text.slice(-300)}`);
      }
    }
  }

  close() {
    this.#socket.destroy();
  }
}
