/** An editor that knows the schema (the YAML language server, as most editors run it) completes a profile and flags its faults. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { repository } from '../harness/harness.ts';

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: {
    readonly uri?: string;
    readonly diagnostics?: readonly {
      readonly message: string;
      readonly range: { readonly start: { readonly line: number } };
    }[];
  };
  readonly result?: unknown;
}

/** The part of the language server protocol that an editor needs for this. */
class Editor {
  readonly #server: ChildProcessWithoutNullStreams;
  #bytes = Buffer.alloc(0);
  readonly #seen: Message[] = [];
  #nextId = 1;

  constructor() {
    const bin = path.join(repository, 'node_modules/yaml-language-server/bin/yaml-language-server');
    this.#server = spawn(process.execPath, [bin, '--stdio'], { cwd: repository, stdio: 'pipe' });
    this.#server.stdout.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  async begin(): Promise<void> {
    await this.ask('initialize', {
      processId: process.pid,
      rootUri: null,
      capabilities: { textDocument: { completion: { completionItem: {} } } },
    });
    this.#send({ method: 'initialized', params: {} });
  }

  /** Opens a text as a profile of the repository and gives where it is. */
  open(name: string, text: string): string {
    const schema = pathToFileURL(path.join(repository, 'schema/profile.schema.json')).href;
    const uri = pathToFileURL(path.join(repository, 'profiles', name)).href;
    this.#send({
      method: 'textDocument/didOpen',
      params: {
        textDocument: {
          uri,
          languageId: 'yaml',
          version: 1,
          text: `# yaml-language-server: $schema=${schema}\n${text}`,
        },
      },
    });
    return uri;
  }

  async ask(method: string, params: unknown): Promise<unknown> {
    const id = this.#nextId++;
    this.#send({ id, method, params });
    return (await this.#find((message) => message.id === id && message.method === undefined)).result;
  }

  async faultsOf(uri: string): Promise<{ line: number; message: string }[]> {
    const { params } = await this.#find(
      (message) => message.method === 'textDocument/publishDiagnostics' && message.params?.uri === uri,
    );
    return (params?.diagnostics ?? []).map(({ message, range }) => ({ line: range.start.line, message }));
  }

  end(): void {
    this.#server.kill('SIGKILL');
  }

  async #find(matches: (message: Message) => boolean): Promise<Message> {
    for (let tries = 0; tries < 3000; tries += 1) {
      const found = this.#seen.find(matches);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('the language server did not answer');
  }

  #send(message: object): void {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.#server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      const head = this.#bytes.indexOf('\r\n\r\n');
      const length = Number(/Content-Length: (\d+)/.exec(this.#bytes.subarray(0, head).toString())?.[1]);
      if (head < 0 || this.#bytes.length < head + 4 + length) return;
      const message = JSON.parse(this.#bytes.subarray(head + 4, head + 4 + length).toString()) as Message;
      this.#bytes = this.#bytes.subarray(head + 4 + length);
      this.#seen.push(message);
      // what it asks of the editor (its settings) may stay as it is
      if (message.method !== undefined && message.id !== undefined)
        this.#send({ id: message.id, result: [null, null, null, null, null] });
    }
  }
}

let editor: Editor;
beforeAll(async () => {
  editor = new Editor();
  await editor.begin();
});
afterAll(() => editor.end());

/** At the end of the text. */
async function completionsAfter(name: string, text: string): Promise<string[]> {
  const lines = text.split('\n');
  const at = { line: lines.length, character: lines.at(-1)?.length ?? 0 };
  const uri = editor.open(name, text);
  const answer = (await editor.ask('textDocument/completion', {
    textDocument: { uri },
    position: at,
  })) as { items: { label: string }[] };
  return answer.items.map(({ label }) => label);
}

describe('an editor with the schema', () => {
  test('completes keys of a profile', async () => {
    const labels = await completionsAfter('keys.yaml', 'mem');
    expect(labels).toContain('memory');
  });

  test('completes the values of a key', async () => {
    expect(await completionsAfter('values.yaml', 'accel: ')).toEqual(expect.arrayContaining(['auto', 'kvm', 'tcg']));
  });

  test('completes the keys of a NIC', async () => {
    expect(await completionsAfter('nic.yaml', 'nics:\n  - kind: user\n    ')).toEqual(
      expect.arrayContaining(['forwards', 'mac', 'hostname']),
    );
  });

  test('flags a key that there is not, and a value of the wrong kind, on their lines', async () => {
    const faults = await editor.faultsOf(editor.open('faulty.yaml', 'memory: 1G\nmemry: 2G\naccel: quick\n'));
    expect(faults).toEqual(
      expect.arrayContaining([
        { line: 2, message: expect.stringContaining('memry') },
        { line: 3, message: expect.stringMatching(/auto.*kvm.*tcg/s) },
      ]),
    );
  });

  test('finds no fault in a good one', async () => {
    expect(
      await editor.faultsOf(
        editor.open(
          'good.yaml',
          'memory: 1G\nnics:\n  - kind: user\n    forwards: ["8080:80"]\n  - mcast:230.0.0.1:12345\n',
        ),
      ),
    ).toEqual([]);
  });
});
