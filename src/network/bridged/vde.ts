/**
 * `transport: vde` on a bridge of the network's own: a vde_switch with a tap in the bridge, for the guests of ordinary users. It runs as somebody who is not
 * root. Guests of root's are on the bridge itself, where a switch that ends does not cut them off. Pure.
 */
import { QrunError } from '../../errors.ts';
import { linkAliasOf, linkNameOf, type LinkOwner } from '../../link-name.ts';
import { tapCommands } from '../../plan/link-commands.ts';
import { requireSocketPath } from '../../plan/socket-path.ts';
import type { DirectoryStep, LinkStep, ServiceStep, Step, SwitchDirectoryStep } from '../../plan/step.ts';
import type { WrittenMap } from '../../profile/definition.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { isHarmless } from '../harmless.ts';
import { hostNetworkFiles, type HostNetwork, type HostSwitch } from '../host-network.ts';
import type { Network } from '../network.ts';
import type { NetworkPlanInput, PortFacts } from '../plan-input.ts';
import { refusalFaults } from '../transport/refusal.ts';
import { portSteps } from '../transport/tap.ts';
import { longestMtu, vdeSwitchName } from '../transport/vde.ts';
import { bridgeMacOf } from './names.ts';

/** Keys of a network that is carried so, and cannot be honoured. */
export function vdeFaults(written: WrittenMap): PathFault[] {
  const { ports, mtu } = written;
  return [
    ...refusalFaults('vde', written, [
      { path: ['antiSpoof'], why: 'what goes from guest to guest passes its switch, which filters nothing' },
      { path: ['isolatedPorts'], why: 'its switch lets all guests reach one another' },
    ]),
    ...(isHarmless(ports)
      ? [
          fault(
            ['transport'],
            'transport vde is for the guests of ordinary users: write "ports", and "owner" or "group"',
          ),
        ]
      : []),
    ...(typeof mtu === 'number' && mtu > longestMtu
      ? [fault(['mtu'], `transport vde carries packets of ${longestMtu} bytes at most`)]
      : []),
  ];
}

/** Of one whose mode has no rules anyhow, and says so itself. */
export const joinedVdeFaults = (written: WrittenMap): PathFault[] =>
  vdeFaults(written).filter(({ path: [key] }) => key !== 'antiSpoof');

const fault = (path: readonly string[], message: string): PathFault => ({ path, at: 'value', message });

/** The first port of the switch is its tap's. */
const firstPort = 2;

const ownerOf = ({ name }: Network, { state }: PortFacts): LinkOwner => ({
  state,
  vm: `net/${name}`,
  nic: 'switch',
  role: 'tap',
});

/** With its ports on a switch, where that is to carry it, in place of a tap each. All of them are behind the one tap then. */
export function onSwitch(host: HostNetwork, facts: PortFacts): HostNetwork {
  if (host.definition.transport !== 'vde') return host;
  const vde = switchOf(host.definition, facts);
  const ports = host.ports.map((port) => ({ ...port, device: vde.tap, switchPort: firstPort + port.number }));
  return { ...host, vde, ports };
}

function switchOf(network: Network, facts: PortFacts): HostSwitch {
  const { account } = facts;
  if (account === undefined) throw new QrunError('bug', `nobody looked at who runs the switch of ${network.name}`);
  const { vm, state, nic, role } = ownerOf(network, facts);
  return {
    directory: hostNetworkFiles(facts.host, network.name).vde,
    tap: linkNameOf({ seed: [vm, state].join('\0'), nic, role }),
    user: account.uid,
    group: account.gid,
  };
}

interface SwitchSteps {
  readonly host: HostNetwork;
  readonly facts: PortFacts;
  readonly input: NetworkPlanInput;
  /** Nothing else has made the directory of the network's sockets. */
  readonly alone: boolean;
}

type SwitchStep = LinkStep | DirectoryStep | SwitchDirectoryStep | ServiceStep;

/** What the guests of ordinary users come by. @throws QrunError `missing-tool`, `host-failed` */
export function guestSteps(host: HostNetwork, made: Omit<SwitchSteps, 'host'>): Step[] {
  const { vde, ports } = host;
  if (vde !== undefined) return switchSteps(vde, { host, ...made });
  return ports.flatMap((port) => portSteps(port, { host, facts: made.facts }));
}

function switchSteps(vde: HostSwitch, { host, facts, input, alone }: SwitchSteps): SwitchStep[] {
  const { files, mark } = input;
  requireSocketPath(`${vde.directory}/${'x'.repeat(longestName)}`);
  return [
    tapStep(vde, { host, facts }),
    ...(alone
      ? [
          {
            kind: 'directory',
            id: 'directory:runtime',
            needsRoot: true,
            path: files.runtimeDir,
          } satisfies DirectoryStep,
        ]
      : []),
    {
      kind: 'switch-directory',
      id: 'directory:switch',
      needsRoot: true,
      path: vde.directory,
      owner: { uid: vde.user, gid: vde.group },
      mode: modesOf(host).directory,
    },
    {
      kind: 'service',
      id: 'switch',
      needsRoot: true,
      title: `qrun-net ${host.name}`,
      network: host.name,
      mark,
      programs: [switchProgram(vde, { host, input })],
      log: files.log,
      awaits: [`${vde.directory}/ctl`],
      readyMs,
    },
  ];
}

/** `.PID-00000`, what libvdeplug calls the socket of a guest. */
const longestName = 16;
/** One that ends at once is not started again, and waited for nevertheless. */
const readyMs = 15_000;

function tapStep({ tap, user }: HostSwitch, { host, facts }: Pick<SwitchSteps, 'host' | 'facts'>): LinkStep {
  const alias = linkAliasOf(ownerOf(host.definition, facts));
  const mac = host.ports[0]?.mac ?? bridgeMacOf(host.definition);
  const own = { name: tap, alias, uid: user, mac, queues: 1, mtu: host.mtu, bridge: host.on, ipv6: facts.ipv6 };
  return { kind: 'link', id: 'switch-tap', needsRoot: true, name: tap, alias, commands: tapCommands(own), mac };
}

/** Of a group that others are in: its members make sockets of their own in the directory, and remove nobody else's (the sticky bit). */
export const modesOf = ({ group }: Pick<HostNetwork, 'group'>): { directory: number; socket: string } =>
  group === undefined ? { directory: 0o700, socket: '0600' } : { directory: 0o3770, socket: '0660' };

/**
 * Its input is a FIFO that it has open for writing itself (network/transport/vde). Of root's environment it gets what it is known again by and nothing else,
 * for whoever it runs as can read that. And it writes a line for whatever guests do: past a megabyte of root's log these are lost.
 */
const script = `trap '' XFSZ
ulimit -f 2048
mkfifo -m 600 "$1" && exec 0<>"$1" && rm -f "$1" && shift &&
exec env -i QRUN_SERVICE="$QRUN_SERVICE" QRUN_SERVICE_PROGRAM="$QRUN_SERVICE_PROGRAM" "$@"`;

function switchProgram(
  { directory, tap, user, group }: HostSwitch,
  { host, input }: Pick<SwitchSteps, 'host' | 'input'>,
): ServiceStep['programs'][number] {
  const { files, facts } = input;
  const { tools } = facts;
  const program = tools['vde_switch'];
  if (program === undefined)
    throw new QrunError(
      'missing-tool',
      `network ${host.name}: transport vde takes vde_switch, which is not installed`,
      {
        hint: 'sudo apt-get install vde2; or write transport: tap',
      },
    );
  const { socket, directory: mode } = modesOf(host);
  const rights = ['-m', socket, '--dirmode', mode.toString(8).padStart(4, '0'), '--mgmtmode', '0600'];
  // as many as there are numbers below it, of which 0 is none
  const most = String(firstPort + host.ports.length);
  const own = [program, '-s', directory, '-t', tap, '-n', most, '-M', `${directory}/mgmt`, '-f', '/dev/null'];
  const drop = [
    ...[tools['setpriv'] ?? 'setpriv', `--reuid=${user}`, `--regid=${group}`, '--clear-groups'],
    ...['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs', '--'],
  ];
  const fifo = `${files.runtimeDir}/vde.in`;
  return {
    name: vdeSwitchName,
    argv: ['/bin/sh', '-c', script, vdeSwitchName, fifo, ...drop, ...own, ...rights],
    makes: [`${directory}/ctl`],
    opens: tap,
    // guests do not join again: a new one would be a switch without them
    restart: false,
  };
}
