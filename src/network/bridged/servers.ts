/** Who answers on a network's bridge: dnsmasq, with names and mostly addresses too, and where it is asked for dhcpd. Pure. */
import type { ServiceStep } from '../../plan/step.ts';
import { layoutOf } from '../layout.ts';
import type { Network } from '../network.ts';
import { renderDhcpd } from './dhcpd.ts';
import { dhcpServerOf, guardsNames, renderDnsmasqHosts, renderNames, type FixedHost } from './dnsmasq.ts';
import type { BridgedFiles } from './files.ts';
import { bridgeNameOf } from './names.ts';

export interface FixedFile {
  readonly path: string;
  readonly content: string;
  /** Who reads it: dnsmasq again on SIGHUP; dhcpd when it is started anew. */
  readonly of: 'dnsmasq' | 'dhcpd';
}

/** What of their configuration changes when VMs come and go. */
export function fixedFiles(network: Network, files: BridgedFiles, fixed: readonly FixedHost[]): FixedFile[] {
  if (dhcpServerOf(network) !== 'dhcpd')
    return [
      { path: files.hosts, content: renderDnsmasqHosts(fixed), of: 'dnsmasq' },
      ...(guardsNames(network) ? [{ path: files.names, content: renderNames(fixed), of: 'dnsmasq' } as const] : []),
    ];
  return [
    { path: files.hosts, content: renderNames(fixed), of: 'dnsmasq' },
    {
      path: files.dhcpd.config,
      content: renderDhcpd({ network, layout: layoutOf(network), fixed }),
      of: 'dhcpd',
    },
  ];
}

type Program = ServiceStep['programs'][number];

/** It wants its file of leases to be there, and its file of a pid not to be. */
const dhcpdScript = '[ -e "$1" ] || : >"$1"; rm -f -- "$2"; shift 2; exec "$@"';

export function serverPrograms(
  network: Network,
  files: BridgedFiles,
  tools: Readonly<Record<string, string>>,
): Program[] {
  const dnsmasq: Program = {
    name: 'dnsmasq',
    argv: [tools['dnsmasq'] ?? 'dnsmasq', `--conf-file=${files.config}`],
    exact: true,
    restart: true,
  };
  if (dhcpServerOf(network) !== 'dhcpd') return [dnsmasq];
  const { config, leases, pid } = files.dhcpd;
  const dhcpd = [tools['dhcpd'] ?? 'dhcpd', '-4', '-q', '-f', '-cf', config, '-lf', leases, '-pf', pid];
  return [
    dnsmasq,
    {
      name: 'dhcpd',
      argv: ['/bin/sh', '-c', dhcpdScript, 'qrun-dhcpd', leases, pid, ...dhcpd, bridgeNameOf(network)],
      exact: true,
      restart: true,
    },
  ];
}

/** There when they have their sockets. */
export const serverPids = (network: Network, files: BridgedFiles): string[] => [
  files.pid,
  ...(dhcpServerOf(network) === 'dhcpd' ? [files.dhcpd.pid] : []),
];
