/** From a word on the command line to a plan: everything that can be refused is refused here, before the host is touched. */
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { understand } from '../host/kept-definitions.ts';
import { readHostFacts } from '../host/read-facts.ts';
import { readProfileFile } from '../host/profile-files.ts';
import { homeDirectory } from '../home.ts';
import type { HostFacts } from '../host/facts.ts';
import { holdersOn } from '../nic/network.ts';
import { onPools } from '../nic/network-pool.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import type { Choice } from '../networks/port-choice.ts';
import type { PreparedNetwork } from '../networks/prepare-network.ts';
import type { Places } from '../places.ts';
import { vmFiles, type VmFiles } from '../plan/vm-files.ts';
import type { LaunchPlan } from '../plan/launch-plan.ts';
import { planLaunch } from '../plan/launch.ts';
import type { Profile } from '../profile/profile.ts';
import { qemuOf } from '../qemu/binary.ts';
import type { QemuCapabilities } from '../qemu/capabilities.ts';
import { readCapabilities } from '../qemu/probe.ts';
import { reserveLinkNames } from '../resources/link-names.ts';
import { reserveNics } from '../resources/mac-lease.ts';
import { shellWords } from '../shell-word.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { checkStateFilesystem } from '../system/state-filesystem.ts';
import type { System } from '../system/system.ts';
import { findRunningPid } from './liveness.ts';

export interface LaunchContext {
  readonly system: System;
  readonly places: Places;
  readonly warn: (message: string) => void;
  /** Aborted when the person or the system wants qrun to end: a start is then undone, its reason says by which signal. */
  readonly interrupted?: AbortSignal;
}

export interface LaunchOptions {
  readonly name?: string;
  readonly ephemeral?: boolean;
  /** After `--` on the command line: handed to QEMU behind the profile's own `args`. */
  readonly args?: readonly string[];
  /** Nothing is started: what somebody else has now is shown all the same. */
  readonly shows?: boolean;
}

export interface Prepared {
  readonly profile: Profile;
  readonly facts: HostFacts;
  readonly files: VmFiles;
  readonly plan: LaunchPlan;
  /** By name: those that its NICs are on. */
  readonly networks: Readonly<Record<string, PreparedNetwork>>;
  /** The same plan with the real ports of `auto` forwards. */
  readonly replan: (ports: Readonly<Record<string, number>>) => LaunchPlan;
}

export async function prepare(argument: string, options: LaunchOptions, context: LaunchContext): Promise<Prepared> {
  return await prepareProfile(await loadProfile(argument, options, context), context, options);
}

/** The same for a profile that is read. */
export async function prepareProfile(
  profile: Profile,
  context: LaunchContext,
  options: Pick<LaunchOptions, 'shows'> = {},
): Promise<Prepared> {
  const found = await readForLaunch(profile, context, options);
  try {
    return { ...found, plan: found.replan({}) };
  } catch (error) {
    throw asExample(error, profile, context.places);
  }
}

/** What an example of the package names lies beside nobody's copy of it yet. */
function asExample(error: unknown, { name, file }: Profile, { config, examples }: Places): unknown {
  const isMissing =
    error instanceof QrunError && error.code === 'invalid-profile' && error.message.includes(': there is no ');
  if (!isMissing || path.dirname(file) !== examples) return error;
  const copy = path.join(config[0] ?? '.', 'profiles', `${name}.yaml`);
  return new QrunError(error.code, error.message, {
    hint: `install -D -m 644 ${shellWords([file, copy])}   # an example: what it names belongs beside your copy`,
    cause: error,
  });
}

/** All but the plan: whatever of it is missing is known by then, and nothing is refused for it. */
export async function readForLaunch(
  profile: Profile,
  context: LaunchContext,
  { shows = false }: Pick<LaunchOptions, 'shows'> = {},
): Promise<Omit<Prepared, 'plan'>> {
  const { system, places } = context;
  ensureState(context);
  const files = vmFiles(places, profile.name);
  const leases = await reserveNics({ system, places, vm: profile.name, nics: profile.nics, profileFile: profile.file });
  for (const report of leases.reports) context.warn(report);
  const qemu = await readCapabilities(system, qemuOf(context));
  const networks = await prepareNetworks(profile, qemu, context);
  const plans = Object.fromEntries(Object.entries(networks).map(([name, network]) => [name, network.shown]));
  const { ports, portFaults } = await choosePorts(profile, plans, { ...context, shows });
  const given = Object.entries(ports).filter(([nic]) => portFaults[nic] === undefined);
  const macs = Object.fromEntries(given.map(([nic, { port }]) => [nic, port.mac]));
  const looked = onPools(profile, plans);
  const facts = await readHostFacts({
    ...{ system, places, profile: looked, qemu, ports, portFaults },
    ownPid: () => findRunningPid(files),
    linkSeed: reserveLinkNames({ system, file: files.linkNames, nics: looked.nics }),
    leases: { ...leases, macs: { ...leases.macs, ...macs } },
    networks: plans,
  });
  const replan = (ports: Readonly<Record<string, number>>): LaunchPlan => planLaunch(profile, facts, { files, ports });
  return { profile, facts, files, networks, replan };
}

/** The networks' part is loaded only for who has one. */
async function prepareNetworks(
  profile: Profile,
  qemu: QemuCapabilities,
  context: LaunchContext,
): Promise<Record<string, PreparedNetwork>> {
  const names = new Set(profile.nics.flatMap((nic) => (nic.kind === 'network' ? [nic.network] : [])));
  if (names.size === 0) return {};
  const { prepareNetwork } = await import('../networks/prepare-network.ts');
  const prepared: Record<string, PreparedNetwork> = {};
  for (const name of names)
    prepared[name] = await prepareNetwork(name, { qemu, holders: holdersOn(name, profile) }, context);
  return prepared;
}

/** A port's MAC is its NIC's, whatever is leased to it: the port lasts, and a card knows its macvtap by it. */
async function choosePorts(
  profile: Profile,
  plans: Readonly<Record<string, NetworkPlan>>,
  context: LaunchContext & { readonly shows: boolean },
): Promise<Choice> {
  if (!Object.values(plans).some(({ attach }) => attach.by === 'port')) return { ports: {}, portFaults: {} };
  return await (await import('../networks/port-choice.ts')).choosePorts(profile, plans, context);
}

export async function loadProfile(
  argument: string,
  options: LaunchOptions,
  { system, places }: LaunchContext,
): Promise<Profile> {
  const found = readProfileFile(argument, {
    system,
    places,
    ...(options.name !== undefined && { name: options.name }),
  });
  const { name, file, text } = found;
  const home = homeDirectory();
  const source = { kind: 'profile', name, file, text, home, uid: system.uid } as const;
  const profile = await understand(source, places, async () =>
    (await import('../profile/parse.ts')).parseProfile(text, { file, name, home }),
  );
  return {
    ...profile,
    ephemeral: options.ephemeral ?? profile.ephemeral,
    args: [...profile.args, ...(options.args ?? [])],
  };
}

/** @throws QrunError `unsafe-state` when the state directory is somebody else's, or lies on a network file system */
export function ensureState({ system, places }: Pick<LaunchContext, 'system' | 'places'>): void {
  ensurePrivateDirectory(places.state, { uid: system.uid });
  checkStateFilesystem(places.state);
}
