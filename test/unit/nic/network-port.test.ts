/** A NIC on a network whose ports root makes: by its port, by the bridge helper, or not at all. */
import { describe, expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import type { HostFacts } from '../../../src/host/facts.ts';
import type { HostAccessFact } from '../../../src/host/host-access.ts';
import type { IfName, Mac, VmName } from '../../../src/names.ts';
import type { HostNetwork } from '../../../src/network/host-network.ts';
import type { NetworkPlan } from '../../../src/network/network-plan.ts';
import { networkNic } from '../../../src/nic/network.ts';
import type { NetworkNic } from '../../../src/profile/profile.ts';
import { networkOf } from '../network/network-text.ts';
import { aContext, aUserNic, capabilitiesOf } from '../qemu/a-profile.ts';
import { aBridgeDoor } from './a-bridge-door.ts';
import { aLinkDoor } from './a-link-door.ts';

const mac = '52:54:00:00:00:0a' as Mac;
const { id, model, queues, vhost } = aUserNic();
const aNic = (changes: Partial<NetworkNic> = {}): NetworkNic => ({
  ...{ id, model, queues, vhost, kind: 'network', network: 'lan0' },
  ...changes,
});
const definition = networkOf('forward: bridge\nscope: system\nbridge: { name: br0 }\nports: 1\nowner: alice\n', {
  name: 'lan0',
  uid: 0,
});
const aTap = { number: 0, device: 'qr-port0' as IfName, mac, lock: '/host/ports/lan0/0' };
const aMacvtap = { ...aTap, index: 777, node: '/dev/tap777' };

const host = (changes: Partial<HostNetwork> = {}): HostNetwork => ({
  name: 'lan0' as VmName,
  runId: 'run1',
  forward: 'bridge',
  on: 'br0' as IfName,
  mtu: 1500,
  user: 1000,
  ports: [aTap],
  definition,
  ...changes,
});

const network = (attach: NetworkPlan['attach']): NetworkPlan => ({
  v: 1,
  network: 'lan0' as VmName,
  file: '/etc/qrun/networks/lan0.yaml',
  scope: 'system',
  transport: 'tap',
  forward: 'bridge',
  attach,
  forwards: [],
  steps: [],
  notes: [],
});

const holder = { uid: 1000, state: 's', vm: 'web1', nic: id };
const planOn = (attach: NetworkPlan['attach'], facts: Partial<HostFacts> = {}, nic = aNic()) =>
  networkNic.plan(
    nic,
    aContext([nic], {
      qemu: capabilitiesOf('7.2'),
      networks: { lan0: network(attach) },
      macs: { [id]: mac },
      linkDoor: aLinkDoor(),
      ...facts,
    }),
  );
const onPort = (port: typeof aTap | typeof aMacvtap, facts: Partial<HostFacts> = {}, nic = aNic()) =>
  planOn(
    { by: 'port', host: host({ forward: 'node' in port ? 'macvtap' : 'bridge' }) },
    { ports: { [id]: { port, holder } }, ...facts },
    nic,
  );

describe('a port', () => {
  test('a tap by its name, under the lock that QEMU inherits; its network is known', () => {
    expect(onPort(aTap)).toMatchObject({
      netdev: { type: 'tap', id, ifname: 'qr-port0', script: 'no', downscript: 'no' },
      steps: [
        {
          kind: 'port-lease',
          needsRoot: false,
          lock: aTap.lock,
          fd: 5,
          registry: '/host/networks/lan0.json',
          run: 'run1',
          holder,
        },
      ],
      fds: [{ fd: 5, path: aTap.lock }],
      network: 'lan0',
      hostInterface: 'qr-port0',
    });
  });

  test('a macvtap by its device, which is opened and not made', () => {
    const plan = onPort(aMacvtap);
    expect(plan.steps.map(({ kind }) => kind)).toEqual(['port-lease', 'tap-node']);
    expect(plan.steps[1]).toMatchObject({ path: '/dev/tap777', index: 777, given: true, needsRoot: false, fds: [6] });
    expect(plan.netdev).toEqual({ type: 'tap', id, fd: '6' });
    expect(plan.notes?.join()).toContain('this host and the guest cannot reach one another');
  });

  test('a macvtap that the host reaches by a way is not said to be apart; one whose way is gone is', () => {
    const notesOf = (hostAccess: boolean, way: Partial<HostAccessFact>) => {
      const ways = { br0: { addresses: [], networks: [], strict: false, ...way } };
      const reached = host({ forward: 'macvtap', definition: { ...definition, hostAccess } });
      const ports = { [id]: { port: aMacvtap, holder } };
      return planOn({ by: 'port', host: reached }, { ports, linkDoor: aLinkDoor({ ways }) }).notes?.join();
    };
    const lasting = { name: 'qrh-br0', addresses: [] };
    expect(notesOf(true, { shared: true })).not.toContain('cannot reach');
    expect(notesOf(false, { lasting })).not.toContain('cannot reach');
    expect(notesOf(true, { macvlan: true })).not.toContain('cannot reach');
    expect(notesOf(true, {})).toContain('is gone (sudo qrun net up lan0)');
    // another VM's: it goes with that
    expect(notesOf(false, { shared: true })).toContain('cannot reach one another through br0');
  });

  test('who had it before is told', () => {
    const chosen = { port: aTap, holder, before: 'web2' };
    expect(onPort(aTap, { ports: { [id]: chosen } }).notes?.join()).toContain('qr-port0, which web2 had, is given on');
  });

  test('a MAC of one’s own and several queues are refused; the port’s own is no other', () => {
    expect(() => onPort(aTap, {}, aNic({ mac: '52:54:00:11:22:33' as Mac }))).toThrow('has the MAC of its port');
    expect(() => onPort(aTap, {}, aNic({ queues: 2 }))).toThrow('one pair of queues');
    expect(onPort(aTap, {}, aNic({ mac })).hostInterface).toBe('qr-port0');
  });

  test('root has none, and is told what he writes instead', () => {
    expect(() => planOn({ by: 'port', host: host() })).toThrow(
      expect.objectContaining({ code: 'usage', hint: 'in the profile: kind: tap, bridge: br0' }),
    );
    expect(() => planOn({ by: 'port', host: host({ forward: 'macvtap', on: 'eth1' as IfName }) })).toThrow(
      expect.objectContaining({ code: 'usage', hint: 'in the profile: kind: macvtap, parent: eth1' }),
    );
  });
});

describe('no port: the bridge helper', () => {
  const helper = { by: 'helper', bridge: 'br0' as IfName } as const;
  const open = { bridgeDoors: { [id]: aBridgeDoor() } };
  const shut = {
    bridgeDoors: {
      [id]: aBridgeDoor({
        conf: { verdict: 'denied', rule: { file: '/etc/qemu/bridge.conf', line: 1, text: 'deny br0' }, skipped: [] },
      }),
    },
  };
  const taken = new QrunError('in-use', 'network lan0: its port is taken, by web2', { hint: 'qrun stop web2' });

  test('of a network that is not up, said so', () => {
    const plan = planOn(helper, open);
    expect(plan).toMatchObject({ netdev: { type: 'bridge', br: 'br0' }, network: 'lan0', tapOn: 'br0', steps: [] });
    expect(plan.notes?.join()).toContain('network lan0 is not up: it goes by the bridge helper');
    expect(() => planOn(helper, shut)).toThrow(
      expect.objectContaining({ code: 'permission', hint: 'sudo qrun net up lan0' }),
    );
  });

  test('of one whose ports are taken, said so; where it does not help, both are told', () => {
    const attach = { by: 'port', host: host() } as const;
    const plan = planOn(attach, { ...open, portFaults: { [id]: taken } });
    expect(plan).toMatchObject({ netdev: { type: 'bridge', br: 'br0' }, network: 'lan0' });
    expect(plan.notes?.join()).toContain('its port is taken, by web2: it goes by the bridge helper');
    const none = { ...shut, portFaults: { [id]: taken } };
    expect(() => planOn(attach, none)).toThrow(
      expect.objectContaining({
        code: 'in-use',
        message: expect.stringMatching(/^nics\[0\]: .*taken, by web2, and the bridge helper does not help: (?!nics)/),
        hint: 'qrun stop web2',
      }),
    );
    // what is only shown is the port that would be next, with its MAC, whatever is leased to the NIC
    const ports = { [id]: { port: aTap, holder, taken } };
    const macs = { [id]: '52:54:00:99:99:99' as Mac };
    expect(planOn(attach, { ...none, ports, macs })).toMatchObject({ hostInterface: 'qr-port0', mac });
  });
});
