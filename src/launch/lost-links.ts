/**
 * `gc` of root's: interfaces of qrun's that no journal knows any more, because their state directory is gone or another user's. One is removed when it
 * is proven that it is qrun's and that its run is dead:
 *
 * - its name is of qrun's form, and its alias, which only root can set, says which VM's NIC it is of; its kind is the one that the alias says;
 * - no process of the host has its tap or its device open, or names it in its arguments;
 * - no process in this network has a lock file of a VM of that name open. Whoever makes an interface has it open from before, and hands it to QEMU.
 *
 * Both looks at the processes are made twice: who is handed something between two of them is found by one. Where not every process is seen, or it is a
 * port or the bridge of a network (which live without a process), it is told, with the command.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { digestOf } from '../digest.ts';
import { isBridge, listHostLinks, readHostLink, sysfsIsOwn, type HostLink } from '../host/host-link.ts';
import { readLinkUse, type LinkUse } from '../host/link-use.ts';
import { readJournal } from '../journal/journal.ts';
import { isLinkName, isPortAlias, parseLinkAlias, type LinkAlias } from '../link-name.ts';
import { networkFiles } from '../plan/network-files.ts';
import { vmFiles } from '../plan/vm-files.ts';
import { listIdleWays, removeIdleWay } from '../resources/host-access.ts';
import { delay } from '../system/delay.ts';
import { listSetAside } from './end.ts';
import type { LaunchContext } from './prepare.ts';
import { listVmNames } from './vms.ts';

export interface CollectedLink {
  readonly link: string;
  /** Whose it was: `web1/net0`. */
  readonly what: string;
  readonly state: 'removed' | 'would-remove' | 'left';
  readonly why?: string;
}

interface Lost {
  readonly link: HostLink;
  readonly alias: LinkAlias;
}

/** What is left of a life: `dead`, `alive`, or why that is not known. */
type Verdict = 'dead' | 'alive' | { readonly why: string };

const betweenMs = 20;

export async function collectLinks(context: LaunchContext, dryRun: boolean): Promise<CollectedLink[]> {
  if (context.system.uid !== 0 || !sysfsIsOwn()) return [];
  const candidates = findCandidates();
  const known = candidates.length === 0 ? new Set<string>() : await readKnown(context);
  const found: CollectedLink[] = [];
  for (const lost of candidates) {
    if (!isKnown(lost, known)) found.push(...(await collectLink(lost, context, dryRun)));
  }
  return [...found, ...(await collectWays(context, dryRun))];
}

/** The host's ways to macvtaps that are no more: whoever makes one has made its macvtap before. */
async function collectWays({ system }: LaunchContext, dryRun: boolean): Promise<CollectedLink[]> {
  const found: CollectedLink[] = [];
  for (const way of listIdleWays()) {
    const is = { link: way.name, what: `the host's way on ${way.parent}` };
    if (dryRun) found.push({ ...is, state: 'would-remove' });
    else if (await removeIdleWay(way, system)) found.push({ ...is, state: 'removed' });
  }
  return found;
}

/** A bridge has a name that somebody chose, or that follows from its network's; it may have another by now. */
function findCandidates(): Lost[] {
  return listHostLinks()
    .toSorted()
    .flatMap((name) => {
      const link = isLinkName(name) || isBridge(name) ? readHostLink(name) : undefined;
      const alias = link === undefined ? undefined : parseLinkAlias(link.alias);
      const isNamed = isLinkName(name) || alias?.role === 'bridge';
      return link === undefined || alias === undefined || !isNamed || !isOfRole(link, alias) ? [] : [{ link, alias }];
    });
}

/** Whoever has it in a journal or in the registry gives it back: a bridge by its alias, whatever it is called. */
const isKnown = ({ link, alias }: Lost, known: ReadonlySet<string>): boolean =>
  known.has(link.name) || (alias.role === 'bridge' && (known.has(link.alias) || known.has(alias.vm)));

const isOfRole = ({ kind }: HostLink, { role }: LinkAlias): boolean => kind === (role === 'vxlan' ? 'other' : role);

async function collectLink(lost: Lost, { system }: LaunchContext, dryRun: boolean): Promise<CollectedLink[]> {
  const { link, alias } = lost;
  const is = { link: link.name, what: `${alias.vm}/${alias.nic}` };
  const verdict = await judgeTwice(lost);
  if (verdict === 'alive') return [];
  const command = `ip link delete dev ${link.name}`;
  if (verdict !== 'dead')
    return [{ ...is, state: 'left', why: `${verdict.why}; if nothing needs it: sudo ${command}` }];
  if (dryRun) return [{ ...is, state: 'would-remove' }];
  const now = readHostLink(link.name);
  if (now === undefined || now.index !== link.index || now.alias !== link.alias) return [];
  const { status, stderr } = system.runNow('ip', command.split(' ').slice(1));
  if (status === 0 || readHostLink(link.name) === undefined) return [{ ...is, state: 'removed' }];
  return [{ ...is, state: 'left', why: `${stderr.trim()}: sudo ${command}` }];
}

async function judgeTwice(lost: Lost): Promise<Verdict> {
  const first = judge(lost, readLinkUse(lost.link, lost.alias.vm));
  if (first !== 'dead') return first;
  await delay(betweenMs);
  return judge(lost, readLinkUse(lost.link, lost.alias.vm));
}

/** Pure. */
export function judge({ alias }: Pick<Lost, 'alias'>, { users, locks, complete }: LinkUse): Verdict {
  if (users.some(({ how }) => how === 'open')) return 'alive';
  if (locks.some((lock) => stateOf(lock.path) === alias.state)) return 'alive';
  if (isPortAlias(alias))
    return {
      why: `${partOf(alias)} of the network ${alias.vm.slice('net/'.length)}, which no registry knows`,
    };
  const [user] = users;
  if (user !== undefined) return { why: `pid ${user.pid} (${user.program}) names it` };
  const [lock] = locks;
  // the same directory may be called otherwise in another root
  if (lock !== undefined) return { why: `a VM of that name runs (pid ${lock.pid}), with another state directory` };
  return complete ? 'dead' : { why: 'not every process of the host can be seen from here' };
}

const partOf = ({ role }: LinkAlias): string =>
  role === 'bridge' ? 'the bridge' : role === 'vxlan' ? 'a link' : 'a port';

/** Of `STATE/locks/vm.NAME`. */
const stateOf = (lock: string): string => digestOf(path.dirname(path.dirname(lock)));

/** Names and aliases of interfaces that a journal or the host's registry has, and the registry's networks: they are given back by whoever has that. */
async function readKnown(context: LaunchContext): Promise<ReadonlySet<string>> {
  const { places } = context;
  const { listNetworkState } = await import('../networks/state-names.ts');
  const { listHostNetworkNames, readHostNetwork } = await import('../networks/host-networks.ts');
  const vms = listVmNames(places).flatMap((vm) => {
    const files = vmFiles(places, vm);
    return [files.journal, ...(existsSync(files.dir) ? listSetAside(files) : [])];
  });
  const networks = listNetworkState(places).map((name) => networkFiles(places, name).journal);
  const hosts = listHostNetworkNames(places).flatMap((name) => readHostNetwork(name, context) ?? []);
  const registered = hosts.flatMap(({ name, ports }) => [`net/${name}`, ...ports.map(({ device }) => device)]);
  return new Set([...[...vms, ...networks].flatMap(namesIn), ...registered]);
}

/** What a newer qrun wrote is not understood; `gc` has told so. */
function namesIn(journal: string): string[] {
  try {
    const entries = readJournal(journal)?.entries ?? [];
    return entries.flatMap(({ step, released }) => (step.kind === 'link' && !released ? [step.name, step.alias] : []));
  } catch {
    return [];
  }
}
