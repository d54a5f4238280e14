/** NICs of the kinds that lead to other guests, and what each becomes for QEMU in the words of a person. */
import type { HostFacts } from '../../../src/host/facts.ts';
import type { NicPlan } from '../../../src/nic/nic-kind.ts';
import { nicKindOf } from '../../../src/nic/registry.ts';
import type { DgramNic, L2tpv3Nic, McastNic, Nic, StreamNic } from '../../../src/profile/profile.ts';
import type { QemuCapabilities } from '../../../src/qemu/capabilities.ts';
import { netdevArgs } from '../../../src/qemu/argv/device.ts';
import { aContext, aUserNic, capabilitiesOf } from '../qemu/a-profile.ts';

const { id, model, queues, vhost } = aUserNic();
const common = { id, model, queues, vhost };

export const aMcastNic = (changes: Partial<McastNic> = {}): McastNic => ({
  ...common,
  kind: 'mcast',
  group: { address: '230.0.0.1', port: 5558 },
  ...changes,
});

export const aStreamNic = (ends: Pick<StreamNic, 'listen' | 'connect'>): StreamNic => ({
  ...common,
  kind: 'stream',
  ...ends,
});

export const aDgramNic = (ends: Pick<DgramNic, 'local' | 'remote'>): DgramNic => ({
  ...common,
  kind: 'dgram',
  ...ends,
});

export const anL2tpv3Nic = (changes: Partial<L2tpv3Nic> = {}): L2tpv3Nic => ({
  ...common,
  kind: 'l2tpv3',
  source: { host: '192.0.2.1', port: 17_011 },
  destination: { host: '192.0.2.2', port: 17_012 },
  sessions: { tx: 1, rx: 2 },
  ...changes,
});

export type Version = '6.2' | '7.2' | '10.0';

export function planOf(nic: Nic, facts: Partial<HostFacts> = {}): NicPlan {
  const plan = nicKindOf(nic.kind).plan(nic, aContext([nic], facts));
  if (plan.netdev === 'none') throw new Error(`${nic.kind} has no back end`);
  return plan;
}

/** The argument of `-netdev`. */
export function netdevOf(nic: Nic, version: Version, facts: Partial<HostFacts> = {}): string {
  const qemu = capabilitiesOf(version);
  return netdevArgs(planOf(nic, { qemu, ...facts }).netdev, qemu.version)[1] ?? '';
}

export const qemuWithout = (type: string): QemuCapabilities => {
  const qemu = capabilitiesOf('7.2');
  return { ...qemu, netdevTypes: qemu.netdevTypes.filter((name) => name !== type) };
};
