/** An ordinary user's NIC on a network of root's that a VDE switch carries. */
import { expect, test } from 'vitest';
import type { IfName, Mac, VmName } from '../../../src/names.ts';
import type { HostNetwork } from '../../../src/network/host-network.ts';
import { networkNic } from '../../../src/nic/network.ts';
import type { NetworkNic } from '../../../src/profile/profile.ts';
import { networkOf } from '../network/network-text.ts';
import { aContext, aUserNic, capabilitiesOf } from '../qemu/a-profile.ts';

const mac = '52:54:00:00:00:0a' as Mac;
const tap = 'qr-tap' as IfName;
const port = { number: 0, device: tap, mac, lock: '/host/ports/lan0/0', switchPort: 2 };
const host: HostNetwork = {
  ...{ name: 'lan0' as VmName, runId: 'run1', forward: 'bridge', on: 'qr-lan0' as IfName, mtu: 1400, group: 44 },
  ports: [port],
  vde: { directory: '/host/vde/lan0', tap, user: 102, group: 44 },
  definition: networkOf('forward: nat\nscope: system\ntransport: vde\nports: 1\ngroup: users\n', {
    name: 'lan0',
    uid: 0,
  }),
};
const { id, model, queues, vhost } = aUserNic();

function planOn(changes: Partial<NetworkNic> = {}, netdevTypes?: readonly string[]) {
  const nic: NetworkNic = { ...{ id, model, queues, vhost, kind: 'network', network: 'lan0' }, ...changes };
  const qemu = capabilitiesOf('7.2');
  return networkNic.plan(
    nic,
    aContext([nic], {
      qemu: netdevTypes === undefined ? qemu : { ...qemu, netdevTypes },
      networks: {
        lan0: {
          ...{ v: 1, network: host.name, file: '/etc/lan0.yaml', scope: 'system', transport: 'vde', forward: 'nat' },
          ...{ attach: { by: 'port', host }, forwards: [], steps: [], notes: [] },
        },
      },
      ports: { [id]: { port, holder: { uid: 1000, state: 's', vm: 'web1', nic: id } } },
    }),
  );
}

test('QEMU joins at the number of the port that the VM has locked; nobody else is to be there', () => {
  const plan = planOn();
  expect(plan).toMatchObject({
    netdev: { type: 'vde', sock: '/host/vde/lan0', port: 2 },
    steps: [
      { kind: 'port-lease', lock: port.lock, run: 'run1' },
      { kind: 'vde-switch', directory: '/host/vde/lan0', port: 2, mend: 'sudo qrun net up lan0' },
    ],
    hostInterface: tap,
    device: { host_mtu: 1400 },
    notes: [],
  });
});

test('what it cannot be', () => {
  const refused = (code: string, words: string) =>
    expect.objectContaining({ code, message: expect.stringContaining(words) });
  expect(() => planOn({ vhost: 'on' })).toThrow(refused('invalid-profile', 'has no vhost'));
  expect(() => planOn({ queues: 2 })).toThrow(refused('invalid-profile', 'one pair of queues'));
  expect(() => planOn({ mac: '52:54:00:00:00:0b' as Mac })).toThrow(refused('invalid-profile', 'MAC of its port'));
  expect(() => planOn({}, ['tap', 'user'])).toThrow(refused('missing-feature', 'vde'));
});
