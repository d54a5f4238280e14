/**
 * For `show --shell`: what the script takes the network up with. The addresses of its VM are reserved, for the script will hand out what it was made with.
 */
import type { NetworkScript } from '../network/network-script.ts';
import type { MemberStep } from '../plan/step.ts';
import { openAddressBook } from './address-book.ts';
import type { NetworkContext } from './context.ts';
import { withNetworkLock } from './lock.ts';
import { listMembers } from './members.ts';
import { readLeases } from './lease-files.ts';
import { scriptRun, type PreparedNetwork } from './prepare-network.ts';
import type { NetworkRecord } from './record.ts';
import { listensToMembers } from './tell-members.ts';

/** No port, and too long to stand anywhere by chance. */
const firstPlaceholder = 7_300_000_000_000_000;

export async function prepareScript(
  network: PreparedNetwork,
  members: readonly MemberStep[],
  context: NetworkContext,
): Promise<NetworkScript> {
  const { name, files, definition, pool } = network;
  return await withNetworkLock({ name, files }, context, async () => {
    const inUse = listMembers(files).map(({ holder }) => holder ?? '');
    const leased = readLeases(files.leases)
      .filter(({ expires }) => expires > Date.now() / 1000)
      .map(({ ip }) => ip);
    const book = openAddressBook({ files, pool, uid: context.system.uid, inUse, leased });
    for (const { holder, mac } of members) if (network.fixedByMac(mac) === undefined) book.reserve(holder);
    const mark = scriptRun(files);
    const input = { book, runId: mark, pinned: false, releaseEnv: environmentOf(context) };
    const { steps } = network.plan({ ...input, ports: {} });
    const auto = steps.filter((step) => step.kind === 'port' && step.port === 'auto');
    const autoPorts = Object.fromEntries(auto.map(({ id }, index) => [id, firstPlaceholder + index]));
    const plan = network.plan({ ...input, ports: autoPorts });
    book.save();
    const record: Omit<NetworkRecord, 'bootId' | 'startedAt'> = {
      v: 1,
      network: name,
      runId: mark,
      pinned: false,
      file: definition.file,
      definition,
      plan,
      forwards: plan.forwards,
    };
    return {
      plan,
      mark,
      files,
      record: { ...record },
      autoPorts,
      release: releaseOf(plan),
      ...(listensToMembers(plan) && { joined: joinedOf(name, input.releaseEnv) }),
    };
  });
}

/** Whoever runs the script may have other places of his own. */
const environmentOf = ({ places: { state, runtime, host } }: NetworkContext): Record<string, string> => ({
  QRUN_STATE_DIR: state,
  QRUN_RUNTIME_DIR: runtime,
  QRUN_HOST_DIR: host,
});

const joinedOf = (name: string, env: Readonly<Record<string, string>>): string[] => [
  ...['env', ...Object.entries(env).map(([key, value]) => `${key}=${value}`)],
  ...[process.execPath, process.argv[1] ?? '', '__release', '--joined', name],
];

function releaseOf({ steps }: NetworkScript['plan']): readonly string[] {
  return steps.flatMap((step) => (step.kind === 'service' ? [step.watch?.release ?? []] : []))[0] ?? [];
}
