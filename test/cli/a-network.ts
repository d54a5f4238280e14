/** A network for tests that need no guest: VMs that stand still are on it as much as others. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import { createHome, isAlive, must, waitUntil, type Home } from '../harness/harness.ts';
import { still } from './a-vm.ts';

export const hub = 'forward: nat\nscope: user\ntransport: hub\naddresses: [10.44.0.1/24]\n';

export const onLab = `${still}nics: ["network:lab"]\n`;

export interface Process {
  readonly pid: number;
  /** `switch`, `gateway`, …; empty for a watcher. */
  readonly program: string;
  readonly keeper: boolean;
  readonly watcher: boolean;
}

/** Living processes of networks of this home. */
export function networkProcesses(home: Home): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name): Process[] => {
      const variables = read(`/proc/${name}/environ`).split('\0');
      const argv = read(`/proc/${name}/cmdline`).split('\0');
      // a script of show --shell may run without the variable
      const isOurs = variables.includes(`QRUN_STATE_DIR=${home.state}`) || argv.some((word) => word.includes(home.dir));
      if (!isOurs) return [];
      if (!variables.some((one) => one.startsWith('QRUN_SERVICE='))) return [];
      if (/^(sleep|date|flock)$/.test(path.basename(argv[0] ?? '')) || argv[0] === '') return [];
      const program = variables.find((one) => one.startsWith('QRUN_SERVICE_PROGRAM='))?.split('=')[1] ?? '';
      const kind = argv[3] ?? '';
      return [{ pid: Number(name), program, keeper: kind.startsWith('qrun-keeper'), watcher: kind === 'qrun-watcher' }];
    });
}

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** A home with the network `lab` and two VMs on it. */
export function createNetworkHome(definition = hub): Home {
  const home = createHome();
  home.network('lab', definition);
  for (const name of ['web1', 'web2']) home.profile(name, onLab);
  return home;
}

/** Of a network that is down: processes, sockets, files that are not kept. */
export function leftOfNetworks(home: Home): string[] {
  const kept = /^(addresses\.json|leases\.json|ports\.json|log)$/;
  const directory = path.join(home.state, 'networks');
  const names = existsSync(directory) ? readdirSync(directory) : [];
  const files = names.flatMap((name) => readdirSync(path.join(directory, name)).filter((file) => !kept.test(file)));
  const runtime = existsSync(home.runtime) ? readdirSync(home.runtime) : [];
  return [...networkProcesses(home).map(({ pid, program }) => `pid ${pid} ${program}`), ...files, ...runtime];
}

export const noNetworkLeft = (home: Home): Promise<boolean> =>
  waitUntil(() => leftOfNetworks(home).length === 0, 30_000);

/** What of it does not end by itself: a watcher may still be on its way out when whoever ended the network is done. */
export async function lastingOfNetworks(home: Home): Promise<string[]> {
  await noNetworkLeft(home);
  return leftOfNetworks(home);
}

export async function stateOf(home: Home, network = 'lab'): Promise<string | undefined> {
  const rows = JSON.parse(await must(home, 'net', 'ls', '--json')) as { name: string; state: string }[];
  return rows.find(({ name }) => name === network)?.state;
}

export interface NetInfo {
  readonly state: string;
  readonly file: string;
  readonly bridge: string | null;
  readonly gateway: string;
  readonly domain: string | null;
  readonly mtu: number | null;
  readonly missing: readonly string[];
  readonly mend: string | null;
  readonly processes: readonly { readonly name: string; readonly pids: readonly number[] }[];
  readonly members: readonly {
    readonly vm: string;
    readonly nic: string;
    readonly mac: string;
    readonly ip: string | null;
    readonly leased: boolean;
    readonly state: string;
  }[];
  readonly forwards: readonly { readonly guest: string; readonly guestPort: number; readonly hostPort: number }[];
  readonly links: readonly { readonly device: string; readonly mtu: number; readonly peers: readonly string[] }[];
}

/** What `net info` tells, as a document of its schema. */
export async function infoOf(home: Home, network: string): Promise<NetInfo> {
  const { status, stdout, stderr } = await home.qrun(['net', 'info', network, '--json']);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  return parseDocument('net-info', stdout) as NetInfo;
}

/** What is gone already is no error. First they are all stopped: none starts anew what was killed before it. */
export async function killAll(pids: readonly number[]): Promise<void> {
  // 0 is the group of whoever runs the tests
  expect(pids.filter((pid) => pid <= 1)).toEqual([]);
  for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // gone already
      }
    }
  }
  await waitUntil(() => pids.every((pid) => !isAlive(pid)), 30_000);
}
