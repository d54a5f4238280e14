/** A NIC on a network of root's: by a port that root made, or, where there is none, by qemu-bridge-helper. */
import { QrunError } from '../errors.ts';
import type { ChosenPort } from '../host/facts.ts';
import type { HostAccessFact } from '../host/host-access.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import { hostNetworkFiles, portInWords, type HostNetwork } from '../network/host-network.ts';
import type { PortLeaseStep, TapNodeStep } from '../plan/step.ts';
import type { NetworkNic } from '../profile/profile.ts';
import { planByHelper } from './bridge.ts';
import { linkDoorOf, planVhost, requireTun, tellMtu, userOf } from './link-support.ts';
import { planOnSwitch } from './network-switch.ts';
import type { NicContext, NicPlan } from './nic-kind.ts';
import { indexOfNic, missingBackEnd } from './support.ts';

/** @throws QrunError `permission`, `in-use`, `missing-feature`, `invalid-profile`, `host-failed` */
export function planOnPort(nic: NetworkNic, network: NetworkPlan, context: NicContext): NicPlan | undefined {
  const { attach } = network;
  if (attach.by === 'helper') return byHelper(nic, notUp(network), { ...context, network });
  if (attach.by !== 'port') return undefined;
  const { portFaults, ports } = context.facts;
  const fault = portFaults?.[nic.id];
  if (fault === undefined) return byPort(nic, attach.host, context);
  try {
    return byHelper(nic, fault, { ...context, network });
  } catch (error) {
    // nothing is started now: what it would be is shown
    if (ports?.[nic.id]?.taken === undefined || !(error instanceof QrunError)) throw error;
    return byPort(nic, attach.host, context);
  }
}

const notUp = ({ network }: NetworkPlan): QrunError =>
  new QrunError('permission', `network ${network} is not up`, { hint: `sudo qrun net up ${network}` });

/** @param why it has no port. @throws QrunError of that code, when the helper does not help either */
function byHelper(
  nic: NetworkNic,
  why: QrunError,
  { network: { network }, ...context }: NicContext & { readonly network: NetworkPlan },
): NicPlan {
  const door = context.facts.bridgeDoors?.[nic.id];
  if (door === undefined) throw new Error(`nobody looked at the bridge of ${nic.id}`);
  try {
    const plan = planByHelper(nic, door, context);
    return {
      ...plan,
      network,
      notes: [...(plan.notes ?? []), `${nic.id}: ${why.message}: it goes by the bridge helper`],
    };
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
    const at = `nics[${indexOfNic(nic, context)}]`;
    const helpers = error.message.replace(`${at}: `, '');
    throw new QrunError(why.code, `${at}: ${why.message}, and the bridge helper does not help: ${helpers}`, {
      ...(why.hint !== undefined && { hint: why.hint }),
      causes: error.hint === undefined ? [] : [`or: ${error.hint}`],
    });
  }
}

function byPort(nic: NetworkNic, host: HostNetwork, context: NicContext): NicPlan {
  const { facts, netdevId } = context;
  const at = `nics[${indexOfNic(nic, context)}]`;
  const chosen = facts.ports?.[nic.id];
  if (chosen === undefined) throw ofRoot(at, host);
  const { port } = chosen;
  refuse(nic, { at, host, mac: port.mac });
  const notes = notesOf(nic.id, host, chosen);
  const { vde } = host;
  if (vde !== undefined) {
    const lease = leaseOf(nic.id, host, { ...context, chosen });
    return { ...planOnSwitch(nic, { host, vde, port, lease, notes }, context), mac: port.mac };
  }
  if (!facts.qemu.netdevTypes.includes('tap')) throw missingBackEnd(at, 'tap', facts.qemu);
  const door = linkDoorOf(at, context);
  if (port.node === undefined) requireTun(at, door, userOf(context).name);
  const vhost = planVhost(at, nic, door);
  const mtu = tellMtu(nic, { name: host.on, mtu: host.mtu });
  const lease = leaseOf(nic.id, host, { ...context, chosen });
  const node = nodeOf(nic, chosen.port, context);
  const how =
    node === undefined ? { ifname: port.device, script: 'no', downscript: 'no' } : { fd: String(node.fds[0]) };
  return {
    netdev: { type: 'tap', id: netdevId, ...how, ...vhost.netdev },
    steps: [lease, ...(node === undefined ? [] : [node])],
    source: `${host.name} (${host.on})`,
    network: host.name,
    hostInterface: port.device,
    mac: port.mac,
    fds: [{ fd: lease.fd, path: lease.lock }, ...(node?.fds ?? []).map((fd) => ({ fd, path: port.node ?? '' }))],
    device: mtu.device,
    notes: [...notes, ...apartNotes(nic.id, host, door.ways[host.on]), ...mtu.notes, ...vhost.notes],
  };
}

const leaseOf = (
  nic: string,
  host: HostNetwork,
  { facts, nextFd, chosen: { port, holder } }: Pick<NicContext, 'facts' | 'nextFd'> & { readonly chosen: ChosenPort },
): PortLeaseStep => ({
  kind: 'port-lease',
  id: `port-lease:${nic}`,
  needsRoot: false,
  network: host.name,
  device: portInWords(port),
  lock: port.lock,
  fd: nextFd(),
  registry: hostNetworkFiles(facts.places.host, host.name).record,
  run: host.runId,
  holder,
});

function notesOf(nic: string, { name }: HostNetwork, { port, before, instead, taken }: ChosenPort): string[] {
  const which = portInWords(port);
  return [
    ...(taken === undefined
      ? []
      : [`${nic}: ${taken.message}: a run is refused as long as they are (${taken.hint ?? 'qrun ps'})`]),
    ...(before === undefined
      ? []
      : [`${nic}: all ports of ${name} are kept: ${which}, which ${before} had, is given on`]),
    ...(instead === undefined
      ? []
      : [
          `${nic}: ${which} of ${name} is kept for this VM by now: before, it had ${portInWords(instead)}, with the MAC ${instead.mac}`,
        ]),
  ];
}

/** The kernel brings no frame from a macvtap to its card, but there may be a way of the host's beside them. */
function apartNotes(
  nic: string,
  { forward, on, name, definition: { hostAccess } }: HostNetwork,
  way: HostAccessFact | undefined,
): string[] {
  if (forward !== 'macvtap' || way?.lasting !== undefined || way?.macvlan === true) return [];
  const apart = `${nic}: this host and the guest cannot reach one another through ${on}`;
  if (hostAccess === false) return [apart];
  return way?.shared === true ? [] : [`${apart}: the way of the host's there is gone (sudo qrun net up ${name})`];
}

function nodeOf(
  nic: NetworkNic,
  { device, index, node }: { device: string; index?: number; node?: string },
  context: NicContext,
): TapNodeStep | undefined {
  if (index === undefined || node === undefined) return undefined;
  const { uid, gid } = userOf(context);
  return {
    kind: 'tap-node',
    id: `port-node:${nic.id}`,
    needsRoot: false,
    link: device,
    index,
    path: node,
    own: `/dev/${device}`,
    fds: [context.nextFd()],
    owner: { uid, gid },
    given: true,
  };
}

function ofRoot(at: string, { name, forward, on }: HostNetwork): QrunError {
  return new QrunError('usage', `${at}: the ports of ${name} are for ordinary users: root makes what he needs`, {
    hint:
      forward === 'bridge'
        ? `in the profile: kind: tap, bridge: ${on}`
        : `in the profile: kind: macvtap, parent: ${on}`,
  });
}

function refuse(nic: NetworkNic, { at, host, mac }: { at: string; host: HostNetwork; mac: string }): void {
  if (nic.mac !== undefined && nic.mac !== mac) {
    throw new QrunError('invalid-profile', `${at}.mac: on ${host.name} a NIC has the MAC of its port, which lasts`, {
      hint: 'leave "mac" out',
    });
  }
  if (nic.queues === 1) return;
  throw new QrunError('invalid-profile', `${at}.queues: a port of ${host.name} has one pair of queues`, {
    hint: 'leave "queues" out',
  });
}
