/** What dnsmasq is told of fixed addresses while a network is up: a VM that joins gets its own, and nobody gets that of a VM which does not run. */
import { bridgedFiles } from '../network/bridged/files.ts';
import { fixedHostsOf } from '../network/bridged/fixed-hosts.ts';
import { renderDnsmasqHosts } from '../network/bridged/dnsmasq.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import { readFileSync } from 'node:fs';
import { writeQuick } from '../system/files.ts';
import { killProcess } from '../system/processes.ts';
import type { NetworkContext } from './context.ts';
import { readHealth, servicesOf } from './health.ts';
import { listMembers } from './members.ts';
import type { NetworkRecord } from './record.ts';

const program = 'dnsmasq';

/** Under the network's lock. Nothing is done for a network without dnsmasq, or when nothing is new. */
export function tellFixedHosts(
  files: NetworkFiles,
  record: NetworkRecord,
  { addresses, context }: { readonly addresses: Readonly<Record<string, string>>; readonly context: NetworkContext },
): void {
  if (!servicesOf(record.plan).some(({ programs }) => programs.some(({ name }) => name === program))) return;
  const { hosts } = bridgedFiles({ files, host: context.places.host, name: record.network });
  const members = listMembers(files);
  const content = renderDnsmasqHosts(fixedHostsOf(record.definition, record.plan, { members, addresses }));
  if (content === textOf(hosts)) return;
  writeQuick(hosts, content, { mode: 0o644 });
  for (const pid of readHealth(record).processes[program] ?? []) killProcess(pid, 'SIGHUP');
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
