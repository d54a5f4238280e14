/** What `net up` mends of the VDE switch of a network of root's, before the switch itself is started again. */
import { existsSync } from 'node:fs';
import { readHostLink } from '../host/host-link.ts';
import { hostNetworkOf } from '../network/network-plan.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import { lastWords } from '../resources/link.ts';
import { runPrivileged } from '../resources/privilege.ts';
import { openSwitchDirectory } from '../resources/switch-directory.ts';
import type { NetworkContext } from './context.ts';
import type { NetworkRecord } from './record.ts';
import { readSwitchFaults } from './switch-health.ts';
import { takeSteps } from './take-steps.ts';

/** Under the network's lock. */
export async function mendSwitch(
  files: NetworkFiles,
  { plan, network, runId }: NetworkRecord,
  { system, warn }: Pick<NetworkContext, 'system' | 'warn'>,
): Promise<void> {
  const host = hostNetworkOf(plan);
  const directory = plan.steps.find((step) => step.kind === 'switch-directory');
  if (host?.vde === undefined || directory === undefined) return;
  const { tap } = host.vde;
  if (readHostLink(tap)?.up === false) {
    const { status, stderr } = runPrivileged(system, ['ip', 'link', 'set', 'dev', tap, 'up']);
    const now = status === 0 ? 'is up again' : `could not be set up: ${lastWords(stderr)}`;
    warn(`network ${network}: ${tap} was down, and ${now}`);
  }
  if (!readSwitchFaults(host, host.vde).some(({ of }) => of === 'rights')) return;
  if (existsSync(directory.path)) openSwitchDirectory(directory);
  else await takeSteps([directory], { files, runId, system, warn });
  warn(`network ${network}: ${directory.path} was changed, and is as it was`);
}
