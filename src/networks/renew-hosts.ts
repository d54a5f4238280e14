/**
 * Fixed addresses that were changed in the definition of a network of root's that is up: they count at its next `net up`, while guests are on it. All else
 * that was changed there counts when it is up anew. Who has another address by now is told when it renews its lease; forwards to it lead there at once.
 */
import { QrunError } from '../errors.ts';
import { portHolder } from '../network/bridged/fixed-hosts.ts';
import { fixedAddressOf, sixOfVms, type KeptPort } from '../network/bridged/kept-ports.ts';
import { hostNetworkOf, type NetworkForward } from '../network/network-plan.ts';
import type { DhcpHost, Network } from '../network/network.ts';
import { isUserVm, renderUserVm } from '../network/user-vm.ts';
import { networkFiles, type NetworkFiles } from '../plan/network-files.ts';
import { isIpLiteral, isIpv6Literal } from '../profile/address.ts';
import { openAddressBook, type AddressBook } from './address-book.ts';
import type { NetworkContext } from './context.ts';
import { choosePortsNow } from './kept-ports.ts';
import { isCurrent, readLeases } from './lease-files.ts';
import { planAnew } from './live-forwards.ts';
import { withHostLock, withNetworkLock } from './lock.ts';
import { listMembers, writeMember, type Member } from './members.ts';
import { poolOf } from './prepare-network.ts';
import { readNetworkRecord, type NetworkRecord } from './record.ts';
import { replaceRules } from './replace-rules.ts';
import { tellHosts } from './tell-members.ts';

/**
 * @param written the definition as it is by now
 * @returns what runs then
 * @throws QrunError `in-use`: somebody has an address that is another's by now; `unknown-name`, `permission`: see kept-ports
 */
export async function renewHosts(
  known: NetworkRecord,
  written: Network,
  context: NetworkContext,
): Promise<NetworkRecord> {
  const name = known.network;
  const files = networkFiles(context.places, name);
  return await withNetworkLock({ name, files }, context, async () => {
    const record = readNetworkRecord(files);
    // it was up, and somebody has taken it down since
    if (record?.bootId !== context.system.bootId()) return known;
    const isNew = hostsOf(written) !== hostsOf(record.definition);
    if (!isNew || hostless(written) !== hostless(record.definition)) return record;
    return await withHostLock(context, async () => await renew(files, { record, written, context }));
  });
}

const hostsOf = ({ dhcp }: Network): string => JSON.stringify(dhcp?.hosts ?? []);

/** Forwards are taken over by themselves. */
function hostless({ file: _file, name: _name, forwards: _forwards, dhcp, ...rest }: Network): string {
  return JSON.stringify({ ...rest, ...(dhcp !== undefined && { dhcp: { ...dhcp, hosts: [] } }) });
}

interface Renewing {
  readonly record: NetworkRecord;
  readonly written: Network;
  readonly context: NetworkContext;
}

async function renew(files: NetworkFiles, { record, written, context }: Renewing): Promise<NetworkRecord> {
  const definition = { ...record.definition, ...(written.dhcp !== undefined && { dhcp: written.dhcp }) };
  const next = { ...record, definition };
  const kept = choosePortsNow(next, record.forwards, context);
  refuseTaken(files, next, kept);
  if (await needsAnew(next, kept, context)) return record;
  const members = listMembers(files);
  const book = openAddressBook({
    ...{ files, pool: poolOf(definition), uid: context.system.uid },
    inUse: members.map(({ holder, vm }) => holder ?? vm),
  });
  const forwards = record.forwards.map((forward) => renewedForward(forward, { record: next, kept, book }));
  for (const { number } of hostNetworkOf(record.plan)?.ports ?? []) book.reserve(portHolder(number));
  book.save();
  for (const member of members) renewMember(files, member, { definition, context });
  const renewed = await replaceRules(next, { forwards, kept }, context);
  tellHosts(renewed, context);
  context.warn(
    `network ${record.network}: the fixed addresses of ${definition.file} count from now on; who has another is told when it renews its lease`,
  );
  return renewed;
}

/** What its name server has read once is read no more: where a network of IPv6 has its first fixed address, and the like. */
async function needsAnew(record: NetworkRecord, kept: readonly KeptPort[], context: NetworkContext): Promise<boolean> {
  const { steps } = await planAnew(record, record.forwards, { context, kept });
  const contentOf = (all: typeof steps): string | undefined =>
    all.filter((step) => step.kind === 'file').find(({ id }) => id === 'file:dnsmasq')?.content;
  return contentOf(steps) !== contentOf(record.plan.steps);
}

/** One guest would be told an address that another has. */
function refuseTaken(
  files: NetworkFiles,
  { definition, plan, network }: NetworkRecord,
  kept: readonly KeptPort[],
): void {
  const ports = hostNetworkOf(plan)?.ports ?? [];
  const members = listMembers(files);
  const macOf = ({ vm, mac }: DhcpHost): string | undefined => {
    if (vm === undefined) return mac;
    const number = kept.find((one) => renderUserVm(one) === vm)?.number;
    const port = ports.find((one) => one.number === number);
    return isUserVm(vm) ? port?.mac : members.find((one) => one.vm === vm && (one.holder ?? vm) === vm)?.mac;
  };
  const leased = readLeases(files.leases, definition.dhcp?.server === 'dhcpd' ? 'dhcpd' : 'dnsmasq').filter(isCurrent);
  for (const host of definition.dhcp?.hosts ?? []) {
    const mac = macOf(host);
    const has = [...members, ...leased].find((one) => one.ip === host.ip && one.mac !== mac);
    if (has === undefined) continue;
    throw new QrunError(
      'in-use',
      `network ${network}: ${host.ip} is lent to ${has.mac}, and is ${host.vm ?? host.mac}'s in ${definition.file} by now`,
      {
        hint: `stop the VM that has it (qrun net leases ${network}), then: sudo qrun net down ${network}; sudo qrun net up ${network}`,
      },
    );
  }
}

interface RenewForward {
  readonly record: NetworkRecord;
  readonly kept: readonly KeptPort[];
  readonly book: AddressBook;
}

function renewedForward(forward: NetworkForward, { record, kept, book }: RenewForward): NetworkForward {
  const { guest, hostAddress } = forward;
  if (isIpLiteral(guest)) return forward;
  const six = isIpv6Literal(hostAddress) ? sixOfVms(record.definition)[guest] : undefined;
  const number = kept.find((one) => renderUserVm(one) === guest)?.number;
  const ip =
    six ??
    fixedAddressOf(record.definition, guest, 4) ??
    book.reserve(number === undefined ? guest : portHolder(number));
  return ip === undefined ? forward : { ...forward, guestAddress: ip };
}

interface RenewMember {
  readonly definition: Network;
  readonly context: NetworkContext;
}

/** Root's VMs that run: so that who hands out addresses knows the new one for the old. */
function renewMember(files: NetworkFiles, member: Member, { definition, context }: RenewMember): void {
  const { holder, vm, mac, ip } = member;
  const byMac = definition.dhcp?.hosts.find((host) => host.mac === mac && !host.ip.includes(':'))?.ip;
  const fixed = byMac ?? ((holder ?? vm) === vm ? fixedAddressOf(definition, vm, 4) : undefined);
  if (fixed === undefined || fixed === ip) return;
  writeMember(files, { ...member, ip: fixed }, context.system.uid);
}
