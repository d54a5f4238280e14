/** What ports for ordinary users are made from: read by root before they are planned. */
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { readHostAccess } from '../host/host-access.ts';
import { readHostLink } from '../host/host-link.ts';
import type { PciPart } from '../host/pci-door.ts';
import { readRights } from '../host/link-door.ts';
import { readAdvertised } from '../host/routes.ts';
import { readTakenForPorts } from '../host/taken-macs.ts';
import type { Mac } from '../names.ts';
import { hostNetworkFiles } from '../network/host-network.ts';
import type { Network, NetworkName } from '../network/network.ts';
import type { PortFacts } from '../network/plan-input.ts';
import { isBridged } from '../network/bridged/mode.ts';
import { bridgeNameOf } from '../network/bridged/names.ts';
import { isPool } from '../network/pools/mode.ts';
import { candidates, defaultPool } from '../resources/mac-pool.ts';
import { hasHostRegistry, readHostClaim } from '../resources/host-claim.ts';
import { readPortMacs } from '../resources/host-network.ts';
import type { Places } from '../places.ts';
import { textOf } from '../system/glance.ts';
import type { System } from '../system/system.ts';
import type { NetworkContext } from './context.ts';
import { readSwitchAccount } from './switch-account.ts';

/** Undefined: this is not root, who makes them. @throws QrunError `host-failed` when there is no such user or group */
export async function readPortFacts(
  definition: Network,
  { system, places }: Pick<NetworkContext, 'system' | 'places'>,
): Promise<PortFacts | undefined> {
  const { ports, forward } = definition;
  if (system.uid !== 0) return undefined;
  const bridged = isBridged(forward);
  const joined = forward === 'bridge';
  const base = isPool(forward) ? definition.bridge?.uplink : bridgeNameOf(definition);
  const link = base === undefined ? undefined : readHostLink(base);
  const { rights } = await readRights(system, places);
  const who = ports === undefined ? {} : whoOf(definition, system);
  return {
    host: places.host,
    state: places.state,
    macs: await macsOf(definition, ports ?? 0, { system, places }),
    ...who,
    ...(definition.transport === 'vde' && readSwitchAccount(definition, who, system)),
    ...(link !== undefined && { link }),
    ...(link !== undefined && forward === 'macvtap' && { way: readHostAccess(link.name) }),
    ...(link !== undefined && forward === 'hostdev' && { pci: await readFunctions(link.name) }),
    rights: rights === 'own',
    registry: hasHostRegistry(places),
    udev: existsSync('/run/udev/control'),
    ipv6: existsSync('/proc/sys/net/ipv6'),
    ...(definition.hostDns && resolverOf(system)),
    ...(bridged && { advertised: readAdvertised() }),
    ...(joined && (await readJoined(definition, system))),
  };
}

async function readFunctions(parent: string): Promise<PciPart> {
  const { readPciPart } = await import('../host/pci-door.ts');
  return readPciPart({ addresses: [], parents: [parent] });
}

/** What a bridge is joined with: a card, other hosts. Programs are started for it where there is such a thing. */
async function readJoined({ bridge, links }: Network, system: System): Promise<Pick<PortFacts, 'uplink' | 'underlay'>> {
  const card = bridge?.uplink;
  const uplink = card === undefined ? undefined : (await import('../host/uplink.ts')).readUplink(card, system);
  const all = links.map(({ vxlan }) => vxlan);
  const peers = all.flatMap((vxlan) => vxlan.peers);
  const devices = all.flatMap(({ dev }) => dev ?? []);
  return {
    ...(uplink !== undefined && { uplink }),
    ...(all.length > 0 && {
      underlay: (await import('../host/underlay.ts')).readUnderlay({ peers, devices }, system),
    }),
  };
}

/** systemd-resolved only where it answers: its tool is there on hosts that do not run it, by the name of resolvconf too. */
function resolverOf(system: System): Pick<PortFacts, 'resolver'> {
  const resolvectl = system.which('resolvectl');
  if (resolvectl !== undefined && system.runNow('resolvectl', ['dns']).status === 0) return { resolver: 'resolvectl' };
  const resolvconf = system.which('resolvconf');
  if (resolvconf !== undefined && path.basename(realpathSync(resolvconf)) !== 'resolvectl')
    return { resolver: 'resolvconf' };
  return resolvectl === undefined ? {} : { resolver: 'stopped' };
}

/** Those of earlier runs, and new ones for ports that had none. One that somebody else has claimed since is not used any more. */
async function macsOf(
  { name }: Network,
  count: number,
  { system, places }: Pick<NetworkContext, 'system' | 'places'>,
): Promise<Mac[]> {
  const isOpen = (mac: Mac): boolean => ['free', 'own'].includes(claimStateOf(mac, name, places));
  const kept = readPortMacs(hostNetworkFiles(places.host, name).macs);
  const macs = kept.slice(0, count).map((mac) => (isOpen(mac) ? mac : undefined));
  while (macs.length < count) macs.push(undefined);
  if (!macs.includes(undefined)) return macs.filter((mac) => mac !== undefined);
  const taken = new Set([...kept, ...(await readTakenForPorts(system, places))]);
  return macs.map((known) => {
    const mac = known ?? [...candidates(defaultPool)].find((one) => !taken.has(one) && isOpen(one));
    if (mac === undefined)
      throw new QrunError('host-failed', `network ${name}: no MAC is left`, {
        hint: 'qrun net rm, and qrun rm, of what is not wanted any more',
      });
    taken.add(mac);
    return mac;
  });
}

function claimStateOf(mac: Mac, name: NetworkName, places: Places): string {
  if (!hasHostRegistry(places)) return 'free';
  const claim = readHostClaim(places, mac, `net/${name}`);
  return typeof claim === 'string' ? claim : 'taken';
}

/** Root's own are for nobody: his VMs need none. */
function whoOf({ name, owner, group }: Network, system: System): Pick<PortFacts, 'user' | 'group'> {
  if (owner !== undefined) {
    const user = idOf('passwd', owner, system);
    if (user !== undefined) return { user };
    throw new QrunError('host-failed', `network ${name}: owner: there is no user ${owner}`, { hint: 'getent passwd' });
  }
  const gid = group === undefined ? undefined : idOf('group', group, system);
  if (gid !== undefined) return { group: gid };
  throw new QrunError('host-failed', `network ${name}: there is no group ${group ?? ''}`, {
    hint: `sudo groupadd --system ${group ?? 'qemusers'}`,
  });
}

/** What `net up` would refuse: a definition may be written before there is the user whom it names. Undefined: nothing. */
export function faultOfWho(network: Network, { system }: Pick<NetworkContext, 'system'>): QrunError | undefined {
  if (network.owner === undefined && network.group === undefined) return undefined;
  try {
    whoOf(network, system);
    return undefined;
  } catch (error) {
    if (error instanceof QrunError) return error;
    throw error;
  }
}

/** From the files of /etc; what is elsewhere (LDAP) by getent. The name is one word of a checked form. */
function idOf(table: 'passwd' | 'group', name: string, system: System): number | undefined {
  const local = idIn(textOf(`/etc/${table}`), name);
  if (local !== undefined || system.which('getent') === undefined) return local;
  return idIn(system.runNow('getent', [table, name]).stdout, name);
}

function idIn(text: string, name: string): number | undefined {
  const id = text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([found]) => found === name)?.[2];
  return id !== undefined && /^\d+$/.test(id) ? Number(id) : undefined;
}
