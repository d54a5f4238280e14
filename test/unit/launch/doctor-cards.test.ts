/** `kind: hostdev` on a made-up /sys: what doctor tells of the host's cards, and of those of a profile. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkOfVfio, examineCards } from '../../../src/launch/doctor-cards.ts';
import type { Nic } from '../../../src/profile/profile.ts';
import { PciTree, standardDevices } from '../nic/a-pci-tree.ts';

let place: string;
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-cards-'));
});
afterEach(() => rmSync(place, { recursive: true }));

const checkOf = (tree: PciTree, id: string, ...nics: readonly object[]) =>
  examineCards(nics.length === 0 ? undefined : { nics: nics as Nic[] }, tree.sysfs).find((check) => check.id === id);
const card = (address: string) => ({ kind: 'hostdev', id: 'net0', address });
const parent = (name: string) => ({ kind: 'hostdev', id: 'net0', parent: name });

test('the whole host: every network card with its driver and group, and nothing else', () => {
  const tree = new PciTree(place);
  const { evidence = '', ...rest } = checkOf(tree, 'cards') ?? {};
  expect(rest).toMatchObject({ state: 'ok', mend: null });
  expect(evidence).toContain('0000:02:00.0 (eth5, driver e1000e, IOMMU group 2)');
  expect(evidence).toContain('0000:01:10.2 (no driver, IOMMU group 11)');
  expect(evidence).not.toContain('0000:03:00.1');
  expect(checkOf(tree, 'iommu')).toMatchObject({ state: 'ok', evidence: expect.stringMatching(/^\d+ groups$/) });
  expect(checkOf(tree, 'vfio')).toMatchObject({ state: 'ok', evidence: 'it is loaded' });
  expect(checkOf(new PciTree(path.join(place, 'none'), []), 'cards')).toMatchObject({
    state: 'ok',
    evidence: 'there is none',
  });
});

test('vfio-pci: loaded, not loaded, and of no use', () => {
  expect(checkOfVfio(true, true).state).toBe('ok');
  expect(checkOfVfio(false, true)).toMatchObject({ state: 'warn', mend: 'sudo modprobe vfio-pci' });
  expect(checkOfVfio(false, false).state).toBe('ok');
});

test('of a profile: a card alone, one that is bound already, one that is not there, one whose group the host keeps', () => {
  const bound = standardDevices.map((one) => (one.net === 'eth5' ? { ...one, driver: 'vfio-pci' } : one));
  expect(checkOf(new PciTree(place), 'cards', card('0000:02:00.0'))).toMatchObject({ state: 'ok' });
  const other = new PciTree(path.join(place, 'other'), bound);
  expect(checkOf(other, 'cards', card('0000:02:00.0'))?.evidence).toContain('vfio-pci, ready for a guest');
  expect(checkOf(other, 'cards', card('0000:09:00.0'))).toMatchObject({
    state: 'fail',
    evidence: 'there is no PCI device 0000:09:00.0',
    mend: expect.stringContaining('lspci'),
  });
  expect(checkOf(other, 'cards', card('0000:03:00.0'))).toMatchObject({
    state: 'warn',
    evidence: expect.stringMatching(/shares the IOMMU group 3 .*0000:03:00\.1 \(ahci\)/),
    mend: expect.stringContaining('vfio-pci'),
  });
});

test('without an IOMMU a card of a profile is told to have none', () => {
  const tree = new PciTree(place, [{ address: '0000:02:00.0', driver: 'e1000e', net: 'eth5' }]);
  expect(checkOf(tree, 'iommu')).toMatchObject({ state: 'warn' });
  expect(checkOf(tree, 'cards', card('0000:02:00.0'))).toMatchObject({
    state: 'warn',
    evidence: expect.stringContaining('no IOMMU stands before'),
  });
});

test('a parent: with virtual functions, without them, without SR-IOV, none at all', () => {
  const tree = new PciTree(place, [
    ...standardDevices,
    { address: '0000:04:00.0', driver: 'ixgbe', group: 4, net: 'pf1', vfs: [] },
  ]);
  expect(checkOf(tree, 'cards', parent('pf0'))).toMatchObject({
    state: 'ok',
    evidence: 'pf0 (0000:01:00.0) has 2 virtual functions of 8, 0 bound to vfio-pci',
  });
  expect(checkOf(tree, 'cards', parent('pf1'))).toMatchObject({
    state: 'warn',
    mend: 'echo 4 | sudo tee /sys/class/net/pf1/device/sriov_numvfs',
  });
  expect(checkOf(tree, 'cards', parent('eth5'))).toMatchObject({
    state: 'fail',
    evidence: 'eth5 (0000:02:00.0) has no SR-IOV',
  });
  expect(checkOf(tree, 'cards', parent('eth9'))).toMatchObject({
    state: 'fail',
    evidence: 'there is no interface eth9',
  });
  const veth = path.join(tree.sysfs, 'class/net/veth9');
  mkdirSync(veth, { recursive: true });
  writeFileSync(path.join(veth, 'flags'), '0x1003\n');
  expect(checkOf(tree, 'cards', parent('veth9'))).toMatchObject({
    state: 'fail',
    evidence: 'veth9 is no PCI network card',
  });
});
