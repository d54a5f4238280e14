/** What dnsmasq is told of fixed addresses while a network is up: a VM that joins gets its own, and nobody gets that of a VM which does not run. */
import { bridgedFiles } from '../network/bridged/files.ts';
import { fixedHostsOf } from '../network/bridged/fixed-hosts.ts';
import { fixedFiles } from '../network/bridged/servers.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import { signalProgram } from '../resources/service-program.ts';
import { writeQuick } from '../system/files.ts';
import { contentOf } from '../system/glance.ts';
import type { NetworkContext } from './context.ts';
import { servicesOf } from './health.ts';
import { listMembers } from './members.ts';
import type { NetworkRecord } from './record.ts';

const signals = { dnsmasq: 'SIGHUP', dhcpd: 'SIGTERM' } as const;

/** Under the network's lock. Nothing is done for a network without dnsmasq, or when nothing is new. dhcpd ends, and is started again by its keeper. */
export function tellFixedHosts(
  files: NetworkFiles,
  record: NetworkRecord,
  { addresses, context }: { readonly addresses: Readonly<Record<string, string>>; readonly context: NetworkContext },
): void {
  const { definition, plan, network } = record;
  if (!servicesOf(plan).some(({ programs }) => programs.some(({ name }) => name === 'dnsmasq'))) return;
  const own = bridgedFiles({ files, host: context.places.host, name: network });
  const fixed = fixedHostsOf(definition, plan, { members: listMembers(files), addresses });
  const changed = fixedFiles(definition, own, fixed).filter(({ path, content }) => content !== contentOf(path));
  if (changed.length === 0) return;
  for (const { path, content, of } of changed) writeQuick(path, content, { mode: of === 'dnsmasq' ? 0o644 : 0o600 });
  for (const step of servicesOf(plan)) for (const { of } of changed) signalProgram(step, of, signals[of]);
}
