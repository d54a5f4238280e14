/** The ends of cables: how QEMU is told of them, what is looked at before QEMU takes them, and who else can get at the frames. */
import { isIPv4 } from 'node:net';
import type { HostFacts } from '../host/facts.ts';
import type { PortStep, SocketPathStep } from '../plan/step.ts';
import { renderHost } from '../profile/address.ts';
import type { Endpoint } from '../profile/profile.ts';
import type { OptionValue } from './nic-kind.ts';

export function renderEndpoint(end: Endpoint): string {
  return 'path' in end ? end.path : `${renderHost(end.host)}:${end.port}`;
}

/** SocketAddress of QEMU's. https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html */
export function socketAddress(end: Endpoint): Readonly<Record<string, OptionValue>> {
  return 'path' in end ? { type: 'unix', path: end.path } : { type: 'inet', host: end.host, port: String(end.port) };
}

export const isSameEndpoint = (one: Endpoint, other: Endpoint): boolean =>
  renderEndpoint(one) === renderEndpoint(other);

interface EndOfNic {
  readonly nic: string;
  /** The key of the profile: `listen`, `local`, … */
  readonly key: string;
  readonly end: Endpoint;
  readonly facts: Pick<HostFacts, 'runAs'>;
}

/** Where QEMU will listen, or send from. */
export function bindStep(protocol: 'tcp' | 'udp', { nic, key, end, facts }: EndOfNic): PortStep | SocketPathStep {
  const id = `${key}:${nic}`;
  if ('path' in end) return { ...socketStep({ nic, key, end, facts }, end.path), use: 'bind' };
  return {
    kind: 'port',
    id,
    needsRoot: false,
    protocol,
    address: end.host,
    port: end.port,
    hint: `choose another port in ${key}`,
  };
}

/** Where QEMU will go to: only a path can be looked at before. */
export function aimSteps(end: EndOfNic): SocketPathStep[] {
  return 'path' in end.end ? [{ ...socketStep(end, end.end.path), use: 'connect' }] : [];
}

function socketStep({ nic, key, facts }: EndOfNic, path: string): Omit<SocketPathStep, 'use'> {
  return {
    kind: 'socket-path',
    id: `${key}:${nic}`,
    needsRoot: false,
    path,
    ...(facts.runAs !== undefined && { runAs: facts.runAs }),
  };
}

/** Whether nothing that is sent there leaves this host. A name may be anybody's. */
export function isOnThisHost(end: Endpoint): boolean {
  if ('path' in end) return true;
  return end.host === 'localhost' || end.host === '::1' || (isIPv4(end.host) && end.host.startsWith('127.'));
}

export const clearText = (nic: string, end: Endpoint): string =>
  `${nic}: frames leave this host in clear (${renderEndpoint(end)}): whoever is on the way can read and change them`;
