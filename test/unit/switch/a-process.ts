/** A switch process of the test's own, and guests that are sockets as QEMU's are. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import type { SwitchConfig, SwitchMember } from '../../../src/switch/config.ts';
import { envelop } from './a-frame.ts';

const root = path.resolve(import.meta.dirname, '../../..');

/** The program as the package has it, built into this directory. */
export async function buildSwitch(directory: string): Promise<string> {
  const outfile = path.join(directory, 'switch.cjs');
  await build({
    absWorkingDir: root,
    entryPoints: ['src/switch/main.ts'],
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'cjs',
    logLevel: 'warning',
    outfile,
  });
  return outfile;
}

/** Asks until it is so. @throws after half a minute */
export async function until<T>(look: () => T | undefined | false, what: string): Promise<T> {
  const end = Date.now() + 30_000;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export interface FakeGuest {
  readonly file: string;
  /** How often somebody connected. */
  readonly connections: number;
  /** Frames that came, without their lengths. */
  readonly got: Buffer[];
  readonly socket: Socket | undefined;
  say(...frames: readonly Buffer[]): void;
  sayBytes(bytes: Buffer): void;
  connected(): Promise<void>;
  /** Gives the first frame that suits and forgets it and those before it. */
  hears(suits: (frame: Buffer) => boolean, what?: string): Promise<Buffer>;
  close(): void;
}

interface GuestState {
  connections: number;
  got: Buffer[];
  socket: Socket | undefined;
  rest: Buffer;
}

/** Listens as QEMU does: one connection at a time, and again after it has ended. */
export async function listenAsGuest(file: string, options: { readonly reads?: boolean } = {}): Promise<FakeGuest> {
  const state: GuestState = { connections: 0, got: [], socket: undefined, rest: Buffer.alloc(0) };
  const server: Server = createServer((socket) => {
    state.connections += 1;
    state.socket = socket;
    state.rest = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('close', () => {
      if (state.socket === socket) state.socket = undefined;
    });
    if (options.reads === false) socket.pause();
    else socket.on('data', (bytes) => takeFrames(state, bytes));
  });
  await new Promise<void>((resolve) => server.listen(file, resolve));
  return {
    file,
    get connections() {
      return state.connections;
    },
    get got() {
      return state.got;
    },
    get socket() {
      return state.socket;
    },
    say: (...frames) => void state.socket?.write(envelop(...frames)),
    sayBytes: (bytes) => void state.socket?.write(bytes),
    connected: async () => {
      await until(() => state.socket, `a connection to ${path.basename(file)}`);
    },
    hears: (suits, what = 'a frame') =>
      until(() => {
        const index = state.got.findIndex(suits);
        return index < 0 ? undefined : state.got.splice(0, index + 1)[index];
      }, what),
    close: () => {
      state.socket?.destroy();
      server.close();
    },
  };
}

function takeFrames(state: GuestState, bytes: Buffer): void {
  let rest = Buffer.concat([state.rest, bytes]);
  while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
    const size = rest.readUInt32BE(0);
    state.got.push(rest.subarray(4, 4 + size));
    rest = rest.subarray(4 + size);
  }
  state.rest = rest;
}

export interface SwitchProcess {
  readonly child: ChildProcess;
  /** What it has said. */
  readonly log: () => string;
  readonly said: (text: RegExp) => Promise<void>;
  /** Status, or the signal that ended it. */
  readonly end: Promise<number | NodeJS.Signals | null>;
}

export interface Lab {
  readonly dir: string;
  readonly config: SwitchConfig;
  readonly configFile: string;
  readonly port: (name: string) => string;
  readonly writeConfig: (more?: Partial<SwitchConfig>) => void;
  readonly writeMember: (name: string, member: Partial<SwitchMember>) => void;
  readonly removeMember: (name: string) => void;
  readonly guest: (name: string, options?: { readonly reads?: boolean }) => Promise<FakeGuest>;
  readonly start: (argv?: readonly string[]) => SwitchProcess;
  readonly dispose: () => Promise<void>;
}

export function createLab(program: string): Lab {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'qrun-switch-'));
  const ports = path.join(dir, 'ports');
  const members = path.join(dir, 'members');
  for (const directory of [ports, members]) mkdirSync(directory, { mode: 0o700 });
  const configFile = path.join(dir, 'switch.json');
  const config: SwitchConfig = {
    v: 1,
    network: 'lab',
    ports,
    gatewayPort: path.join(ports, 'gateway'),
    members,
    leases: path.join(dir, 'leases.json'),
    subnet: '10.44.0.0/24',
    gateway: '10.44.0.1',
    dnsServer: '10.44.0.3',
    isolated: false,
    dhcp: {
      ranges: [{ from: '10.44.0.100', to: '10.44.0.109' }],
      leaseS: 3600,
      maxLeaseS: 7200,
      hosts: [],
      options: [],
      reserved: [],
      search: [],
    },
    names: { domain: 'lab.test', hosts: [] },
  };
  const writeWhole = (file: string, text: string): void => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  const guests: FakeGuest[] = [];
  const processes: SwitchProcess[] = [];
  const lab: Lab = {
    dir,
    config,
    configFile,
    port: (name) => path.join(ports, name),
    writeConfig: (more = {}) => writeWhole(configFile, JSON.stringify({ ...config, ...more })),
    writeMember: (name, member) =>
      writeWhole(
        path.join(members, `${name}.json`),
        JSON.stringify({
          v: 1,
          vm: name,
          nic: 'net0',
          port: `${name}.port`,
          since: new Date(0).toISOString(),
          ...member,
        }),
      ),
    removeMember: (name) => rmSync(path.join(members, `${name}.json`)),
    guest: async (name, options) => {
      const guest = await listenAsGuest(path.join(ports, name), options);
      guests.push(guest);
      return guest;
    },
    start: (argv = [program, configFile]) => {
      const one = startProcess(argv);
      processes.push(one);
      return one;
    },
    dispose: async () => {
      for (const { child } of processes) child.kill('SIGKILL');
      for (const guest of guests) guest.close();
      await Promise.all(processes.map(({ end }) => end));
      rmSync(dir, { recursive: true, force: true });
    },
  };
  lab.writeConfig();
  return lab;
}

function startProcess(argv: readonly string[]): SwitchProcess {
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'], env: {} });
  let log = '';
  child.stderr?.on('data', (text) => (log += String(text)));
  return {
    child,
    log: () => log,
    said: async (text) => {
      await until(() => text.test(log), `${String(text)} in:\n${log}`);
    },
    end: new Promise((resolve) => child.on('close', (status, signal) => resolve(signal ?? status))),
  };
}
