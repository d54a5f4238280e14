/** Both ends of forwards that are to be added to a network that is up: the guest's address, and a port of the host's that is free. */
import { existsSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { readLinks } from '../host/links.ts';
import { listProfiles } from '../host/profile-files.ts';
import { isVmName } from '../names.ts';
import { addressesMeet, interfacesOf, planForwards } from '../network/forwards.ts';
import type { GuestForward } from '../network/guest-forward.ts';
import { fixedAddressOf, sixOfVms, type KeptPort } from '../network/bridged/kept-ports.ts';
import { portHoldersOf } from '../network/bridged/fixed-hosts.ts';
import { hostNetworkOf, type NetworkForward } from '../network/network-plan.ts';
import { isUserVm, renderUserVm } from '../network/user-vm.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { PortStep } from '../plan/step.ts';
import { vmFiles } from '../plan/vm-files.ts';
import { isIpLiteral, renderHost } from '../profile/address.ts';
import { closestOf } from '../profile/closest.ts';
import { resourceOf } from '../resources/registry.ts';
import { canonicalAddress, parseSubnet } from '../subnet.ts';
import { openAddressBook, type AddressBook } from './address-book.ts';
import { holderOfPort } from '../system/ports.ts';
import type { NetworkContext } from './context.ts';
import { listMembers } from './members.ts';
import { upNetworks } from './other-networks.ts';
import { poolOf } from './prepare-network.ts';
import type { NetworkRecord } from './record.ts';

export interface ResolvedForwards {
  readonly fresh: readonly NetworkForward[];
  /** Those that the record has already. */
  readonly known: readonly NetworkForward[];
}

interface ResolveWith extends NetworkContext {
  /** Ports that are kept for users' VMs, also for those that are named now. */
  readonly kept?: readonly KeptPort[];
}

/** Reserves addresses of VMs that have none yet. */
export async function resolveForwards(
  wanted: readonly GuestForward[],
  record: NetworkRecord,
  context: ResolveWith,
): Promise<ResolvedForwards> {
  const book = bookOf(record, context);
  const addresses = Object.fromEntries(wanted.map(({ guest }) => [guest, addressOf(guest, { record, book, context })]));
  const named = { name: record.network, forward: record.plan.forward, forwards: wanted };
  const links = interfacesOf(named).length > 0 ? await readLinks(context.system) : [];
  const others = record.plan.attach.by === 'bridge' ? upNetworks(record.network, context) : [];
  const input = { addresses, six: sixOfVms(record.definition), facts: { links, others }, scope: record.plan.scope };
  const { forwards, steps } = planForwards(named, input);
  refuseTwice(forwards);
  const isNew = (forward: NetworkForward): boolean => !record.forwards.some((one) => isSame(one, forward));
  const fresh = steps.filter((_step, index) => isNew(forwards[index] as NetworkForward));
  const ports: Record<string, number> = {};
  for (const step of fresh) ports[step.id] = await takePort(step, { record, context });
  book.save();
  const resolved = planForwards(named, { ...input, ports }).forwards;
  return { fresh: resolved.filter(isNew), known: resolved.filter((forward) => !isNew(forward)) };
}

function refuseTwice(forwards: readonly NetworkForward[]): void {
  const twin = forwards.find((forward, index) => forwards.slice(0, index).some((one) => collide(one, forward)));
  if (twin === undefined) return;
  throw new QrunError('usage', `two rules want ${twin.protocol} port ${twin.hostPort} on ${twin.hostAddress}`, {
    hint: 'leave one of the two out, or give it another port',
  });
}

function isSame(one: NetworkForward, other: NetworkForward): boolean {
  return (
    collide(one, other) &&
    one.hostAddress === other.hostAddress &&
    one.guestAddress === other.guestAddress &&
    one.guestPort === other.guestPort
  );
}

interface HostEnd {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  readonly hostPort: number | 'auto';
}

/** Both cannot be had. */
const collide = (one: HostEnd, other: HostEnd): boolean =>
  one.hostPort !== 'auto' &&
  one.hostPort === other.hostPort &&
  one.protocol === other.protocol &&
  addressesMeet(one.hostAddress, other.hostAddress);

/** VMs that are on it, and those that forwards lead to, keep their addresses. */
function bookOf(
  { network, definition, forwards, plan }: NetworkRecord,
  { places, system }: NetworkContext,
): AddressBook {
  const files = networkFiles(places, network);
  const inUse = [
    ...listMembers(files).map(({ vm, holder }) => holder ?? vm),
    ...forwards.map(({ guest }) => guest),
    ...portHoldersOf(plan),
  ];
  return openAddressBook({ files, pool: poolOf(definition), uid: system.uid, inUse });
}

interface GuestOf {
  readonly record: NetworkRecord;
  readonly book: AddressBook;
  readonly context: ResolveWith;
}

/** @throws QrunError `usage` for an address of another network, `unknown-name` for no VM */
function addressOf(guest: string, { record, book, context }: GuestOf): string {
  const { network, plan, definition } = record;
  if (isIpLiteral(guest)) {
    refuseHost(guest, record);
    const own = [plan.subnet, ...definition.addresses].flatMap((cidr) =>
      cidr === undefined ? [] : (parseSubnet(cidr) ?? []),
    );
    if (plan.subnet === undefined || own.some((subnet) => subnet.contains(guest))) return guest;
    throw new QrunError('usage', `${guest} is not in network ${network} (${plan.subnet})`, {
      hint: `qrun net leases ${network}`,
    });
  }
  const known = isUserVm(guest) ? addressOnPort(guest, { record, book, context }) : book.addressOf(guest);
  if (known !== undefined) return known;
  if (!isUserVm(guest)) requireVm(guest, context);
  const reserved = isUserVm(guest) ? undefined : book.reserve(guest);
  if (reserved !== undefined) return reserved;
  throw new QrunError('usage', `network ${network} gives no addresses, so ${guest} has none that is known`, {
    hint: `write the address that ${guest} has given itself`,
  });
}

/** As in a definition, no guest can have what the gateway has. */
function refuseHost(guest: string, { network, plan, definition }: NetworkRecord): void {
  const own = [plan.gateway, ...definition.addresses.map((cidr) => cidr.slice(0, cidr.indexOf('/')))];
  const is = canonicalAddress(guest);
  if (!own.some((one) => one !== undefined && canonicalAddress(one) === is)) return;
  throw new QrunError('usage', `${guest} is no guest: that is the host itself, the gateway of network ${network}`, {
    hint: `qrun net leases ${network}`,
  });
}

/** Of a user's VM. */
function addressOnPort(guest: string, { record, context: { kept = [] } }: GuestOf): string | undefined {
  const fixed = fixedAddressOf(record.definition, guest, 4);
  const number = kept.find((one) => renderUserVm(one) === guest)?.number;
  return fixed ?? hostNetworkOf(record.plan)?.ports.find((port) => port.number === number)?.ip;
}

/** It has state, or a profile. */
function requireVm(name: string, { places }: NetworkContext): void {
  const profiles = listProfiles(places).map((profile) => profile.name);
  if (isVmName(name) && (profiles.includes(name) || existsSync(vmFiles(places, name).dir))) return;
  const near = closestOf(name, profiles);
  throw new QrunError('unknown-name', `there is no VM ${name}${near === undefined ? '' : ` (did you mean ${near}?)`}`, {
    hint: 'qrun ls',
  });
}

interface PortOf {
  readonly record: NetworkRecord;
  readonly context: NetworkContext;
}

/** @throws QrunError `in-use` with who has it, `permission` */
async function takePort(step: PortStep, { record, context }: PortOf): Promise<number> {
  const end = { protocol: step.protocol, hostAddress: step.address, hostPort: step.port };
  const other = record.forwards.find((forward) => collide(forward, end));
  if (other !== undefined) {
    throw new QrunError(
      'in-use',
      `${step.protocol} port ${step.port} on ${step.address} leads to ${renderHost(other.guest)}:${other.guestPort} already${pidOf(end)}`,
      { hint: `qrun net forward ${record.network} ${step.port} --remove` },
    );
  }
  const { system, warn } = context;
  const taken = await resourceOf(step).acquire(step, {
    system,
    runId: record.runId,
    descriptors: new Map(),
    warn,
    record: () => {},
  });
  return Number(taken['port']);
}

function pidOf({ protocol, hostAddress, hostPort }: HostEnd): string {
  const holder = holderOfPort({ protocol, address: hostAddress, port: Number(hostPort) });
  return holder?.pid === undefined ? '' : ` (pid ${holder.pid})`;
}
