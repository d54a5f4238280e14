/**
 * `kind: stream`: a cable to one other guest over TCP or a unix socket. One end listens, the other connects; a QEMU that knows how connects again when
 * the other end was away. What fails here QEMU does not say: launch/links looks.
 */
import { QrunError } from '../errors.ts';
import type { Endpoint, StreamNic } from '../profile/profile.ts';
import type { QemuCapabilities } from '../qemu/capabilities.ts';
import { aimSteps, bindStep, clearText, isOnThisHost, renderEndpoint, socketAddress } from './endpoint.ts';
import type { NicContext, NicKind, NicPlan, OptionValue } from './nic-kind.ts';
import { indexOfNic, missingBackEnd } from './support.ts';

export const streamNic: NicKind<StreamNic> = { kind: 'stream', plan };

function plan(nic: StreamNic, context: NicContext): NicPlan {
  const { facts, netdevId: id } = context;
  const at = `nics[${indexOfNic(nic, context)}]`;
  if (!facts.qemu.netdevTypes.includes('stream')) throw missingBackEnd(at, 'stream', facts.qemu);
  const { listen, connect } = nic;
  if (listen !== undefined) {
    return {
      netdev: { type: 'stream', id, server: true, addr: socketAddress(listen) },
      steps: [bindStep('tcp', { nic: nic.id, key: 'listen', end: listen, facts })],
      source: `listens on ${renderEndpoint(listen)}`,
      notes: notesOfListening(nic.id, listen),
      link: 'listens',
    };
  }
  if (connect === undefined) throw new QrunError('invalid-profile', `${at}: a stream needs "listen" or "connect"`);
  return {
    netdev: { type: 'stream', id, server: false, addr: socketAddress(connect), ...reconnection(facts.qemu) },
    steps: aimSteps({ nic: nic.id, key: 'connect', end: connect, facts }),
    source: `connects to ${renderEndpoint(connect)}`,
    notes: isOnThisHost(connect) ? [] : [clearText(nic.id, connect)],
    link: 'connects',
  };
}

/** Each second: from QEMU 9.2 on in milliseconds, from 8.0 on in seconds (gone in 10.2), before that never. */
function reconnection({ netdevMembers }: QemuCapabilities): Readonly<Record<string, OptionValue>> {
  const members = netdevMembers['stream'] ?? [];
  if (members.includes('reconnect-ms')) return { 'reconnect-ms': 1000 };
  return members.includes('reconnect') ? { reconnect: 1 } : {};
}

function notesOfListening(nic: string, end: Endpoint): string[] {
  if ('path' in end) return [];
  if (!isOnThisHost(end)) return [clearText(nic, end)];
  return [`${nic}: every user of this host can connect to ${renderEndpoint(end)}; a unix path keeps others out`];
}
