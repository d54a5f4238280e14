/** NICs of root's VMs on networks that are a card of the host's. */
import { describe, expect, test } from 'vitest';
import type { PciDevice } from '../../../src/host/pci.ts';
import type { PciDoor } from '../../../src/host/pci-door.ts';
import type { IfName, VmName } from '../../../src/names.ts';
import type { NetworkPlan } from '../../../src/network/network-plan.ts';
import { macvtapNic } from '../../../src/nic/macvtap.ts';
import { networkNic } from '../../../src/nic/network.ts';
import { onPools } from '../../../src/nic/network-pool.ts';
import type { MacvtapNic, NetworkNic, Nic } from '../../../src/profile/profile.ts';
import { aContext, aMac, capabilitiesOf } from '../qemu/a-profile.ts';
import { aLinkDoor } from './a-link-door.ts';

const aNic = (changes: Partial<NetworkNic> = {}): NetworkNic => ({
  ...{ kind: 'network', id: 'net0', network: 'lan0', model: 'virtio-net-pci', queues: 1, vhost: 'auto' },
  ...changes,
});

const eth0 = 'eth0' as IfName;
type Attach = NetworkPlan['attach'];
const onCard: Attach = { by: 'macvtap', card: eth0, mtu: 1500, mode: 'bridge', hostAccess: false };
const onFunctions: Attach = { by: 'hostdev', card: eth0, mtu: 1500, vlan: 42 };

const plan = (attach: Attach = onCard): NetworkPlan => ({
  ...{ v: 1, network: 'lan0' as VmName, file: '/etc/qrun/networks/lan0.yaml', scope: 'system', transport: 'tap' },
  ...{ forward: attach.by === 'hostdev' ? 'hostdev' : 'macvtap', attach, forwards: [], steps: [], notes: ['of lan0'] },
});

const runAs = { name: 'qrun', uid: 64_055, gid: 108 };
const vfs = ['0000:01:10.0', '0000:01:10.1'];
const pf = '0000:01:00.0';
const vf = (address: string, group: number): PciDevice => ({
  ...{ address, class: '020000', driver: 'vfio-pci', group, nets: [], physical: pf, vfs: [] },
});
const pciDoor = (changes: Partial<PciDoor> = {}): PciDoor => ({
  ...{ iommu: true, loaded: true, groups: {}, nodes: {}, settings: {}, waysOut: [], rights: 'own' },
  nets: { eth0: { name: 'eth0', mac: aMac, up: true, uppers: [] } },
  parents: { eth0: pf },
  devices: {
    [pf]: { address: pf, class: '020000', driver: 'ixgbe', nets: ['eth0'], vfs, totalVfs: 4 },
    [vfs[0] ?? '']: vf(vfs[0] ?? '', 10),
    [vfs[1] ?? '']: vf(vfs[1] ?? '', 11),
  },
  nodes: { 10: { uid: 0, gid: 0, state: 'free' }, 11: { uid: 0, gid: 0, state: 'free' } },
  ...changes,
});

const on = (nics: readonly Nic[], attach: Attach = onCard, door: PciDoor = pciDoor()) =>
  aContext(nics, {
    ...{ qemu: capabilitiesOf('7.2'), runAs, linkDoor: aLinkDoor(), pciDoor: door, networks: { lan0: plan(attach) } },
    macs: Object.fromEntries(nics.map(({ id }) => [id, aMac])),
  });

const planned = (nic: NetworkNic, attach: Attach = onCard, door?: PciDoor) =>
  networkNic.plan(nic, on([nic], attach, door));

describe('on macvtaps', () => {
  test('the steps and the back end are those of kind: macvtap, once its place on the network is taken', () => {
    const nic = aNic({ queues: 2 });
    const { steps, netdev, source, hostInterface, network, fds } = planned(nic);
    const as: MacvtapNic = {
      ...{ kind: 'macvtap', id: 'net0', model: nic.model, queues: 2, vhost: 'auto' },
      ...{ parent: eth0, mode: 'bridge', hostAccess: false },
    };
    const own = macvtapNic.plan(as, on([as]));
    expect(steps.slice(1)).toEqual(own.steps);
    expect(steps[0]).toMatchObject({ kind: 'member', network: 'lan0', mac: aMac, device: own.hostInterface });
    expect({ netdev, hostInterface }).toEqual({ netdev: own.netdev, hostInterface: own.hostInterface });
    expect({ source, network }).toEqual({ source: 'lan0 (eth0)', network: 'lan0' });
    expect(new Set(fds?.map(({ fd }) => fd)).size).toBe(3);
  });

  test('mode and hostAccess are the network’s', () => {
    const isolated = planned(aNic(), { ...onCard, mode: 'private' } as Attach);
    expect(isolated.steps.find((step) => step.kind === 'link')?.commands[0]).toMatch(/mode private$/);
    const reached = planned(aNic(), { ...onCard, hostAccess: true } as Attach);
    expect(reached.steps.map(({ kind }) => kind)).toContain('host-access');
  });

  test('only they are changed in a profile', () => {
    const profile = { nics: [aNic(), aNic({ id: 'net1', network: 'other' })] };
    expect(onPools(profile, { lan0: plan() }).nics).toMatchObject([
      { kind: 'macvtap', id: 'net0', parent: 'eth0' },
      { kind: 'network', id: 'net1' },
    ]);
    expect(onPools(profile, {})).toBe(profile);
  });
});

describe('on functions of a card', () => {
  test('the first that is free, with the NIC’s MAC and the network’s VLAN', () => {
    const { netdev, steps, source } = planned(aNic(), onFunctions);
    expect(netdev).toBe('none');
    expect(source).toBe('lan0 (eth0)');
    expect(steps).toMatchObject([
      { kind: 'member', network: 'lan0', device: vfs[0] },
      { kind: 'vfio', address: vfs[0], chosen: true, vf: { parent: 'eth0', index: 0, mac: aMac, vlan: 42 } },
    ]);
  });

  test('one that a guest has is passed over; none free names who has them', () => {
    const holders = { [vfs[0] ?? '']: { who: 'web7', own: false } };
    expect(planned(aNic(), onFunctions, pciDoor({ holders })).steps[1]).toMatchObject({ address: vfs[1] });
    const all = { ...holders, [vfs[1] ?? '']: { who: 'web8', own: false } };
    expect(() => planned(aNic(), onFunctions, pciDoor({ holders: all }))).toThrow(
      expect.objectContaining({
        code: 'in-use',
        causes: [`${vfs[0]}: web7 has it`, `${vfs[1]}: web8 has it`],
      }),
    );
    // the next run of the one that runs
    const own = { ...all, [vfs[1] ?? '']: { who: 'web1', own: true } };
    expect(planned(aNic(), onFunctions, pciDoor({ holders: own })).steps[1]).toMatchObject({ address: vfs[1] });
  });

  test.for<[Partial<NetworkNic>, string]>([
    [{ model: 'e1000' }, 'model'],
    [{ mtu: 1400 }, 'mtu'],
    [{ queues: 4 }, 'queues'],
    [{ vhost: 'on' }, 'vhost'],
  ])('what is for cards of QEMU’s is refused: %j', ([changes, key]) => {
    expect(() => planned(aNic(changes), onFunctions)).toThrow(
      expect.objectContaining({ code: 'invalid-profile', message: expect.stringContaining(`nics[0].${key}`) }),
    );
  });
});
