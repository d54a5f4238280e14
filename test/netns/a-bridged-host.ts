/** Root on a host of its own with networks that have a bridge each, and all that such a network may leave behind. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createHome, needsFile, waitUntil, type Home } from '../harness/harness.ts';
import { networkProcesses } from '../cli/a-network.ts';
import { createLinkHost, type LinkHost } from './a-link-host.ts';
import { PortUser } from './a-port-host.ts';

export interface BridgedHost {
  readonly host: LinkHost;
  readonly root: Home;
  /** The test's ordinary user. */
  readonly home: Home;
  readonly another: (uid: number, gid: number) => PortUser;
}

export async function createBridgedHost(context: Parameters<typeof createLinkHost>[0]): Promise<BridgedHost> {
  for (const tool of ['nft', 'dnsmasq']) needsFile(context, `/usr/sbin/${tool}`);
  const host = await createLinkHost(context);
  const root = createHome({ as: 'root', namespace: host.namespace });
  const home = createHome({ namespace: host.namespace, env: { QRUN_HOST_DIR: root.env['QRUN_HOST_DIR'] ?? '' } });
  return { host, root, home, another: (uid, gid) => new PortUser(root, uid, gid) };
}

/** Links, addresses, routes, rules, settings, processes and files. Whether the host forwards is left out: that stays until `setup --undo`. */
export function everything({ host, root }: BridgedHost): string[] {
  return [
    ...host.state(),
    ...host
      .must('ip -6 route')
      .split('\n')
      .filter((line) => !line.includes('fe80::')),
    // what it is alone, and not how many packets it has seen
    host.must('nft -s list ruleset'),
    ...settings(host),
    ...networkProcesses(root).map(({ pid, program }) => `pid ${pid} ${program}`),
    ...filesOf(root),
  ];
}

/** What differs from before, once what takes a moment to go has gone. */
export async function everythingAgain(bridged: BridgedHost, before: readonly string[]): Promise<string[]> {
  const differing = (): string[] => {
    const now = everything(bridged);
    return [
      ...now.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
      ...before.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ];
  };
  await waitUntil(() => differing().length === 0, 30_000);
  return differing();
}

/** The kernel's own: switching forwarding on changes these on every link. */
const ofForwarding = /\.(forwarding|accept_redirects|ip_forward|ip_forward_update_priority) = /;

const settings = (host: LinkHost): string[] =>
  host
    .must('sysctl -a -r ^net\\.(ipv4\\.conf|ipv6\\.conf|ipv4\\.ip_f|bridge)')
    .split('\n')
    .filter((line) => !ofForwarding.test(line) && !/stable_secret|\.mc_forwarding/.test(line));

/** What is not meant to outlive a network. */
function filesOf(root: Home): string[] {
  const kept = /^(addresses\.json|leases\.json|ports\.json|dnsmasq\.leases|dhcpd\.leases~?|log)$/;
  const below = (directory: string): string[] =>
    existsSync(directory) ? readdirSync(directory, { recursive: true, encoding: 'utf8' }) : [];
  const isKept = (file: string): boolean => kept.test(path.basename(file));
  return [
    ...below(path.join(root.state, 'networks')).filter((file) => path.dirname(file) !== '.' && !isKept(file)),
    ...below(root.runtime),
    ...below(path.join(hostDir(root), 'dnsmasq')),
    ...below(path.join(hostDir(root), 'vde')),
    ...below(path.join(hostDir(root), 'networks')).filter((file) => file.endsWith('.json') && !file.includes('macs')),
  ];
}

export const hostDir = (root: Home): string => root.env['QRUN_HOST_DIR'] ?? '';

export const settingOf = (host: LinkHost, key: string): string => host.must(`sysctl -n ${key}`).trim();

export const textOf = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
