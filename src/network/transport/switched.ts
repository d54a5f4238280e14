/**
 * What networks without root have in common: qrun's own switch answers DHCP and names, and stands between the guests and the gateway, a QEMU without a guest.
 *
 * Whatever has a port listens on a socket of its own in one directory, and the switch connects to all of them. So it does not matter who is there first, and
 * whoever was killed and is started again is connected again.
 */
import { QrunError } from '../../errors.ts';
import type { Netdev } from '../../nic/nic-kind.ts';
import type { DirectoryStep, FileStep, ServiceStep } from '../../plan/step.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { isHarmless } from '../harmless.ts';
import { planForwards } from '../forwards.ts';
import { buildGatewayArgv, renderGatewayScript } from '../gateway.ts';
import type { Transport } from '../network.ts';
import { buildSwitchConfig } from '../switch-config.ts';
import { valueAt } from '../written.ts';
import { foreignVmFaults, placeFaults } from './slirp-limits.ts';
import { refusalFaults, withoutRoot, type Refusal } from './refusal.ts';
import type { TransportContext, TransportLook, TransportPlan } from './transport-kind.ts';

const refused: readonly Refusal[] = [
  ...withoutRoot,
  { path: ['isolatedPorts'], why: 'its switch lets all guests reach one another' },
  { path: ['dhcp', 'server'], why: 'its switch answers DHCP itself', unless: 'auto' },
];

export function switchedFaults(transport: Transport, look: TransportLook): PathFault[] {
  return [
    ...refusalFaults(transport, look.written, refused),
    ...placeFaults(transport, look),
    ...foreignVmFaults(look),
    ...toldFaults(look),
  ];
}

/** What guests learn by DHCP alone. */
function toldFaults({ written }: TransportLook): PathFault[] {
  if (written['dhcp'] !== false) return [];
  return [['mtu'], ['dns', 'search']].flatMap((path): PathFault[] => {
    if (isHarmless(valueAt(written, path))) return [];
    return [{ path, at: 'key', message: `guests are told ${path.join('.')} by DHCP, and there is none (dhcp: false)` }];
  });
}

export interface Carrier {
  readonly attach: TransportPlan['attach'];
  /** Programs besides the switch and the gateway, and what shows that they are ready. */
  readonly programs: ServiceStep['programs'];
  readonly awaits: readonly string[];
  /** Two back ends that the gateway's QEMU joins with one another: a port of the switch's, and what else carries frames. */
  readonly bridge?: readonly [Netdev, Netdev];
  /** The program that the gateway is a client of. */
  readonly gatewayFollows?: string;
}

export function planSwitched(context: TransportContext, carrier: Carrier): TransportPlan {
  const { network, layout, input } = context;
  const { files, facts, addresses } = input;
  const { subnet, gateway, dnsServer = gateway, ranges } = layout;
  if (facts.qemu === undefined) throw new QrunError('bug', `nobody asked QEMU for ${network.name}`);
  const { forwards, steps } = planForwards(network, input);
  const argv = buildGatewayArgv({
    network,
    layout,
    files,
    qemu: facts.qemu,
    forwards,
    ...(carrier.bridge !== undefined && { bridge: carrier.bridge }),
  });
  return {
    subnet: subnet.cidr,
    gateway,
    dnsServer,
    attach: carrier.attach,
    forwards,
    ...(network.dhcp !== undefined && { pool: { ranges, kept: [gateway, dnsServer] } }),
    addresses,
    steps: [
      directory('runtime', files.runtimeDir),
      directory('ports', files.ports),
      ...steps,
      file('switch', files.switchConfig, `${JSON.stringify(buildSwitchConfig(context), null, 2)}\n`),
      file('gateway', files.gatewayScript, renderGatewayScript(network.name, argv)),
      service(context, carrier),
    ],
    notes: [],
  };
}

const directory = (id: string, path: string): DirectoryStep => ({
  kind: 'directory',
  id: `directory:${id}`,
  needsRoot: false,
  path,
});

const file = (id: string, path: string, content: string): FileStep => ({
  kind: 'file',
  id: `file:${id}`,
  needsRoot: false,
  path,
  content,
});

/** What it keeps is bounded; so is what Node may take for it. */
const switchHeap = ['--max-semi-space-size=1', '--max-old-space-size=64'];

function service({ network, input }: TransportContext, carrier: Carrier): ServiceStep {
  const { files, facts, mark, pinned, release } = input;
  return {
    kind: 'service',
    id: 'service',
    needsRoot: false,
    title: `qrun-net ${network.name}`,
    network: network.name,
    mark,
    programs: [
      ...carrier.programs,
      { name: 'switch', argv: [facts.node, ...switchHeap, facts.switchBundle, files.switchConfig], restart: true },
      {
        name: 'gateway',
        argv: ['/bin/sh', files.gatewayScript],
        makes: [files.gatewayPort, files.gatewayMonitor],
        restart: true,
        ...(carrier.gatewayFollows !== undefined && { follows: carrier.gatewayFollows }),
      },
    ],
    log: files.log,
    awaits: [...carrier.awaits, files.gatewayPort, files.gatewayMonitor],
    ...(!pinned && { watch: { users: files.users, release } }),
  };
}
