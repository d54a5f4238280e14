/** What a change of forwards means for a network that is up: its record, the gateway's command, and what the switch is told. */
import { QrunError } from '../errors.ts';
import type { KeptPort } from '../network/bridged/kept-ports.ts';
import { gatewayNetdev } from '../network/gateway.ts';
import { hostNetworkOf, type NetworkForward, type NetworkPlan } from '../network/network-plan.ts';
import type { GuestTap, PortFacts } from '../network/plan-input.ts';
import { planNetwork } from '../network/plan.ts';
import { networkFiles, type NetworkFiles } from '../plan/network-files.ts';
import { qemuOf } from '../qemu/binary.ts';
import { readCapabilities } from '../qemu/probe.ts';
import { stageFiles } from '../system/files.ts';
import { contentOf } from '../system/glance.ts';
import { killProcess } from '../system/processes.ts';
import { openAddressBook } from './address-book.ts';
import type { NetworkContext } from './context.ts';
import type { GatewayOf } from './gateway.ts';
import { readHealth, servicesOf } from './health.ts';
import { poolOf, readNetworkFacts } from './prepare-network.ts';
import { writeNetworkRecord, type NetworkRecord } from './record.ts';

/** @throws QrunError `usage` where nothing of it is the host's to forward; `missing-feature` where the gateway takes forwards when it starts, and then no more */
export function requireLive({ network, plan, file }: NetworkRecord, files: NetworkFiles): GatewayOf {
  if (servicesOf(plan).some(({ awaits }) => awaits.includes(files.gatewayMonitor)))
    return { name: network, monitor: files.gatewayMonitor, netdev: gatewayNetdev };
  if (['bridge', 'macvtap', 'hostdev'].includes(plan.forward)) {
    throw new QrunError(
      'usage',
      `network ${network}: forward: ${plan.forward} cannot honour forwards: its guests are on the network outside`,
      { hint: 'who is on that network reaches them by their own addresses' },
    );
  }
  throw new QrunError(
    'missing-feature',
    `network ${network}: the gateway of transport ${plan.transport} takes forwards when it starts, and no more then`,
    { hint: `write them in ${file}, then: qrun net down ${network}; qrun net up ${network}; or: transport: hub` },
  );
}

/**
 * The record and the files are as if the network had been started with these. All of them are, or none: what is not known to the record must not be done
 * by a gateway that is started again. So whatever needs space comes first, and between the record and the files, the record has more rather than less.
 */
export async function keepForwards(
  record: NetworkRecord,
  forwards: readonly NetworkForward[],
  context: NetworkContext,
): Promise<void> {
  const files = networkFiles(context.places, record.network);
  const { steps } = await planAnew(record, forwards, { context });
  const changed = steps
    .filter((step) => step.kind === 'file')
    .filter(({ path, content }) => contentOf(path) !== content);
  const staged = stageFiles(changed);
  const grows = forwards.length > record.forwards.length;
  try {
    if (!grows) staged.keep();
    writeNetworkRecord(files, { ...record, forwards });
    if (grows) staged.keep();
  } finally {
    staged.drop();
  }
  // the switch reads its file again: it must keep the addresses of VMs that forwards lead to
  if (changed.some(({ path }) => path === files.switchConfig))
    for (const pid of readHealth(record).processes['switch'] ?? []) killProcess(pid, 'SIGHUP');
}

interface PlanAnew {
  readonly context: NetworkContext;
  readonly guests?: readonly GuestTap[];
  /** Ports that are kept for users' VMs. */
  readonly kept?: readonly KeptPort[];
  /** Forwards that are to be ended. */
  readonly withdrawn?: readonly NetworkForward[];
}

/** With literal ends: what was resolved once stays so. */
export async function planAnew(
  { definition, runId, pinned, plan }: NetworkRecord,
  forwards: readonly NetworkForward[],
  { context, guests, kept, withdrawn }: PlanAnew,
): Promise<NetworkPlan> {
  const { places, system } = context;
  const files = networkFiles(places, definition.name);
  const facts = await readNetworkFacts(definition, () => readCapabilities(system, qemuOf(context)), context);
  const literal = forwards.map((forward) => ({ ...forward, guest: forward.guestAddress }));
  return planNetwork(
    { ...definition, forwards: literal },
    {
      files,
      uid: system.uid,
      facts: { ...facts, ...(facts.ports !== undefined && { ports: { ...facts.ports, ...portsOf(plan, kept) } }) },
      addresses: openAddressBook({ files, pool: poolOf(definition), uid: system.uid }).entries(),
      mark: runId,
      pinned,
      release: [],
      ...(guests !== undefined && { guests }),
      ...(withdrawn !== undefined && { withdrawn }),
    },
  );
}

/** Those that there are: their MACs are not drawn anew. */
function portsOf(plan: NetworkPlan, kept: readonly KeptPort[] = []): Partial<PortFacts> {
  const host = hostNetworkOf(plan);
  return host === undefined ? {} : { macs: host.ports.map(({ mac }) => mac), kept };
}
