/** An ordinary user's NIC on a network of root's that a VDE switch carries: QEMU joins the switch by its directory, at the number of the port that the VM has. */
import { QrunError } from '../errors.ts';
import type { HostNetwork, HostPort, HostSwitch } from '../network/host-network.ts';
import type { PortLeaseStep, VdeSwitchStep } from '../plan/step.ts';
import type { NetworkNic } from '../profile/profile.ts';
import { tellMtu } from './link-support.ts';
import type { NicContext, NicPlan } from './nic-kind.ts';
import { indexOfNic, missingBackEnd } from './support.ts';

export interface SwitchPort {
  readonly host: HostNetwork;
  readonly vde: HostSwitch;
  readonly port: HostPort;
  readonly lease: PortLeaseStep;
  readonly notes: readonly string[];
}

/** @throws QrunError `missing-feature`, `invalid-profile` */
export function planOnSwitch(
  nic: NetworkNic,
  { host, vde, port, lease, notes }: SwitchPort,
  context: NicContext,
): NicPlan {
  const at = `nics[${indexOfNic(nic, context)}]`;
  const { qemu } = context.facts;
  if (!qemu.netdevTypes.includes('vde')) throw missingBackEnd(at, 'vde', qemu);
  if (nic.vhost === 'on')
    throw new QrunError('invalid-profile', `${at}.vhost: ${host.name} is carried by a VDE switch, which has no vhost`, {
      hint: 'leave "vhost" out',
    });
  const mtu = tellMtu(nic, { name: host.on, mtu: host.mtu });
  const number = port.switchPort;
  const joined: VdeSwitchStep = {
    kind: 'vde-switch',
    id: `switch:${nic.id}`,
    needsRoot: false,
    directory: vde.directory,
    ...(number !== undefined && { port: number }),
    owner: vde.user,
    mend: `sudo qrun net up ${host.name}`,
  };
  return {
    netdev: {
      type: 'vde',
      id: context.netdevId,
      sock: vde.directory,
      ...(number !== undefined && { port: number }),
    },
    steps: [lease, joined],
    source: `${host.name} (${host.on}, port ${number} of its switch)`,
    network: host.name,
    hostInterface: port.device,
    fds: [{ fd: lease.fd, path: lease.lock }],
    device: mtu.device,
    notes: [...notes, ...mtu.notes],
  };
}
