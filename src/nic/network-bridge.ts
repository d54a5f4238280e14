/** Root's VM on a network that root made: a tap of its own on the network's bridge, for as long as it runs. */
import type { NetworkPlan } from '../network/network-plan.ts';
import { linkAliasOf } from '../link-name.ts';
import type { Mac } from '../names.ts';
import { isolatedCommand } from '../plan/bridge-commands.ts';
import { tapCommands } from '../plan/link-commands.ts';
import type { LinkStep } from '../plan/step.ts';
import type { NetworkNic } from '../profile/profile.ts';
import {
  linkDoorOf,
  planVhost,
  requireRights,
  requireTun,
  reservedName,
  tapNetdev,
  tellMtu,
  userOf,
} from './link-support.ts';
import type { NicContext, NicPlan } from './nic-kind.ts';
import { indexOfNic, missingBackEnd } from './support.ts';

export interface OnBridge {
  readonly attach: Extract<NetworkPlan['attach'], { readonly by: 'bridge' }>;
  readonly mac: Mac;
}

/** What QEMU is given, and the tap: it is made when the network is up. @throws QrunError `permission`, `missing-feature`, `host-failed` */
export function planOnBridge(
  nic: NetworkNic,
  { attach: { bridge, mtu, isolated }, mac }: OnBridge,
  context: NicContext,
): Pick<NicPlan, 'netdev' | 'device' | 'hostInterface'> & {
  readonly step: LinkStep;
  readonly notes: readonly string[];
} {
  const at = `nics[${indexOfNic(nic, context)}]`;
  const { facts, netdevId, profile } = context;
  if (!facts.qemu.netdevTypes.includes('tap')) throw missingBackEnd(at, 'tap', facts.qemu);
  const door = linkDoorOf(at, context);
  requireRights(at, door, { what: `to make a tap on ${bridge}`, mend: 'run it as root' });
  requireTun(at, door, userOf(context).name);
  const vhost = planVhost(at, nic, door);
  const told = tellMtu(nic, { name: bridge, mtu });
  const name = reservedName(door, nic.id, 'tap');
  const alias = linkAliasOf({ state: facts.places.state, vm: profile.name, nic: nic.id, role: 'tap' });
  const commands = tapCommands({
    name,
    alias,
    uid: userOf(context).uid,
    mac,
    queues: nic.queues,
    mtu,
    bridge,
    ipv6: door.ipv6,
  });
  return {
    netdev: tapNetdev(netdevId, { ifname: name, queues: nic.queues }, vhost),
    device: told.device,
    hostInterface: name,
    step: {
      kind: 'link',
      id: `tap:${nic.id}`,
      needsRoot: true,
      name,
      alias,
      commands: isolated ? [...commands, isolatedCommand(name)] : commands,
    },
    notes: [...told.notes, ...vhost.notes],
  };
}
