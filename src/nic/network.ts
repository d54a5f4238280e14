/** `kind: network`: a place on a managed network. How QEMU gets onto it follows from what carries the network. */
import { QrunError } from '../errors.ts';
import type { Mac } from '../names.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import { memberFile, networkFiles, portSocket } from '../plan/network-files.ts';
import type { MemberStep } from '../plan/step.ts';
import type { NetworkNic, Profile } from '../profile/profile.ts';
import { planOnBridge } from './network-bridge.ts';
import { planOnPool } from './network-pool.ts';
import { planOnPort } from './network-port.ts';
import type { AnyNicPlan, Netdev, NicContext, NicKind, NicPlan } from './nic-kind.ts';

export const networkNic: NicKind<NetworkNic, AnyNicPlan> = { kind: 'network', plan };

function plan(nic: NetworkNic, context: NicContext): AnyNicPlan {
  const { facts, profile } = context;
  const network = facts.networks[nic.network];
  if (network === undefined) throw new QrunError('bug', `the network ${nic.network} was not read`);
  const onPort = planOnPort(nic, network, context);
  if (onPort !== undefined) return onPort;
  const mac = facts.macs[nic.id];
  if (mac === undefined) throw new QrunError('bug', `no lease for ${nic.id}`);
  const pool = planOnPool(nic, network, context);
  if (pool !== undefined) {
    const step = memberStep(nic, network, { ...context, mac, device: pool.device });
    return joined(pool.plan, step, `${network.network} (${pool.plan.source})`);
  }
  const { netdev, socket, tap } = attach(nic, network, { ...context, mac });
  if (tap === undefined) refuseGatewayMac(nic, mac, profile);
  const isFirst = nicsOn(nic.network, profile)[0] === nic;
  const step = memberStep(nic, network, {
    ...{ ...context, mac },
    ...(socket !== undefined && { socket }),
    ...(tap !== undefined && { device: tap.step.name }),
  });
  const own: NicPlan = {
    netdev,
    source: network.transport,
    steps: tap === undefined ? [] : [tap.step],
    ...(tap?.device !== undefined && { device: tap.device }),
    ...(tap?.hostInterface !== undefined && { hostInterface: tap.hostInterface }),
    notes: [...(isFirst ? network.notes : []), ...(tap?.notes ?? [])],
  };
  return joined(own, step, `${network.network} (${network.transport})`);
}

/** What it needs is there once the place on the network is taken. */
function joined<P extends AnyNicPlan>(plan: P, step: MemberStep, source: string): P {
  const fds = [{ fd: step.fd, path: step.users }, ...(plan.fds ?? [])];
  return { ...plan, steps: [step, ...plan.steps], fds, network: step.network, source };
}

interface MemberOf extends NicContext {
  readonly mac: Mac;
  readonly socket?: string;
  readonly device?: string;
}

function memberStep(
  nic: NetworkNic,
  network: NetworkPlan,
  { facts, profile, nextFd, mac, socket, device }: MemberOf,
): MemberStep {
  const files = networkFiles(facts.places, network.network);
  const holder = holderOf(nic, profile);
  const ip = network.fixedByMac?.[mac] ?? network.addresses?.[holder];
  return {
    kind: 'member',
    id: `network:${nic.id}`,
    needsRoot: false,
    network: network.network,
    vm: profile.name,
    nic: nic.id,
    holder,
    ...(ip !== undefined && { ip }),
    mac,
    users: files.users,
    fd: nextFd(),
    file: memberFile(files, profile.name, nic.id),
    ...(socket !== undefined && { socket }),
    ...(device !== undefined && { device }),
  };
}

const nicsOn = (network: string, { nics }: Profile): NetworkNic[] =>
  nics.filter((nic) => nic.kind === 'network').filter((nic) => nic.network === network);

function holderOf(nic: NetworkNic, profile: Profile): string {
  return nicsOn(nic.network, profile)[0] === nic ? profile.name : `${profile.name}/${nic.id}`;
}

/** The names that the addresses of this profile's NICs on that network are kept under. */
export const holdersOn = (network: string, profile: Profile): string[] =>
  nicsOn(network, profile).map((nic) => holderOf(nic, profile));

function attach(
  nic: NetworkNic,
  { attach: way, network }: NetworkPlan,
  context: NicContext & { readonly mac: Mac },
): { readonly netdev: Netdev; readonly socket?: string; readonly tap?: ReturnType<typeof planOnBridge> } {
  const { facts, profile, netdevId, mac } = context;
  if (way.by === 'bridge') {
    const tap = planOnBridge(nic, { attach: way, mac }, context);
    return { netdev: tap.netdev, tap };
  }
  if (way.by !== 'vde' && way.by !== 'socket-directory')
    throw new QrunError('bug', `${network} has nothing that QEMU could be joined with`);
  const { by, directory } = way;
  const type = by === 'vde' ? 'vde' : 'stream';
  if (!facts.qemu.netdevTypes.includes(type)) {
    const at = `nics[${Math.max(0, profile.nics.indexOf(nic))}]`;
    throw new QrunError(
      'missing-feature',
      `${at}: ${facts.qemu.file} cannot join ${network}: it has no ${type} back end`,
      {
        hint: by === 'vde' ? 'use a QEMU that is built with vde (QRUN_QEMU)' : 'QEMU 7.2 and later have it (QRUN_QEMU)',
      },
    );
  }
  if (by === 'vde') return { netdev: { type, id: netdevId, sock: directory } };
  const socket = portSocket(networkFiles(facts.places, network), profile.name, nic.id);
  return { netdev: { type, id: netdevId, server: true, addr: { type: 'unix', path: socket } }, socket };
}

/** slirp's own addresses begin so, and the switch lets nobody else use them. */
function refuseGatewayMac(nic: NetworkNic, mac: string, { nics }: Profile): void {
  if (!/^52:5[56]:/.test(mac)) return;
  throw new QrunError(
    'invalid-profile',
    `nics[${nics.indexOf(nic)}].mac: ${mac}: on ${nic.network}, addresses that begin with 52:55 or 52:56 are the gateway's`,
    { hint: 'leave "mac" out, and one is allocated' },
  );
}
