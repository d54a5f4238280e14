/**
 * Theory of operation
 *
 * Forwards come and go while a network is up, and end with it. The record has those that are in force; the gateway's command has them too, so that they
 * survive its restart. When one is added, both are written before the gateway is asked, and set right again if it refuses; when one is taken away, the
 * gateway is asked first: so a forward that is in force is always one that is known. All of it under the network's lock, several rules as a whole.
 */
import { QrunError } from '../errors.ts';
import { failpoint } from '../journal/failpoint.ts';
import { parseGuestForward, type GuestForward } from '../network/guest-forward.ts';
import type { KeptPort } from '../network/bridged/kept-ports.ts';
import { portInWords } from '../network/host-network.ts';
import { hostNetworkOf, type NetworkForward } from '../network/network-plan.ts';
import type { NetworkName } from '../network/network.ts';
import { fullGuestName, renderUserVm } from '../network/user-vm.ts';
import { networkFiles } from '../plan/network-files.ts';
import { isIpv6Literal } from '../profile/address.ts';
import { renderForward } from '../profile/forward.ts';
import type { NetworkContext } from './context.ts';
import { resolveForwards } from './forward-ends.ts';
import { findForwards, parseSelector } from './forward-selector.ts';
import { withGateway, type Gateway } from './gateway.ts';
import { choosePortsNow } from './kept-ports.ts';
import { keepForwards, requireLive } from './live-forwards.ts';
import { withHostLock, withNetworkLock } from './lock.ts';
import { readPortMembers } from './port-users.ts';
import type { NetworkRecord } from './record.ts';
import type { Wanted } from './replace-rules.ts';
import { requireUp } from './require-up.ts';

/** Those that are in force. @throws QrunError `unknown-name` when the network is not up */
export const listForwards = async (
  name: NetworkName,
  context: Pick<NetworkContext, 'places' | 'system'>,
): Promise<readonly NetworkForward[]> => (await requireUp(name, context, { verb: 'forward' })).forwards;

/**
 * @param rules `[HOSTADDR:]HOSTPORT:GUEST:GUESTPORT[/tcp|/udp]`
 * @returns those that were added, with their real ports; one that is there already is left out
 * @throws QrunError `usage`, `unknown-name`, `in-use`, `missing-feature`, `host-failed`
 */
export async function addForwards(
  name: NetworkName,
  rules: readonly string[],
  context: NetworkContext,
): Promise<readonly NetworkForward[]> {
  const wanted = rules.map(parseRule);
  return await underLock({ name, words: rules }, context, async (record) => {
    if (isBridged(record)) return await addRules(wanted, record, context);
    refuseIpv6(wanted);
    const gatewayOf = requireLive(record, networkFiles(context.places, name));
    const { fresh, known } = await resolveForwards(wanted, record, context);
    if (fresh.length > 0) await keepForwards(record, [...record.forwards, ...fresh], context);
    failpoint(`forward:${name}`);
    try {
      // also what is known: whoever wrote it down may have been killed before the gateway was asked
      await withGateway(gatewayOf, async (gateway) => {
        for (const forward of known) await gateway.add(forward);
        await addAll(gateway, fresh);
      });
    } catch (error) {
      if (fresh.length > 0) await takeBack(record, context);
      throw error;
    }
    return fresh;
  });
}

/** What failed first is what is told; that it stays written down as well, where it does. */
async function takeBack(record: NetworkRecord, context: NetworkContext): Promise<void> {
  try {
    await keepForwards(record, record.forwards, context);
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
    context.warn(`network ${record.network}: the forward stays written down: ${error.message}`);
  }
}

/** Those before one that is refused are taken away again. */
async function addAll(gateway: Gateway, forwards: readonly NetworkForward[]): Promise<void> {
  const done: NetworkForward[] = [];
  try {
    for (const forward of forwards) {
      await gateway.add(forward);
      done.push(forward);
    }
  } catch (error) {
    for (const forward of done) await gateway.remove(forward);
    throw error;
  }
}

/**
 * @param selectors rules as for `addForwards`, or `[HOSTADDR:]HOSTPORT[/tcp|/udp]`
 * @returns those that were taken away
 * @throws QrunError `usage`, `unknown-name` for one that is not there: then none is taken away
 */
export async function removeForwards(
  name: NetworkName,
  selectors: readonly string[],
  context: NetworkContext,
): Promise<readonly NetworkForward[]> {
  for (const text of selectors) parseSelector(text);
  return await underLock({ name, words: [...selectors, '--remove'] }, context, async (record) => {
    const parsed = selectors.map((text) => parseSelector(text, record.definition.owner));
    const removed = findForwards(name, parsed, record.forwards);
    const rest = record.forwards.filter((forward) => !removed.includes(forward));
    if (isBridged(record)) {
      await replaceForwards(record, { forwards: rest }, context);
      return removed;
    }
    const gatewayOf = requireLive(record, networkFiles(context.places, name));
    await withGateway(gatewayOf, async (gateway) => {
      for (const forward of removed) await gateway.remove(forward);
    });
    failpoint(`forward:${name}`);
    await keepForwards(record, rest, context);
    return removed;
  });
}

/** The kernel's rules carry its forwards, and not a gateway's process. */
const isBridged = ({ plan }: NetworkRecord): boolean => plan.attach.by === 'bridge' && plan.forward !== 'bridge';

async function addRules(
  wanted: readonly GuestForward[],
  record: NetworkRecord,
  context: NetworkContext,
): Promise<readonly NetworkForward[]> {
  return await withHostLock(context, async () => {
    const { owner } = record.definition;
    const named = wanted.map((forward) => ({ ...forward, guest: fullGuestName(forward.guest, owner) }));
    const kept = choosePortsNow(record, [...record.forwards, ...named], context);
    const { fresh } = await resolveForwards(named, record, { ...context, kept });
    tellRunning(record, kept, context);
    // also when all are known: whoever wrote them down may have been killed before
    await replaceForwards(record, { forwards: [...record.forwards, ...fresh], kept }, context);
    return fresh;
  });
}

/** The rules, and who answers names and DHCP: whom ports are kept for, and which addresses are given to nobody else. */
async function replaceForwards(record: NetworkRecord, wanted: Wanted, context: NetworkContext): Promise<void> {
  const { replaceRules } = await import('./replace-rules.ts');
  const now = await replaceRules(record, wanted, context);
  (await import('./tell-members.ts')).tellHosts(now, context);
}

/** A VM has the port that it was started with, to its end. */
function tellRunning(record: NetworkRecord, kept: readonly KeptPort[], { system, warn }: NetworkContext): void {
  const host = hostNetworkOf(record.plan);
  if (host === undefined) return;
  const running = readPortMembers(host, system.uid);
  for (const one of kept) {
    const name = renderUserVm(one);
    const port = host.ports.find(({ number }) => number === one.number);
    const on = running.filter(({ vm, mac }) => vm === name && mac !== port?.mac);
    if (on.length > 0 && !running.some(({ vm, mac }) => vm === name && mac === port?.mac))
      warn(
        `network ${record.network}: ${name} runs with another port: it gets ${port === undefined ? 'one' : portInWords(port)}, which is kept for it, when it is started anew`,
      );
  }
}

function parseRule(text: string): GuestForward {
  const parsed = parseGuestForward(text);
  if ('fault' in parsed) throw new QrunError('usage', parsed.fault, { hint: 'qrun net forward --help' });
  return parsed.value;
}

function refuseIpv6(wanted: readonly GuestForward[]): void {
  const six = wanted.find(({ hostAddress, guest }) => isIpv6Literal(hostAddress) || isIpv6Literal(guest));
  if (six === undefined) return;
  throw new QrunError('usage', `${renderForward(six)}: networks of scope user forward IPv4 alone`, {
    hint: 'use an IPv4 address, such as 127.0.0.1',
  });
}

interface Asked {
  readonly name: NetworkName;
  /** As they were typed. */
  readonly words: readonly string[];
}

async function underLock<T>(
  { name, words }: Asked,
  context: NetworkContext,
  act: (record: NetworkRecord) => Promise<T>,
): Promise<T> {
  const command = { verb: 'forward', words };
  await requireUp(name, context, command);
  const files = networkFiles(context.places, name);
  return await withNetworkLock({ name, files }, context, async () => {
    return await act(await requireUp(name, context, command));
  });
}
