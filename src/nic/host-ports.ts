/** The host's side of forwards: one port on each address that a forward names, each a step that is tried before anybody binds it. */
import { isIPv4 } from 'node:net';
import { QrunError } from '../errors.ts';
import type { HostFacts } from '../host/facts.ts';
import type { PlannedForward } from '../plan/launch-plan.ts';
import type { PortStep } from '../plan/step.ts';
import type { Forward } from '../profile/profile.ts';

export interface PlannedPort {
  readonly forward: PlannedForward;
  readonly step: PortStep;
}

export function planPorts(options: {
  readonly nic: string;
  readonly forward: Forward;
  /** Its place in the NIC's list. */
  readonly index: number;
  readonly addresses: readonly string[];
  readonly facts: Pick<HostFacts, 'lastPorts'>;
}): PlannedPort[] {
  const { nic, forward, index, addresses, facts } = options;
  const { protocol, hostPort, guest, guestPort } = forward;
  return addresses.map((address, position) => {
    const key = `${nic}:${index}${position === 0 ? '' : `.${position}`}`;
    const last = hostPort === 'auto' ? facts.lastPorts[key] : undefined;
    const step = `port:${key}`;
    return {
      step: {
        kind: 'port',
        id: step,
        needsRoot: false,
        protocol,
        address,
        port: hostPort,
        ...(last !== undefined && { last }),
      },
      forward: {
        protocol,
        hostAddress: address,
        hostPort,
        ...(guest !== undefined && { guest }),
        guestPort,
        step,
        written: forward,
      },
    };
  });
}

/** Without their prefixes. @throws QrunError `host-failed` */
export function addressesOfInterface(name: string, at: string, { links }: Pick<HostFacts, 'links'>): string[] {
  const link = links.find((candidate) => candidate.name === name);
  if (link === undefined)
    throw new QrunError('host-failed', `${at}: there is no interface ${name}`, { hint: 'ip -br address' });
  if (link.addresses.length === 0) {
    throw new QrunError('host-failed', `${at}: the interface ${name} has no address`, {
      hint: `ip address show dev ${name}`,
    });
  }
  return link.addresses.map((address) => address.split('/')[0] ?? address);
}

/** Whoever binds them would refuse the second, and may name the first. @throws QrunError `invalid-profile` */
export function refuseDuplicates(planned: readonly PlannedPort[], at: string): void {
  planned.forEach(({ forward }, index) => {
    if (forward.hostPort === 'auto') return;
    const twin = planned.slice(0, index).find(({ forward: other }) => isSamePort(forward, other));
    if (twin === undefined) return;
    const { hostAddress, hostPort, protocol } = forward;
    throw new QrunError('invalid-profile', `${at}.forwards: two forwards want ${hostAddress}:${hostPort}/${protocol}`);
  });
}

function isSamePort(one: PlannedForward, other: PlannedForward): boolean {
  if (one.hostPort !== other.hostPort || one.protocol !== other.protocol) return false;
  const [a, b] = [one.hostAddress, other.hostAddress];
  if (isIPv4(a) !== isIPv4(b)) return false;
  return a === b || [a, b].some((address) => address === '0.0.0.0' || address === '::');
}
