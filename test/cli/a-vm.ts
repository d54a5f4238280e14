/** A VM for tests that need QEMU but no guest: it stands still, so that many of them cost nothing. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { waitUntil, type Home } from '../harness/harness.ts';

export interface PsRow {
  readonly vm: string;
  readonly pid: number;
  readonly state: string;
  readonly accel: string | null;
  readonly qmp: string | null;
  readonly nics: readonly {
    readonly id: string;
    readonly mac: string;
    readonly forwards?: readonly {
      readonly hostAddress: string;
      readonly hostPort: number;
      readonly guestPort: number;
    }[];
  }[];
}

/** A profile's first lines. */
export const still = 'accel: tcg\nmemory: 32\nconsole: none\nshutdown: { timeout: 0 }\nargs: ["-S"]\n';

export async function ps(home: Home): Promise<PsRow[]> {
  const { stdout, stderr } = await home.qrun(['ps', '--json']);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as PsRow[];
}

export async function detach(home: Home, name: string, ...more: string[]): Promise<PsRow> {
  const { status, stderr } = await home.qrun(['run', name, '-d', ...more]);
  expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.not.stringMatching(/error|bug/) });
  return await rowOf(home, name);
}

export async function rowOf(home: Home, name: string): Promise<PsRow> {
  const row = (await ps(home)).find(({ vm }) => vm === name);
  if (row === undefined) throw new Error(`${name} does not run`);
  return row;
}

/** What belongs to a run and not to a VM: of the named VM's state, and all sockets. */
export function leftOf(home: Home, vm: string): string[] {
  const directory = path.join(home.state, 'vms', vm);
  const kept =
    /^(?:leases\.json|links\.json|disks\.json|ports\.json|last\.json|uefi-vars\.fd|.*\.(?:qcow2|raw|img)|passt\.[^.]+\.log|(?:events|qemu\.log|console\.log)(?:\.1)?)$/;
  const files = existsSync(directory) ? readdirSync(directory).filter((name) => !kept.test(name)) : [];
  const runtime = existsSync(home.runtime) ? readdirSync(home.runtime) : [];
  return [...files, ...runtime];
}

export const nothingLeft = (home: Home, vm: string): Promise<boolean> =>
  waitUntil(() => leftOf(home, vm).length === 0, 30_000);

/** The words of a process's command line. */
export const argvOf = (pid: number): string[] => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);

export async function eventually(condition: () => Promise<boolean>, timeoutMs = 100_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** `NAME: value` of /proc/PID/status. */
export function statusOf(pid: number, name: string): string {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim() ?? '';
}
