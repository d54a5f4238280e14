/** Guests on managed networks, and what a person on their host asks of them. */
import { expect } from 'vitest';
import { infoOf } from '../cli/a-network.ts';
import { testFacts, type GuestFiles, type Home } from '../harness/harness.ts';
import { parseDocument } from '../harness/document.ts';
import { eventually } from '../cli/a-vm.ts';
import { GuestShell } from './guest-shell.ts';

export const guestProfile = ({ vmlinuz, initrd, append }: GuestFiles, name: string, nics: string): string => `accel: tcg
memory: 160
kernel: ${vmlinuz}
initrd: ${initrd}
append: ${append} qrun.name=${name}
nics: ${nics}
`;

export async function start(home: Home, ...names: readonly string[]): Promise<void> {
  const { status, stderr } = await home.qrun(['run', '-d', ...names]);
  expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.not.stringMatching(/error|bug/) });
}

export async function kill(home: Home, ...names: readonly string[]): Promise<void> {
  const { status, stderr } = await home.qrun(['kill', ...names]);
  expect({ status, stderr }).toMatchObject({ status: 0 });
}

export async function hostPortOf(home: Home, network: string, guestPort: number): Promise<number> {
  const { forwards } = await infoOf(home, network);
  return forwards.find((one) => one.guestPort === guestPort)?.hostPort ?? 0;
}

/** VM → its addresses, as `ps` tells them. */
export async function addressesOf(home: Home): Promise<Record<string, string[]>> {
  const { stdout } = await home.qrun(['ps', '--json']);
  const rows = parseDocument('ps', stdout) as { vm: string; nics: { ips: string[] }[] }[];
  return Object.fromEntries(rows.map(({ vm, nics }) => [vm, nics.flatMap(({ ips }) => ips)]));
}

/** From the host, wherever the home is: what answers on a TCP port by HTTP. Empty when nobody does. */
export async function fetchFromHost(home: Home, port: number, path = '/'): Promise<string> {
  const argv = ['curl', '-s', '-m', '30', `http://127.0.0.1:${port}${path}`];
  return (await home.run(argv)).stdout;
}

/** Sends one datagram to a port of the host's loopback. @returns what came back */
export async function echoFromHost(home: Home, port: number, words: string): Promise<string> {
  const program = `const s = require('node:dgram').createSocket('udp4');
    s.on('message', (m) => { console.log(String(m)); s.close(); });
    s.send(${JSON.stringify(words)}, ${port}, '127.0.0.1');
    setTimeout(() => process.exit(1), 30_000).unref();`;
  return (await home.run([testFacts().node, '-e', program])).stdout.trim();
}

/** The pid of a program of the network's, and not of its keeper. */
export async function pidOf(home: Home, network: string, program: string): Promise<number> {
  const { processes } = await infoOf(home, network);
  const [pid] = processes.find(({ name }) => name === program)?.pids ?? [];
  if (pid === undefined) throw new Error(`${program} of ${network} does not run`);
  return pid;
}

/** Kills it, and waits until another one runs in its place. */
export async function killProgram(home: Home, network: string, program: string): Promise<void> {
  const pid = await pidOf(home, network, program);
  process.kill(pid, 'SIGKILL');
  await eventually(async () => {
    const { processes, missing } = await infoOf(home, network);
    return missing.length === 0 && !processes.some(({ pids }) => pids.includes(pid));
  });
}

export const openAll = async (home: Home, names: readonly string[]): Promise<GuestShell[]> =>
  await Promise.all(names.map((name) => GuestShell.open(home, name)));

/** One packet; the answer has time to come, as all guests may be on one busy processor. `patienceS`: less, where none is to come. */
export const ping = (address: string, patienceS = 30): string =>
  `ping -c 1 -W ${patienceS} ${address} >/dev/null && echo ${address} answers`;
export const get = (url: string): string => `timeout 50 wget -q -O - http://${url}`;

/** A guest's IPv6 address, once it is sure that nobody else has it (RFC 4862): before that it is not used. */
export async function ownAddress6(shell: GuestShell, scope: 'global' | 'link' = 'global'): Promise<string> {
  const command = `ip -6 -o addr show dev eth0 scope ${scope} | grep -v tentative | sed -n 's#.*inet6 \\([^/]*\\)/.*#\\1#p'`;
  let address = '';
  await eventually(async () => (address = await shell.run(command)) !== '', 60_000);
  return address;
}
