/**
 * `kind: passt`: user networking in a process of its own. The guest has the host's own addresses, and packets do not go through QEMU's slirp.
 * QEMU 10.1 and newer starts passt itself; before that qrun does, and QEMU joins it by a unix stream socket. https://passt.top/
 */
import path from 'node:path';
import { digestOf } from '../digest.ts';
import { QrunError } from '../errors.ts';
import type { PasstFact } from '../host/facts.ts';
import { dropTo } from '../plan/drop-to.ts';
import type { PlannedForward } from '../plan/launch-plan.ts';
import { passtForwardWords } from '../plan/passt-command.ts';
import type { DirectoryStep, PasstForward, PasstStep } from '../plan/step.ts';
import type { Forward, PasstNic } from '../profile/profile.ts';
import { addressesOfInterface, planPorts, refuseDuplicates, type PlannedPort } from './host-ports.ts';
import type { NicContext, NicKind, NicPlan } from './nic-kind.ts';
import { indexOfNic, missingBackEnd } from './support.ts';

export const passtNic: NicKind<PasstNic> = { kind: 'passt', plan };

/** Where a guest asks for names when the host's own servers are on its loopback: link-local, and of no network's. */
const nameServer = '169.254.1.1';
/** What a card takes that has no MTU to be told. passt's own default is 65520. */
const plainMtu = 1500;

interface Parts {
  readonly nic: PasstNic;
  readonly context: NicContext;
  readonly passt: PasstFact;
  readonly forwards: readonly PlannedForward[];
}

function plan(nic: PasstNic, context: NicContext): NicPlan {
  const at = `nics[${indexOfNic(nic, context)}]`;
  const passt = requirePasst(at, context);
  const planned = nic.forwards.map((forward, index) =>
    planForward({ nic, forward, index, at: `${at}.forwards[${index}]`, passt, context }),
  );
  const ports = planned.flatMap((one) => one.ports);
  refuseDuplicates(ports, at);
  const parts: Parts = { nic, context, passt, forwards: ports.map(({ forward }) => forward) };
  const backEnd = context.facts.qemu.netdevTypes.includes('passt') ? ownBackEnd(parts) : byStream(parts);
  return {
    ...backEnd,
    steps: [...ports.map(({ step }) => step), ...backEnd.steps],
    forwards: parts.forwards,
    source: 'passt',
    notes: [
      ...planned.flatMap(({ note }) => note ?? []),
      ...exposedLoopback(nic, passt),
      ...sharedAddress(nic, context),
      ...backEnd.notes,
    ],
  };
}

/** @throws QrunError `missing-feature`, `missing-tool`, `host-failed` */
function requirePasst(at: string, { facts }: NicContext): PasstFact {
  const { netdevTypes } = facts.qemu;
  if (!netdevTypes.includes('passt') && !netdevTypes.includes('stream')) throw missingBackEnd(at, 'stream', facts.qemu);
  const { passt } = facts;
  if (passt?.unrouted === true) {
    throw new QrunError('host-failed', `${at}: passt finds no interface of this host with a default route`, {
      hint: 'ip route; a NIC of kind: user works without a route',
    });
  }
  if (passt !== undefined) return passt;
  throw new QrunError('missing-tool', `${at}: passt is not installed`, {
    hint: 'sudo apt-get install passt, or use kind: user',
  });
}

function planForward(options: {
  readonly nic: PasstNic;
  readonly forward: Forward;
  readonly index: number;
  readonly at: string;
  readonly passt: PasstFact;
  readonly context: NicContext;
}): { readonly ports: readonly PlannedPort[]; readonly note?: string } {
  const { nic, forward, index, at, passt, context } = options;
  const { facts } = context;
  const text = forward.hostAddress;
  if (!text.startsWith('%')) return { ports: planPorts({ nic: nic.id, forward, index, addresses: [text], facts }) };
  const all = addressesOfInterface(text.slice(1), at, facts);
  // one forward on two addresses is a conflict to an old one
  const addresses = passt.recent || forward.hostPort === 'auto' ? all : all.slice(0, 1);
  const ports = planPorts({ nic: nic.id, forward, index, addresses, facts });
  if (addresses.length === all.length) return { ports };
  return {
    ports,
    note: `${at}: this passt forwards a port on one address: not on ${all.slice(1).join(', ')} of ${text.slice(1)}`,
  };
}

/**
 * The gateway's address is the gateway: by passt's own default it would be the host's loopback, with whatever listens there, and the gateway itself,
 * often the name server, would be out of reach.
 */
function optionsOf({ nic, passt }: Parts): string[] {
  const mtu = nic.mtu ?? (nic.model.startsWith('virtio-net-') ? undefined : plainMtu);
  return [
    ...(loopbackReason(nic, passt) === undefined ? ['--no-map-gw'] : []),
    ...(passt.recent && passt.loopbackDns ? ['--dns-forward', nameServer] : []),
    ...(mtu === undefined ? [] : ['--mtu', String(mtu)]),
  ];
}

/** What an old one can do by the gateway's address alone. Undefined: nothing of that is asked for. */
function loopbackReason({ forwards }: PasstNic, { recent, loopbackDns }: PasstFact): string | undefined {
  if (recent) return undefined;
  if (loopbackDns) return "this host's name servers are there";
  // answers to datagrams of this host's own would go to the gateway
  return forwards.some(({ protocol }) => protocol === 'udp') ? 'its UDP forwards need that' : undefined;
}

function exposedLoopback(nic: PasstNic, passt: PasstFact): string[] {
  const reason = loopbackReason(nic, passt);
  if (reason === undefined) return [];
  return [`${nic.id}: this passt shows the guest all of this host's loopback at the gateway's address: ${reason}`];
}

function sharedAddress(nic: PasstNic, { profile }: NicContext): string[] {
  const first = profile.nics.find(({ kind }) => kind === 'passt');
  if (first === undefined || first === nic) return [];
  return [`${nic.id}: the guest gets the host's address here as on ${first.id}, and answers on one of the two`];
}

type BackEnd = Pick<NicPlan, 'netdev' | 'steps' | 'link' | 'sandboxOff' | 'env'> & {
  readonly notes: readonly string[];
};

/** qrun starts passt, which ends by itself when QEMU has let go of the socket. */
function byStream(parts: Parts): BackEnd {
  const { nic, context, passt, forwards } = parts;
  const { facts, netdevId, profile } = context;
  const place = placeOf(parts);
  const inPlace = (suffix: string): string =>
    path.join(place.directory, `passt${Math.max(0, profile.nics.indexOf(nic))}${suffix}`);
  const files = { socket: inPlace(''), pidFile: inPlace('.pid'), log: path.join(place.log, `passt.${nic.id}.log`) };
  const step: PasstStep = {
    kind: 'passt',
    id: `passt:${nic.id}`,
    needsRoot: false,
    argv: [
      ...dropTo(facts),
      passt.file,
      ...['--quiet', '--one-off', '--socket', files.socket, '--pid', files.pidFile, '--log-file', files.log],
      ...optionsOf(parts),
    ],
    forwards: forwards.map(passtForward),
    ...files,
    ...(facts.runAs !== undefined && { owner: { uid: facts.runAs.uid, gid: facts.runAs.gid } }),
  };
  return {
    netdev: { type: 'stream', id: netdevId, server: false, addr: { type: 'unix', path: files.socket } },
    steps: [...place.steps, step],
    link: 'connects',
    notes: [],
  };
}

/**
 * https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html (NetdevPasstOptions). Its `tcp-ports` would be one option for all addresses, so forwards
 * are plain parameters. QEMU makes passt's pid file in TMPDIR and leaves it there when it is killed.
 */
function ownBackEnd(parts: Parts): BackEnd {
  const { nic, context, passt, forwards } = parts;
  const ports = context.ports ?? {};
  const words = [
    ...optionsOf(parts),
    ...passtForwardWords(forwards.map(passtForward), ({ step, port }) => ports[step] ?? (port === 'auto' ? 0 : port)),
  ];
  const place = placeOf(parts);
  return {
    netdev: {
      type: 'passt',
      id: context.netdevId,
      path: passt.file,
      ...(words.length > 0 && { param: words.map((str) => ({ str })) }),
    },
    steps: place.steps,
    // it closes the descriptor that it gave to passt a second time, when another thread may have it (10.1 to 11.1, seen with strace)
    notes: [`${nic.id}: a start may fail where QEMU starts passt itself, by a fault of QEMU's: then start again`],
    env: { TMPDIR: place.directory },
    sandboxOff: 'QEMU starts passt itself, and passt makes a sandbox of its own, which that of QEMU forbids',
  };
}

const passtForward = ({ protocol, hostAddress, hostPort, guestPort, step }: PlannedForward): PasstForward => ({
  protocol,
  address: hostAddress,
  port: hostPort,
  guestPort,
  step,
});

/** Where passt's files lie: the VM's own directories, unless AppArmor keeps passt out of those. */
function placeOf({ nic, context, passt }: Parts): {
  readonly directory: string;
  readonly log: string;
  readonly steps: readonly DirectoryStep[];
} {
  const { facts, files } = context;
  const log = mayWrite(passt, files.dir) ? files.dir : undefined;
  if (mayWrite(passt, files.runtimeDir))
    return { directory: files.runtimeDir, log: log ?? files.runtimeDir, steps: [] };
  const directory = `/tmp/qrun-${facts.user.uid}/passt-${digestOf(`${files.runtimeDir}/${nic.id}`)}`;
  const step: DirectoryStep = {
    kind: 'directory',
    id: `passt-directory:${nic.id}`,
    needsRoot: false,
    path: directory,
    ...(facts.runAs !== undefined && { owner: { uid: facts.runAs.uid, gid: facts.runAs.gid } }),
  };
  return { directory, log: log ?? directory, steps: [step] };
}

/** `owner @{HOME}/** w`, `owner /tmp/** w` */
const mayWrite = ({ confined }: PasstFact, directory: string): boolean =>
  !confined || /^\/(tmp|root|home\/[^/]+)\//.test(`${directory}/`);
