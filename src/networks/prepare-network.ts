/** From a network's name, or a definition's file, to what can be brought up or joined: as it runs, else as its definition says. Changes nothing. */
import path from 'node:path';
import { homeDirectory } from '../home.ts';
import { understand } from '../host/kept-definitions.ts';
import { readLinks } from '../host/links.ts';
import { findNetworkFile, readNetworkFile } from '../host/network-definitions.ts';
import { readRoutes } from '../host/routes.ts';
import { digestOf } from '../digest.ts';
import { QrunError } from '../errors.ts';
import { isVmName } from '../names.ts';
import { addressPool, type AddressPool } from '../network/address-pool.ts';
import { subnetsOf } from '../network/bridged/free-subnets.ts';
import { isBridged } from '../network/bridged/mode.ts';
import { portHolder } from '../network/bridged/fixed-hosts.ts';
import { fixedAddressOf } from '../network/bridged/kept-ports.ts';
import { guestsOf, interfacesOf } from '../network/forwards.ts';
import type { HostNetwork } from '../network/host-network.ts';
import { layoutOf } from '../network/layout.ts';
import type { Network, NetworkName } from '../network/network.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import type { NetworkFacts } from '../network/plan-input.ts';
import { planNetwork } from '../network/plan.ts';
import { isUserVm, renderUserVm, userVmsOf } from '../network/user-vm.ts';
import { scopeOf } from '../network/scope.ts';
import { networkFiles, type NetworkFiles } from '../plan/network-files.ts';
import type { QemuCapabilities } from '../qemu/capabilities.ts';
import { readLastPorts } from '../resources/last-ports.ts';
import { openAddressBook, type AddressBook } from './address-book.ts';
import type { NetworkContext } from './context.ts';
import { isExample } from './example.ts';
import { planOfHost, readHostNetwork } from './host-networks.ts';
import { choosePortsToKeep } from './kept-ports.ts';
import { readPortFacts } from './port-facts.ts';
import { readNetworkRecord, type NetworkRecord } from './record.ts';

export interface PlanInput {
  readonly book: AddressBook;
  readonly runId: string;
  readonly pinned: boolean;
  /** Real ports of `auto` forwards by step id, once they are taken. */
  readonly ports: Readonly<Record<string, number>>;
  /** Set for the release that the watcher runs, where its environment is not this one's. */
  readonly releaseEnv?: Readonly<Record<string, string>>;
  /** What is to be looked at anew where nobody else changes it meanwhile. */
  readonly now?: Pick<NetworkFacts, 'routes' | 'others'>;
}

export interface PreparedNetwork {
  readonly name: NetworkName;
  readonly files: NetworkFiles;
  readonly definition: Network;
  readonly running?: NetworkRecord;
  /** As it runs, or as it would. */
  readonly shown: NetworkPlan;
  readonly pool: AddressPool;
  readonly fixedByMac: (mac: string) => string | undefined;
  readonly plan: (input: PlanInput) => NetworkPlan;
}

export type KnownQemu = QemuCapabilities | (() => Promise<QemuCapabilities>);

export interface PrepareOptions {
  /** Known, or to be asked where the network's way out is a QEMU. */
  readonly qemu: KnownQemu;
  /** VMs whose addresses are to be shown. */
  readonly holders?: readonly string[];
  /** Other networks of the host's are looked at when this one comes up, and not now. */
  readonly aloneYet?: boolean;
}

/** @throws QrunError `unknown-name`, `invalid-network`, `not-implemented`, `missing-tool`, `in-use` */
export async function prepareNetwork(
  argument: string,
  { qemu, holders = [], aloneYet = false }: PrepareOptions,
  context: NetworkContext,
): Promise<PreparedNetwork> {
  const running = readRunning(argument, context);
  const host = running === undefined && isVmName(argument) ? await hostNetworkMeant(argument, context) : undefined;
  if (host !== undefined) return preparedHost(host, context);
  const definition = running?.definition ?? (await readDefinition(argument, context));
  const { name } = definition;
  const files = networkFiles(context.places, name);
  const pool = poolOf(definition);
  const facts = {
    ...(await readNetworkFacts(definition, qemu, context)),
    ...(running === undefined && (aloneYet ? { routes: readRoutes() } : await readSurroundings(definition, context))),
  };
  const plan = planWith({ definition, files, facts, context });
  const fixedByMac = fixedOf(definition);
  const show = (): NetworkPlan => {
    // nothing of it is saved: it is what a run would reserve
    const book = openAddressBook({ files, pool, uid: context.system.uid });
    const shown = running?.plan ?? plan({ book, runId: scriptRun(files), pinned: false, ports: {} });
    const addresses = addressesOf(holders, book);
    return { ...shown, addresses, fixedByMac, ...(running !== undefined && { running: true }) };
  };
  // where it only comes up, its plan is made then
  let shown: NetworkPlan | undefined = aloneYet ? undefined : show();
  return {
    name,
    files,
    definition,
    ...(running !== undefined && { running }),
    get shown() {
      return (shown ??= show());
    },
    pool,
    fixedByMac: (mac) => fixedByMac[mac],
    plan,
  };
}

/**
 * One of root's that is up, where a user means it by its name: not root, who has it in his own state, and nobody who has defined one of his own. The
 * package's definitions are everybody's: there root's counts for whoever may take a port of it.
 */
export async function hostNetworkMeant(
  name: NetworkName,
  context: Pick<NetworkContext, 'places' | 'system'>,
): Promise<HostNetwork | undefined> {
  const { system } = context;
  const host = system.uid === 0 ? undefined : readHostNetwork(name, context);
  if (host === undefined || !(await isDefinedAsOwn(name, context))) return host;
  const isShared = isExample(findNetworkFile(name, context)?.file ?? '', context);
  const mayJoin = isShared && (await import('./port-takers.ts')).faultOfMember(host, system) === undefined;
  return mayJoin ? host : undefined;
}

/** Of a definition that has faults nobody knows whose it would be. */
async function isDefinedAsOwn(name: NetworkName, context: Pick<NetworkContext, 'places' | 'system'>): Promise<boolean> {
  if (findNetworkFile(name, context) === undefined) return false;
  try {
    return scopeOf(await readDefinition(name, context), context.system.uid) === 'user';
  } catch (error) {
    if (error instanceof QrunError) return false;
    throw error;
  }
}

function preparedHost(host: HostNetwork, { places }: NetworkContext): PreparedNetwork {
  const { name, definition } = host;
  return {
    name,
    definition,
    files: networkFiles(places, name),
    shown: planOfHost(host),
    pool: poolOf(definition),
    fixedByMac: () => undefined,
    plan: () => {
      throw new QrunError('permission', `network ${name} is root's`, { hint: `sudo qrun net up ${name}` });
    },
  };
}

/** A name means the network that is up, whatever the file says by now. */
function readRunning(argument: string, { places, system }: NetworkContext): NetworkRecord | undefined {
  if (!isVmName(argument)) return undefined;
  const record = readNetworkRecord(networkFiles(places, argument));
  return record?.bootId === system.bootId() ? record : undefined;
}

export async function readDefinition(
  argument: string,
  { places, system }: Pick<NetworkContext, 'places' | 'system'>,
): Promise<Network> {
  const { name, file, text } = readNetworkFile(argument, { places, system });
  const known = parsed.get(file);
  if (known?.text === text && known.network.name === name) return known.network;
  const where = { file, name, home: homeDirectory(), uid: system.uid };
  const network = await understand({ kind: 'network', text, ...where }, places, async () =>
    (await import('../network/parse.ts')).parseNetwork(text, where),
  );
  parsed.set(file, { text, network });
  return network;
}

/** By file. Of many networks that come up by one command each looks at all the others' definitions. */
const parsed = new Map<string, { readonly text: string; readonly network: Network }>();

export function poolOf(definition: Network): AddressPool {
  const { ranges, gateway, dnsServer } = layoutOf(definition);
  return addressPool(definition, { ranges, kept: [gateway, ...(dnsServer === undefined ? [] : [dnsServer])] });
}

const fixedOf = ({ dhcp }: Network): Record<string, string> =>
  Object.fromEntries((dhcp?.hosts ?? []).flatMap(({ mac, ip }) => (mac === undefined ? [] : [[mac, ip]])));

interface PlannedFrom {
  readonly definition: Network;
  readonly files: NetworkFiles;
  readonly facts: NetworkFacts;
  readonly context: NetworkContext;
}

/** The addresses of the VMs that forwards name are reserved with the plan. */
function planWith({ definition, files, facts: read, context }: PlannedFrom): PreparedNetwork['plan'] {
  let facts: NetworkFacts | undefined;
  return ({ book, runId, pinned, ports, releaseEnv, now }) => {
    // once: what is planned twice is planned alike
    facts ??= withKeptPorts(definition, read, context);
    // VMs of users have the addresses of their ports
    const ofRoot = guestsOf(definition).filter((guest) => !isUserVm(guest));
    const guests = addressesOf([...ofRoot, ...portHolders(definition, facts)], book);
    return planNetwork(definition, {
      files,
      uid: context.system.uid,
      facts: { ...facts, ...now },
      addresses: { ...book.entries(), ...guests },
      mark: runId,
      pinned,
      ports,
      lastPorts: readLastPorts(files.dir),
      release: [...inEnvironment(releaseEnv), process.execPath, process.argv[1] ?? '', ...releaseOf(definition, runId)],
    });
  };
}

/** Whose ports are kept for whom is looked at only where somebody is named. */
function withKeptPorts(definition: Network, facts: NetworkFacts, context: NetworkContext): NetworkFacts {
  const { ports } = facts;
  if (ports === undefined || userVmsOf(definition).length === 0) return facts;
  const kept = choosePortsToKeep(definition, { ...ports, count: ports.macs.length }, context);
  return { ...facts, ports: { ...ports, kept } };
}

/** Each port of a network with DHCP of its own has a lasting address, be it that of the VM that it is kept for. */
function portHolders(definition: Network, { ports }: NetworkFacts): string[] {
  if (!isBridged(definition.forward)) return [];
  const fixed = new Set(
    (ports?.kept ?? []).flatMap((one) =>
      fixedAddressOf(definition, renderUserVm(one), 4) === undefined ? [] : [one.number],
    ),
  );
  return (ports?.macs ?? []).flatMap((_mac, number) => (fixed.has(number) ? [] : [portHolder(number)]));
}

const releaseOf = ({ name }: Network, runId: string): string[] => ['__release', '--network', name, runId];

const inEnvironment = (env: Readonly<Record<string, string>> = {}): string[] =>
  Object.keys(env).length === 0 ? [] : ['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];

function addressesOf(holders: readonly string[], book: AddressBook): Record<string, string> {
  return Object.fromEntries(
    holders.flatMap((holder): [string, string][] => {
      const ip = book.reserve(holder);
      return ip === undefined ? [] : [[holder, ip]];
    }),
  );
}

/** A script of `show --shell` marks its processes with it: the same for the same network of the same state, and of no other. */
export const scriptRun = (files: NetworkFiles): string => `shell-${digestOf(files.dir).slice(0, 12)}`;

/** What a network that comes up must keep off. */
export async function readSurroundings(
  definition: Network,
  context: NetworkContext,
): Promise<Pick<NetworkFacts, 'routes' | 'others'>> {
  const routes = readRoutes();
  if (context.system.uid !== 0 || subnetsOf(definition).length === 0) return { routes };
  const { readOtherNetworks } = await import('./other-networks.ts');
  return { routes, others: await readOtherNetworks(definition.name, context) };
}

const tools = ['vde_switch', 'setpriv', 'nft', 'dnsmasq', 'dhcpd'];

export async function readNetworkFacts(
  definition: Network,
  qemu: KnownQemu,
  { system, places }: NetworkContext,
): Promise<NetworkFacts> {
  const asked = scopeOf(definition, system.uid) === 'user';
  const ports = await readPortFacts(definition, { system, places });
  return {
    ...(asked && { qemu: typeof qemu === 'function' ? await qemu() : qemu }),
    node: process.execPath,
    switchBundle: path.join(path.dirname(places.examples), 'dist/switch.cjs'),
    tools: Object.fromEntries(
      tools.flatMap((tool): [string, string][] => {
        const file = system.which(tool);
        return file === undefined ? [] : [[tool, file]];
      }),
    ),
    ...(interfacesOf(definition).length > 0 && { links: await readLinks(system) }),
    ...(ports !== undefined && { ports }),
  };
}
