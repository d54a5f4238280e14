/**
 * The host's way to the macvtaps of a card. They all share one, of whatever VM, user and network they are; what counts them is the kernel: each is in
 * a group that says so, so that neither a kill nor a lost journal makes the count wrong. Under a lock on the card itself, which every user can take:
 * one that comes makes its macvtap first, and one that goes looks for others then.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { errnoOf, QrunError } from '../errors.ts';
import { addressesOf, standsOn } from '../host/host-access.ts';
import { listHostLinks, readHostLink } from '../host/host-link.ts';
import { hostWayNameOf, reachedGroup } from '../host-way-name.ts';
import type { Action, HostAccessStep } from '../plan/step.ts';
import { privilegedArgv } from '../privileged.ts';
import { waitLock } from '../system/flock.ts';
import type { System } from '../system/system.ts';
import { elsewhere, lastWords, ownNetwork } from './link.ts';
import { runPrivileged } from './privilege.ts';
import type { Resource } from './resource.ts';

const batch = ['ip', '-batch', '-'] as const;
const lockMs = 10_000;

export const hostAccess: Resource<HostAccessStep> = {
  describe: (step) => ({
    acquire: makingOf(step).map(({ argv, stdin }): Action => ({
      argv: privilegedArgv(argv, step.sudo),
      ...(stdin !== undefined && { stdin }),
    })),
    release: [{ argv: privilegedArgv(removal(step), step.sudo) }],
  }),

  acquire: async (step, { system, record }) => {
    record({ network: ownNetwork() });
    await underLock(step, () => {
      const state = stateOf(step);
      if (state === 'half') remove(step, system);
      if (state === 'whole') requireAddress(step);
      else make(step, system);
    });
    return { network: ownNetwork() };
  },

  release: async (step, record, { system, sameBoot }) => {
    if (record === undefined || !sameBoot) return;
    if (record['network'] !== ownNetwork()) return elsewhere(step, String(record['network']));
    if (readHostLink(step.name) === undefined) return;
    await underLock(step, () => {
      const state = stateOf(step);
      if ((state === 'half' || state === 'whole') && !isNeeded(step)) remove(step, system);
    });
  },
};

interface Making {
  readonly argv: readonly string[];
  readonly stdin?: string;
}

/** The settings before it is up, when the first announcement could come. */
const makingOf = ({ add, settings, commands }: HostAccessStep): Making[] => [
  { argv: batch, stdin: textOf(add) },
  ...(settings.length === 0 ? [] : [{ argv: ['sysctl', '-q', '-w', ...settings] }]),
  { argv: batch, stdin: textOf(commands) },
];

const textOf = (lines: readonly string[]): string => `${lines.join('\n')}\n`;
const removal = ({ name }: Pick<HostAccessStep, 'name'>): string[] => ['ip', 'link', 'delete', 'dev', name];

/** Its alias comes last: without one, under the lock, a start was killed in between. */
function stateOf({ name, alias, parent }: HostAccessStep): 'none' | 'half' | 'whole' | 'foreign' {
  const found = readHostLink(name);
  if (found === undefined) return 'none';
  if (!standsOn(name, parent)) return 'foreign';
  if (found.alias === alias) return found.up ? 'whole' : 'half';
  return found.alias === '' ? 'half' : 'foreign';
}

function make(step: HostAccessStep, system: System): void {
  for (const { argv, stdin } of makingOf(step)) {
    const { status, stderr } = runPrivileged(system, argv, { stdin: stdin ?? '', sudo: step.sudo });
    if (status !== 0) throw failed(step, argv, stderr);
  }
}

function failed({ name, parent }: HostAccessStep, [tool = '']: readonly string[], stderr: string): QrunError {
  const passthru = /Invalid argument|busy/.test(stderr) && tool === 'ip';
  const causes = stderr.trim().split('\n').slice(-4);
  if (passthru && readHostLink(name) === undefined)
    return new QrunError('in-use', `${parent} cannot be shared: mode passthru has a card for itself alone`, {
      causes,
      hint: `ip -details link show dev ${parent}`,
    });
  return new QrunError('host-failed', `the host's way ${name} on ${parent} could not be made: ${lastWords(stderr)}`, {
    causes,
    hint: `ip -details link show dev ${parent}`,
  });
}

function requireAddress({ name, parent, address }: HostAccessStep): void {
  const there = addressesOf(name).map((cidr) => cidr.split('/')[0]);
  if (address === undefined || there.includes(address)) return;
  throw new QrunError(
    'in-use',
    `the host's way on ${parent} is there already, with ${there.join(', ')} and not ${address}`,
    {
      hint: 'hostAccess: true takes it as it is; it goes with the last VM that has need of it',
    },
  );
}

const isNeeded = ({ parent, links }: Pick<HostAccessStep, 'parent' | 'links'>): boolean =>
  (readHostLink(parent)?.uppers ?? []).some((upper) => {
    const found = links.includes(upper) ? undefined : readHostLink(upper);
    return found?.kind === 'macvtap' && found.group === reachedGroup;
  });

function remove({ name, sudo }: Pick<HostAccessStep, 'name' | 'sudo'>, system: System): void {
  const { status, stderr } = runPrivileged(system, removal({ name }), { sudo });
  if (status === 0 || readHostLink(name) === undefined) return;
  throw new QrunError('left-behind', `${name} could not be removed: ${lastWords(stderr)}`, {
    hint: `sudo ip link delete dev ${name}`,
  });
}

/** Whole ones of qrun's that no macvtap has need of: their VMs were killed, and no journal knows of them. */
export const listIdleWays = (): IdleWay[] =>
  listHostLinks().flatMap((name) => {
    const [, parent] = /^qrun-host:(.+)$/.exec(readHostLink(name)?.alias ?? '') ?? [];
    if (parent === undefined || name !== hostWayNameOf(parent) || !standsOn(name, parent)) return [];
    return isNeeded({ parent, links: [] }) ? [] : [{ name, parent }];
  });

export type IdleWay = Pick<HostAccessStep, 'name' | 'parent'>;

/** False: somebody has need of it by now. Root's. @throws QrunError `left-behind`, `in-use` */
export async function removeIdleWay(way: IdleWay, system: System): Promise<boolean> {
  let idle = false;
  await underLock(way, () => {
    idle = listIdleWays().some(({ name }) => name === way.name);
    if (idle) remove(way, system);
  });
  return idle;
}

/** Without a card there is nothing to be shared, and what stood on it is gone. */
async function underLock({ parent }: Pick<HostAccessStep, 'parent'>, act: () => void): Promise<void> {
  const fd = openCard(parent);
  if (fd === undefined) return act();
  try {
    if (!(await waitLock(fd, lockMs)))
      throw new QrunError('in-use', `another program has held ${cardFile(parent)} for ${lockMs / 1000} s`, {
        hint: `sudo fuser -v ${cardFile(parent)}`,
      });
    act();
  } finally {
    closeSync(fd);
  }
}

/** All mounts of sysfs in one network namespace show the same file. */
const cardFile = (parent: string): string => `/sys/class/net/${parent}/ifindex`;

function openCard(parent: string): number | undefined {
  try {
    return openSync(cardFile(parent), constants.O_RDONLY);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
