import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HostFacts } from '../../../src/host/facts.ts';
import { readPciPart, type PciDoor } from '../../../src/host/pci-door.ts';
import type { IfName, Mac } from '../../../src/names.ts';
import { hostdevNic } from '../../../src/nic/hostdev.ts';
import type { CardPlan } from '../../../src/nic/nic-kind.ts';
import type { VfioStep } from '../../../src/plan/step.ts';
import type { HostdevNic } from '../../../src/profile/profile.ts';
import { nicArgs } from '../../../src/qemu/argv/nics.ts';
import { aContext, aMac, anInput, aUserNic } from '../qemu/a-profile.ts';
import { PciTree } from './a-pci-tree.ts';

let root: string;
let tree: PciTree;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'qrun-hostdev-'));
  tree = new PciTree(root);
});
afterEach(() => rmSync(root, { recursive: true }));

const { queues, vhost, model } = aUserNic();
const aNic = (changes: Partial<HostdevNic>, id = 'net0'): HostdevNic => ({
  ...{ kind: 'hostdev', id, model, queues, vhost },
  ...changes,
});
const eth5 = '0000:02:00.0';
const pf0 = 'pf0' as IfName;
const runAs = { name: 'qrun', uid: 64_055, gid: 108 };

function door(nics: readonly HostdevNic[], changes: Partial<PciDoor> = {}): PciDoor {
  const part = readPciPart(
    {
      addresses: nics.flatMap(({ address }) => (address === undefined ? [] : [address])),
      parents: nics.flatMap(({ parent }) => (parent === undefined ? [] : [parent])),
    },
    tree.sysfs,
  );
  return { ...part, nodes: {}, settings: {}, waysOut: ['eth0'], rights: 'own', ...changes };
}

interface Given {
  readonly door?: Partial<PciDoor>;
  readonly facts?: Partial<HostFacts>;
  readonly others?: readonly HostdevNic[];
}

function planOf(nic: HostdevNic, given: Given = {}): CardPlan {
  const nics = [...(given.others ?? []), nic];
  const macs = Object.fromEntries(nics.map(({ id }) => [id, aMac]));
  return hostdevNic.plan(nic, aContext(nics, { macs, runAs, pciDoor: door(nics, given.door), ...given.facts }));
}

const stepOf = (plan: CardPlan): VfioStep | undefined => plan.steps.find((step) => step.kind === 'vfio');
const bindTo = (address: string): void => {
  for (const [file, text] of [
    [`bus/pci/devices/${address}/driver_override`, 'vfio-pci'],
    [`bus/pci/drivers/${tree.driverOf(address)}/unbind`, address],
    ['bus/pci/drivers_probe', address],
  ] as const) {
    tree.runNow('tee', [path.join(tree.sysfs, file)], { stdin: `${text}\n` });
  }
};

describe('a whole card', () => {
  test('QEMU gets it without a back end, and qrun binds it and gives its group to QEMU', () => {
    const nic = aNic({ address: eth5 });
    const plan = planOf(nic);
    expect(plan).toMatchObject({ netdev: 'none', card: eth5, mac: '00:11:22:33:44:55', source: eth5 });
    expect(stepOf(plan)).toMatchObject({
      ...{ needsRoot: true, address: eth5, group: 2, fd: 5, bind: { driver: 'e1000e', loads: false } },
      node: { owner: { uid: 64_055, gid: 108 }, before: { uid: 0, gid: 0 } },
    });
    const args = nicArgs(anInput({ nics: [{ nic, plan, mac: aMac, slot: 0 }] }), new Map());
    expect(args).toHaveLength(2);
    expect(JSON.parse(args[1] ?? '')).toEqual({
      ...{ driver: 'vfio-pci', id: 'nic-net0', host: eth5, addr: '0x10', rombar: 0 },
    });
  });

  test('that the host needs is not taken, and it is said what for', () => {
    const says = (given: Given): unknown => {
      try {
        return planOf(aNic({ address: eth5 }), given);
      } catch (error) {
        return error;
      }
    };
    expect(says({ door: { waysOut: ['eth5'] } })).toMatchObject({ code: 'in-use', message: /only way out/ });
    const link = { name: 'eth5', addresses: ['192.0.2.5'], up: true };
    expect(says({ facts: { links: [link] } })).toMatchObject({ code: 'in-use', message: /192\.0\.2\.5/ });
    const net = { name: 'eth5', mac: '00:11:22:33:44:55', up: true, master: 'br0', uppers: ['eth5.7'] };
    expect(says({ door: { nets: { eth5: net } } })).toMatchObject({
      message: /port of br0/,
      causes: [/eth5\.7 stands/],
    });
    expect(() => planOf(aNic({ address: '0000:01:00.0' }))).toThrow(/2 virtual functions/);
  });

  test.each([
    ['0000:03:00.0', 'host-failed', /shares the IOMMU group 3/],
    ['0000:03:00.1', 'host-failed', /no network card/],
    ['0000:09:00.0', 'host-failed', /no PCI device/],
  ] as const)('%s is refused: %s', (address, code, message) => {
    expect(() => planOf(aNic({ address }))).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  test('the rest of a group may be with vfio-pci, and the list tells what is not', () => {
    expect(() => planOf(aNic({ address: '0000:03:00.0' }))).toThrow(
      expect.objectContaining({ causes: ['0000:03:00.1 (ahci)'] }),
    );
    bindTo('0000:03:00.1');
    expect(stepOf(planOf(aNic({ address: '0000:03:00.0' })))).toMatchObject({ group: 3 });
  });

  test('its MAC is its own', () => {
    expect(() => planOf(aNic({ address: eth5, mac: aMac }))).toThrow(/has a MAC of its own \(00:11/);
    expect(planOf(aNic({ address: eth5, mac: '00:11:22:33:44:55' as Mac })).mac).toBe('00:11:22:33:44:55');
  });

  test('twice in one profile is refused', () => {
    expect(() => planOf(aNic({ address: eth5 }, 'b'), { others: [aNic({ address: eth5 }, 'a')] })).toThrow(
      /another NIC/,
    );
  });
});

describe('a virtual function', () => {
  test('the first that the host does not use; the second NIC gets the next', () => {
    const links = [{ name: 'vf0', addresses: [], up: true }];
    const first = stepOf(planOf(aNic({ parent: pf0, vlan: 42 }), { facts: { links } }));
    expect(first).toMatchObject({
      address: '0000:01:10.0',
      bind: { driver: 'ixgbevf' },
      vf: { parent: 'pf0', index: 0, mac: aMac, vlan: 42, before: { mac: '00:00:00:00:00:00', vlan: 0 } },
    });
    const other = aNic({ parent: pf0 }, 'first');
    expect(stepOf(planOf(aNic({ parent: pf0 }), { others: [other] }))).toMatchObject({
      address: '0000:01:10.2',
      bind: { loads: false },
    });
    expect(() => planOf(aNic({ parent: pf0 }), { others: [other, aNic({ parent: pf0 }, 'second')] })).toThrow(
      expect.objectContaining({ code: 'in-use' }),
    );
  });

  test('what it was set to is set back; what fits is not set', () => {
    const settings = { pf0: [{ index: 0, mac: aMac, vlan: 7 }] };
    const given = { door: { settings } };
    expect(stepOf(planOf(aNic({ parent: pf0 }), given))).not.toHaveProperty('vf');
    expect(stepOf(planOf(aNic({ parent: pf0, vlan: 8 }), given))?.vf?.before).toEqual({ mac: aMac, vlan: 7 });
  });

  test('of a card that has none, or that is not there', () => {
    const parent = 'eth5' as IfName;
    expect(() => planOf(aNic({ parent }))).toThrow(expect.objectContaining({ code: 'missing-feature' }));
    expect(() => planOf(aNic({ parent: 'nosuch' as IfName }))).toThrow(/no interface nosuch/);
  });
});

describe('an ordinary user', () => {
  const user = (changes: Partial<PciDoor> = {}): Given => ({
    door: { rights: 'none', ...changes },
    facts: { runAs: undefined } as unknown as Partial<HostFacts>,
  });

  test('is told what prepares a card', () => {
    expect(() => planOf(aNic({ address: eth5 }), user())).toThrow(
      expect.objectContaining({ code: 'permission', status: 3, hint: expect.stringContaining('sudo qrun run') }),
    );
  });

  test('uses one that is prepared, without root', () => {
    bindTo('0000:01:10.0');
    const nodes = { 10: { uid: 1000, gid: 1000, state: 'free' } } as const;
    const settings = { pf0: [{ index: 0, mac: '02:00:00:00:00:07', vlan: 0 }] };
    const plan = planOf(aNic({ parent: pf0 }), user({ nodes, settings }));
    expect(plan.mac).toBe('02:00:00:00:00:07');
    expect(stepOf(plan)).toEqual({
      ...{ kind: 'vfio', id: 'vfio:net0', needsRoot: false, address: '0000:01:10.0', group: 10, fd: 5 },
      chosen: true,
    });
  });

  test('whose session may not lock the guest’s memory is told how much it takes', () => {
    bindTo('0000:01:10.0');
    const nodes = { 10: { uid: 1000, gid: 1000, state: 'free' } } as const;
    const given = user({ nodes, lockableBytes: 8 * 2 ** 20, settings: { pf0: [{ index: 0, mac: aMac, vlan: 0 }] } });
    expect(() => planOf(aNic({ address: '0000:01:10.0' }), given)).toThrow(
      expect.objectContaining({
        code: 'permission',
        hint: expect.stringMatching(/^sudo prlimit --pid \$\$ --memlock=/),
      }),
    );
  });

  test('who may not open the group', () => {
    bindTo('0000:01:10.0');
    const nodes = { 10: { uid: 0, gid: 0, state: 'blocked' } } as const;
    const settings = { pf0: [{ index: 0, mac: aMac, vlan: 0 }] };
    expect(() => planOf(aNic({ address: '0000:01:10.0' }), user({ nodes, settings }))).toThrow(
      expect.objectContaining({ hint: 'sudo chown alice /dev/vfio/10' }),
    );
  });
});

test('without an IOMMU: exit 3, and what to do', () => {
  expect(() => planOf(aNic({ address: eth5 }), { door: { iommu: false } })).toThrow(
    expect.objectContaining({ status: 3, hint: expect.stringContaining('intel_iommu=on') }),
  );
  // what is not there at all is said first
  for (const [nic, message] of [
    [aNic({ parent: 'nosuch' as IfName }), /no interface nosuch/],
    [aNic({ address: '0000:09:00.0' }), /no PCI device 0000:09:00.0/],
  ] as const)
    expect(() => planOf(nic, { door: { iommu: false } })).toThrow(message);
});
