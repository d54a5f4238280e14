/**
 * An interface that qrun makes: a tap on a bridge, a macvtap, the host's way to its macvtaps. One `ip -batch` makes it whole. It is removed by its
 * name, and only when it is provably the one that was made: the journal said so before, and its alias says whose it is. (An alias that is given in
 * the very message that makes the link is dropped by the kernel, so a start that was killed in between leaves a link with none.)
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { readCardUses } from '../host/card-use.ts';
import { listHostLinks, readHostLink, readLinkIndex, type HostLink } from '../host/host-link.ts';
import { readLinkUse } from '../host/link-use.ts';
import type { StepRecord } from '../journal/journal.ts';
import { isLinkName, parseLinkAlias } from '../link-name.ts';
import { holdersInWords } from '../link-owner.ts';
import type { LinkStep } from '../plan/step.ts';
import { privilegedArgv } from '../privileged.ts';
import type { System } from '../system/system.ts';
import { runPrivileged, runPrivilegedBeside } from './privilege.ts';
import type { Resource } from './resource.ts';

const batch = ['ip', '-batch', '-'] as const;
const fdbBatch = ['bridge', '-batch', '-'] as const;

export const link: Resource<LinkStep> = {
  takesLongest: true,

  describe: (step) => ({
    acquire: [
      { argv: privilegedArgv(batch, step.sudo), stdin: textOf(step) },
      ...(step.fdb === undefined
        ? []
        : [{ argv: privilegedArgv(fdbBatch, step.sudo), stdin: `${step.fdb.join('\n')}\n` }]),
    ],
    release: [{ argv: privilegedArgv(removal(step), step.sudo) }],
  }),

  acquire: async (step, { system, record }) => {
    // under the VM lock one with our alias is a dead run's whose journal is lost
    for (const dead of findDead(step)) await remove({ ...step, name: dead }, system);
    if (readHostLink(step.name) !== undefined) throw taken(step);
    record({ network: ownNetwork() });
    const { status, stderr } = await runPrivilegedBeside(system, batch, { stdin: textOf(step), sudo: step.sudo });
    if (status !== 0) throw failed(step, stderr);
    if (step.fdb !== undefined) fillFdb(step, step.fdb, system);
    return { network: ownNetwork(), index: readHostLink(step.name)?.index ?? 0 };
  },

  release: async (step, record, { system, sameBoot }) => {
    // without a record it was never made: the record is written before; links end with the boot
    if (record === undefined || !sameBoot) return;
    if (record['network'] !== ownNetwork()) return elsewhere(step, String(record['network']));
    const found = findMade(step, record);
    if (found !== undefined) await remove({ ...step, name: found.name }, system);
  },
};

function fillFdb(step: LinkStep, lines: readonly string[], system: System): void {
  const { status, stderr } = runPrivileged(system, fdbBatch, { stdin: `${lines.join('\n')}\n`, sudo: step.sudo });
  if (status !== 0) throw failed(step, stderr);
}

const textOf = ({ commands }: LinkStep): string => `${commands.join('\n')}\n`;
const removal = ({ name }: LinkStep): string[] => ['ip', 'link', 'delete', 'dev', name];

/** By its name, or, where somebody renamed it, by its number. @throws QrunError `left-behind`: its alias says that it is somebody's by now */
function findMade(step: LinkStep, record: StepRecord): HostLink | undefined {
  const { index = 0 } = record;
  const named = readHostLink(step.name);
  if (named?.alias === step.alias || (named?.alias === '' && [0, named.index].includes(Number(index)))) return named;
  const made = named?.index === index ? named : findByIndex(Number(index));
  if (made === undefined || made.alias === step.alias) return made;
  const name = made.name === step.name ? made.name : `${step.name}, which is called ${made.name} by now,`;
  throw new QrunError('left-behind', `${name} has another alias, ${JSON.stringify(made.alias)}: it is left as it is`, {
    hint: `if nothing needs it: sudo ip link delete dev ${made.name}`,
  });
}

/** The kernel gives no number twice. */
function findByIndex(index: number): HostLink | undefined {
  const name = index > 0 ? listHostLinks().find((one) => readLinkIndex(one) === index) : undefined;
  return name === undefined ? undefined : readHostLink(name);
}

async function remove(step: LinkStep, system: System): Promise<void> {
  const { status, stderr } = await runPrivilegedBeside(system, removal(step), { sudo: step.sudo });
  if (status === 0 || readHostLink(step.name) === undefined) return;
  throw new QrunError('left-behind', `${step.name} could not be removed: ${lastWords(stderr)}`, {
    hint: `sudo ip link delete dev ${step.name}`,
  });
}

/**
 * Whatever its name was: each run had others. One that a process has open is of a VM elsewhere whose state directory is called the same, such as
 * beside a container of the host's network; where not every process is seen, none is known to be dead, and gc of root's takes it.
 */
function findDead({ name, alias }: LinkStep): string[] {
  return listHostLinks().filter((other) => {
    const found = other === name || isLinkName(other) ? readHostLink(other) : undefined;
    return found?.alias === alias && isDead(found);
  });
}

function isDead(found: HostLink): boolean {
  const { users, complete } = readLinkUse(found);
  return complete && !users.some(({ how }) => how === 'open');
}

/** Interfaces are of one network namespace, and a name says nothing in another. */
export const ownNetwork = (): string => networkOf('self') ?? '';

function networkOf(pid: string): string | undefined {
  return inodeOf(`/proc/${pid}/ns/net`);
}

/** What was made in a namespace that is gone is gone with it. */
export function elsewhere(step: Pick<LinkStep, 'name'>, network: string): void {
  if (!lives(network)) return;
  throw new QrunError('left-behind', `${step.name} was made in another network namespace (net:[${network}])`, {
    hint: 'run qrun gc in that namespace (ip netns exec, nsenter)',
  });
}

function lives(network: string): boolean {
  const named = existsSync(namedNetworks) ? readdirSync(namedNetworks) : [];
  if (named.some((name) => inodeOf(path.join(namedNetworks, name)) === network)) return true;
  return readdirSync('/proc').some((pid) => /^\d+$/.test(pid) && networkOf(pid) === network);
}

const namedNetworks = '/run/netns';

function inodeOf(file: string): string | undefined {
  try {
    return String(statSync(file).ino);
  } catch {
    return undefined;
  }
}

function taken({ name, parent }: LinkStep): QrunError {
  return new QrunError('in-use', `there is an interface ${name} already, and it is not this VM's`, {
    hint: parent === undefined ? `ip -details link show dev ${name}` : `sudo ip link delete dev ${name}`,
  });
}

function failed(step: LinkStep, stderr: string): QrunError {
  const words = lastWords(stderr);
  const { name, parent } = step;
  const causes = stderr.trim().split('\n').slice(-4);
  if (/Operation not permitted/.test(stderr)) {
    return new QrunError('permission', `${name} could not be made: root's right CAP_NET_ADMIN is missing`, {
      causes,
      hint: 'docker run --cap-add NET_ADMIN --device /dev/net/tun …',
    });
  }
  if (parent !== undefined && /Address already in use/.test(stderr)) {
    return macTaken({ ...step, parent }, causes);
  }
  if (parent !== undefined && /Invalid argument|busy/.test(stderr)) {
    const card = readHostLink(parent);
    const uses = (card === undefined ? [] : readCardUses(card)).filter((use) => use.name !== name);
    const { who, hint } = holdersInWords(uses, step.alias);
    return new QrunError(
      'in-use',
      `${parent} cannot be shared: mode passthru has a card for itself alone${who === '' ? '' : `: ${who}`}`,
      { causes, hint: uses.length === 0 ? `ip -details link show dev ${parent}` : hint },
    );
  }
  if (isVxlan(step) && /Address already in use/.test(stderr)) {
    return new QrunError('in-use', `the UDP port of ${name} is another program's`, { causes, hint: 'ss -lunp' });
  }
  const [, gone] = /Cannot find device "(.+)"/.exec(stderr) ?? [];
  if (isVxlan(step) && gone !== undefined && gone !== name) {
    return new QrunError('host-failed', `there is no interface ${gone}, which ${name} is to go by or to be a port of`, {
      causes,
      hint: 'ip -brief link show',
    });
  }
  if (isVxlan(step) && /VNI already exists/.test(stderr)) {
    return new QrunError('in-use', `another VXLAN has the id and the port of ${name}`, {
      causes,
      hint: 'ip -details link show type vxlan',
    });
  }
  return new QrunError('host-failed', `${name} could not be made: ${words}`, {
    causes,
    hint: `ip -details link show${parent === undefined ? '' : ` dev ${parent}`}`,
  });
}

const isVxlan = ({ commands }: LinkStep): boolean => commands[0]?.includes(' type vxlan ') === true;

/** By the card itself, or by what stands on it beside the one that was to be made. */
function macTaken(step: LinkStep & { readonly parent: string }, causes: readonly string[]): QrunError {
  const { name, parent, mac, alias } = step;
  const card = readHostLink(parent);
  if (card?.mac === mac)
    return new QrunError('in-use', `${mac} is ${parent}'s own MAC`, { causes, hint: 'leave "mac" out' });
  const isHolder = (other: string): boolean => other !== name && readHostLink(other)?.mac === mac;
  const holder = (card?.uppers ?? []).find(isHolder);
  const already = `${parent} has an interface with the MAC ${mac} already`;
  if (holder === undefined) return new QrunError('in-use', already, { causes, hint: 'leave "mac" out' });
  const use = { name: holder, alias: readHostLink(holder)?.alias ?? '' };
  const { who, hint } = holdersInWords([use], alias);
  const ends =
    parseLinkAlias(use.alias) === undefined ? `sudo ip link delete dev ${holder}, if nothing needs it` : hint;
  // of this VM, which does not run as far as is seen from here
  return new QrunError('in-use', `${already}: ${who}`, { causes, hint: use.alias === alias ? 'sudo qrun gc' : ends });
}

export function lastWords(stderr: string): string {
  const lines = stderr
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('Command failed'));
  return (lines.at(-1) ?? '').replace(/^(RTNETLINK answers|Error): /, '') || 'ip failed';
}
