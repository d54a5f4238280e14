import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseLockable, parseVfSettings, parseWaysOut, readPciPart, readVfioNode } from '../../../src/host/pci-door.ts';
import { readIommuGroup, readPciDevice, readPciNet, readPciOfNet } from '../../../src/host/pci.ts';
import { isPciAddress, pciDirectory, pciDriverDirectory } from '../../../src/pci-address.ts';
import { PciTree } from '../nic/a-pci-tree.ts';

let root: string;
let tree: PciTree;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'qrun-pci-'));
  tree = new PciTree(root);
});
afterEach(() => rmSync(root, { recursive: true }));

describe('sysfs', () => {
  test('a card, its driver, group, interface and virtual functions', () => {
    expect(readPciDevice('0000:01:00.0', tree.sysfs)).toEqual({
      ...{ address: '0000:01:00.0', class: '020000', driver: 'ixgbe', group: 1, nets: ['pf0'], totalVfs: 8 },
      vfs: ['0000:01:10.0', '0000:01:10.2'],
    });
    expect(readPciDevice('0000:01:10.2', tree.sysfs)).toEqual({
      ...{ address: '0000:01:10.2', class: '020000', group: 11, nets: [], physical: '0000:01:00.0', vfs: [] },
    });
    expect(readPciDevice('0000:09:00.0', tree.sysfs)).toBeUndefined();
    expect(readIommuGroup(3, tree.sysfs)).toEqual(['0000:03:00.0', '0000:03:00.1']);
    expect(readPciOfNet('pf0', tree.sysfs)).toBe('0000:01:00.0');
    expect(readPciNet('eth5', tree.sysfs)).toEqual({ name: 'eth5', mac: '00:11:22:33:44:55', up: true, uppers: [] });
  });

  test.each(['../../etc', '0000:01:00.0/..', '0000:01:00.8', '0000:01:20.0', '-rf', '', '0000:01:00.0\n'])(
    'no path comes of the address %j',
    (text) => {
      expect(isPciAddress(text)).toBe(false);
      expect(pciDirectory(text)).toBe('/sys/bus/pci/devices/none');
      expect(readPciDevice(text, tree.sysfs)).toBeUndefined();
    },
  );

  test('nor of a driver’s or an interface’s name', () => {
    expect(pciDriverDirectory('../x')).toBe('/sys/bus/pci/drivers/none');
    expect(readPciOfNet('../net/pf0', tree.sysfs)).toBeUndefined();
    expect(readPciNet('..', tree.sysfs)).toBeUndefined();
    symlinkSync('/etc/../x y', path.join(tree.directory('0000:01:10.2'), 'driver'));
    expect(readPciDevice('0000:01:10.2', tree.sysfs)).not.toHaveProperty('driver');
  });

  test('what a profile needs of it: its cards, those of its parents, and all of their groups', () => {
    const found = readPciPart({ addresses: ['0000:03:00.0'], parents: ['pf0', 'nosuch'] }, tree.sysfs);
    expect(found).toMatchObject({ iommu: true, loaded: true, parents: { pf0: '0000:01:00.0' } });
    expect(Object.keys(found.devices).toSorted()).toEqual([
      ...['0000:01:00.0', '0000:01:10.0', '0000:01:10.2', '0000:03:00.0', '0000:03:00.1'],
    ]);
    expect(found.groups).toEqual({ 3: ['0000:03:00.0', '0000:03:00.1'], 10: ['0000:01:10.0'], 11: ['0000:01:10.2'] });
    expect(Object.keys(found.nets).toSorted()).toEqual(['eth6', 'pf0', 'vf0']);
    expect(readPciPart({ addresses: [], parents: [] }, path.join(root, 'none'))).toMatchObject({ iommu: false });
  });

  test('the node of a group', () => {
    expect(readVfioNode(10, tree.dev)).toBeUndefined();
    tree.runNow('tee', [path.join(tree.directory('0000:01:10.2'), 'driver_override')], { stdin: 'vfio-pci\n' });
    tree.runNow('tee', [path.join(tree.sysfs, 'bus/pci/drivers_probe')], { stdin: '0000:01:10.2\n' });
    expect(readVfioNode(11, tree.dev)).toMatchObject({ state: 'free' });
  });
});

test('virtual functions, as iproute2 tells them, old and new', () => {
  const rows = [
    { vf: 0, address: '52:54:00:00:00:01', vlan_list: [{ vlan: 42 }] },
    { vf: 1, mac: '52:54:00:00:00:02' },
    { vf: 'x', mac: 1 },
  ];
  expect(parseVfSettings(JSON.stringify([{ vfinfo_list: rows }]))).toEqual([
    { index: 0, mac: '52:54:00:00:00:01', vlan: 42 },
    { index: 1, mac: '52:54:00:00:00:02', vlan: 0 },
  ]);
  expect(parseVfSettings('')).toEqual([]);
});

test('default routes, and what may be locked', () => {
  const head = 'Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT';
  const table = `${head}\neth0 00000000 0102A8C0 0003 0 0 0 00000000 0 0 0\neth1 0002A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n`;
  const none = '0'.repeat(32);
  const table6 = `${none} 00 ${none} 00 ${none} 00000400 1 0 00000003 eth2\n${none} 00 ${none} 00 ${none} ffffffff 1 0 00200200 lo\n`;
  expect(parseWaysOut(table, table6)).toEqual(['eth0', 'eth2']);
  expect(parseLockable('Max locked memory         8388608              8388608              bytes')).toBe(8_388_608);
  expect(parseLockable('Max locked memory         unlimited            unlimited            bytes')).toBeUndefined();
});
