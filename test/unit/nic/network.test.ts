import { describe, expect, test } from 'vitest';
import type { VmName } from '../../../src/names.ts';
import type { NetworkPlan } from '../../../src/network/network-plan.ts';
import { holdersOn, networkNic } from '../../../src/nic/network.ts';
import type { NetworkNic, Nic } from '../../../src/profile/profile.ts';
import { netdevArgs } from '../../../src/qemu/argv/device.ts';
import { aContext, aMac, aProfile, capabilitiesOf } from '../qemu/a-profile.ts';

const nic = (id: string, network = 'lab'): NetworkNic => ({
  kind: 'network',
  id,
  network,
  model: 'virtio-net-pci',
  queues: 1,
  vhost: 'auto',
});

const plan = (changes: Partial<NetworkPlan> = {}): NetworkPlan => ({
  v: 1,
  network: 'lab' as VmName,
  file: '/etc/qrun/networks/lab.yaml',
  scope: 'user',
  transport: 'hub',
  forward: 'nat',
  attach: { by: 'socket-directory', directory: '/run/_net/lab/ports' },
  forwards: [],
  addresses: { web1: '10.44.0.50' },
  steps: [],
  notes: [],
  ...changes,
});

const on = (nics: readonly Nic[], network = plan(), qemu = capabilitiesOf('7.2')) =>
  aContext(nics, {
    qemu,
    networks: { lab: network },
    macs: Object.fromEntries(nics.map(({ id, mac }) => [id, mac ?? aMac])),
  });

describe('kind: network', () => {
  test("on a hub QEMU waits on a socket of its own: the hand-written command's argument", () => {
    const nics = [nic('net0')];
    const { netdev, steps, fds } = networkNic.plan(nics[0] as NetworkNic, on(nics));
    if (netdev === 'none') throw new Error('it has no back end');
    expect(netdevArgs(netdev, capabilitiesOf('7.2').version)).toEqual([
      '-netdev',
      '{"type":"stream","id":"net0","server":true,"addr":{"type":"unix","path":"/run/_net/lab/ports/web1.net0.port"}}',
    ]);
    expect(steps).toMatchObject([
      { kind: 'member', network: 'lab', holder: 'web1', ip: '10.44.0.50', mac: aMac, fd: 5 },
    ]);
    expect(fds).toEqual([{ fd: 5, path: '/state/locks/users.lab' }]);
  });

  test('on a VDE switch it joins that', () => {
    const nics = [nic('net0')];
    const network = plan({ transport: 'vde', attach: { by: 'vde', directory: '/run/_net/lab/vde' } });
    const { netdev } = networkNic.plan(nics[0] as NetworkNic, on(nics, network));
    expect(netdev).toEqual({ type: 'vde', id: 'net0', sock: '/run/_net/lab/vde' });
  });

  test('a second NIC on the same network has an address of its own', () => {
    const nics = [nic('net0'), nic('net1'), nic('net2', 'other')];
    expect(holdersOn('lab', aProfile({ nics }))).toEqual(['web1', 'web1/net1']);
    expect(holdersOn('other', aProfile({ nics }))).toEqual(['web1']);
  });

  test('a QEMU without what it takes is refused by name', () => {
    const nics = [nic('net0')];
    expect(() => networkNic.plan(nics[0] as NetworkNic, on(nics, plan(), capabilitiesOf('6.2')))).toThrow(
      /cannot join lab: it has no stream back end/,
    );
  });

  test.for(['52:55:0a:00:00:01', '52:56:00:00:00:02'])("%s would be the gateway's", (mac) => {
    const nics = [{ ...nic('net0'), mac: mac as typeof aMac }];
    expect(() => networkNic.plan(nics[0] as NetworkNic, on(nics))).toThrow(/nics\[0\]\.mac: .* are the gateway's/);
  });
});
