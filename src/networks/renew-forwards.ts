/**
 * Forwards that were changed in the definition of a network of root's that is up: they count at its next `net up`, as if each had been typed. Those that
 * were added by `net forward` since stay, and what was taken away by it stays away. All else that was changed beside them counts when it is up anew.
 */
import { portHoldersOf } from '../network/bridged/fixed-hosts.ts';
import type { GuestForward } from '../network/guest-forward.ts';
import type { NetworkForward } from '../network/network-plan.ts';
import type { Network } from '../network/network.ts';
import { isUserVm } from '../network/user-vm.ts';
import { networkFiles, type NetworkFiles } from '../plan/network-files.ts';
import { isIpLiteral } from '../profile/address.ts';
import { renderForward } from '../profile/forward.ts';
import { canonicalAddress } from '../subnet.ts';
import { openAddressBook } from './address-book.ts';
import type { NetworkContext } from './context.ts';
import { resolveForwards } from './forward-ends.ts';
import { choosePortsNow } from './kept-ports.ts';
import { withHostLock, withNetworkLock } from './lock.ts';
import { listMembers } from './members.ts';
import { poolOf } from './prepare-network.ts';
import { readNetworkRecord, type NetworkRecord } from './record.ts';
import { replaceRules } from './replace-rules.ts';
import { tellHosts } from './tell-members.ts';

/** Whether there is something to take over, and nothing else was changed. */
export const hasNewForwards = ({ definition }: NetworkRecord, written: Network): boolean =>
  JSON.stringify(definition.forwards) !== JSON.stringify(written.forwards) &&
  restOf(definition) === restOf(written) &&
  changesOf(definition, written).gone.every(isPlain);

const restOf = ({ file: _file, name: _name, forwards: _forwards, ...rest }: Network): string => JSON.stringify(rest);

/** Which of those that are in force it was is known: `auto` is a number by now, and an interface has become its addresses. */
const isPlain = ({ hostAddress, hostPort }: GuestForward): boolean =>
  hostPort !== 'auto' && !hostAddress.startsWith('%');

interface Changes {
  readonly gone: readonly GuestForward[];
  readonly added: readonly GuestForward[];
}

function changesOf(before: Network, after: Network): Changes {
  const without = (some: Network, others: Network): GuestForward[] => {
    const known = new Set(others.forwards.map(renderForward));
    return some.forwards.filter((one) => !known.has(renderForward(one)));
  };
  return { gone: without(before, after), added: without(after, before) };
}

/**
 * @param written the definition as it is by now
 * @returns what runs then
 * @throws QrunError `in-use`: somebody has a port that is wanted by now; then none is taken over
 */
export async function renewForwards(
  known: NetworkRecord,
  written: Network,
  context: NetworkContext,
): Promise<NetworkRecord> {
  const files = networkFiles(context.places, known.network);
  return await withNetworkLock({ name: known.network, files }, context, async () => {
    const record = readNetworkRecord(files);
    // it was up, and somebody has taken it down since, or was faster
    if (record?.bootId !== context.system.bootId()) return known;
    if (!hasNewForwards(record, written)) return record;
    return await withHostLock(context, async () => await renew(files, { record, written, context }));
  });
}

interface Renewing {
  readonly record: NetworkRecord;
  readonly written: Network;
  readonly context: NetworkContext;
}

async function renew(files: NetworkFiles, { record, written, context }: Renewing): Promise<NetworkRecord> {
  const { gone, added } = changesOf(record.definition, written);
  const next = { ...record, definition: { ...record.definition, forwards: written.forwards } };
  const rest = record.forwards.filter((forward) => !gone.some((one) => isOf(one, forward)));
  const kept = choosePortsNow(next, [...rest, ...added], context);
  reserve(files, { record: next, guests: added.map(({ guest }) => guest), context });
  const { fresh } = await resolveForwards(added, { ...next, forwards: rest }, { ...context, kept });
  const renewed = await replaceRules(next, { forwards: [...rest, ...fresh], kept }, context);
  tellHosts(renewed, context);
  context.warn(
    `network ${record.network}: the forwards of ${written.file} count from now on; those of \`qrun net forward\` stay`,
  );
  return renewed;
}

function isOf(written: GuestForward, forward: NetworkForward): boolean {
  const { protocol, hostPort, guest, guestPort } = written;
  const isSame = (one: string, other: string): boolean =>
    (canonicalAddress(one) ?? one) === (canonicalAddress(other) ?? other);
  return (
    forward.protocol === protocol &&
    forward.hostPort === hostPort &&
    forward.guestPort === guestPort &&
    isSame(forward.guest, guest) &&
    isSame(forward.hostAddress, written.hostAddress)
  );
}

interface Reserving {
  readonly record: NetworkRecord;
  readonly guests: readonly string[];
  readonly context: NetworkContext;
}

/** Whoever is named in a definition has an address, be there a VM of that name yet or not. */
function reserve(files: NetworkFiles, { record, guests, context }: Reserving): void {
  const named = guests.filter((guest) => !isIpLiteral(guest) && !isUserVm(guest));
  if (named.length === 0) return;
  const book = openAddressBook({
    ...{ files, pool: poolOf(record.definition), uid: context.system.uid },
    inUse: [
      ...listMembers(files).map(({ vm, holder }) => holder ?? vm),
      ...record.forwards.map(({ guest }) => guest),
      ...portHoldersOf(record.plan),
    ],
  });
  for (const guest of named) book.reserve(guest);
  book.save();
}
