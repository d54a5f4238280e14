import { describe, expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import type { LabVm } from '../../../src/lab/lab.ts';
import { mergeParts, type Part } from '../../../src/lab/merge.ts';
import { parseVmName } from '../../../src/names.ts';
import { labOf } from './lab-text.ts';

const fileOf = (word: string, text: string): Part => ({ word, ...labOf(text) });
const bare = (name: string, profile = name): LabVm => ({ name: parseVmName(name), profile, after: [], args: [] });
const wordOf = (name: string, profile = name): Part => ({ word: profile, networks: [], vms: [bare(name, profile)] });

function faultOf(...parts: Part[]): string {
  try {
    mergeParts(parts);
    return '';
  } catch (error) {
    if (error instanceof QrunError && error.code === 'usage') return error.message;
    throw error;
  }
}

describe('several labs and VMs', () => {
  test('are one, in their order', () => {
    const { vms, networks } = mergeParts([
      fileOf('a.yaml', 'networks: [n1]\nvms: [db, web]'),
      wordOf('alone'),
      fileOf('b.yaml', 'networks: [n2, n1]\nvms: { front: { after: back }, back: }'),
    ]);
    expect(vms.map(({ name }) => name)).toEqual(['db', 'web', 'alone', 'front', 'back']);
    expect(networks.map(({ name }) => name)).toEqual(['n1', 'n2']);
  });

  test('may have a VM in common: what it comes after is added up', () => {
    const { vms } = mergeParts([
      fileOf('a.yaml', 'vms: { db: , web: { after: db, args: [-S] } }'),
      fileOf('b.yaml', 'vms: { web: { after: { cache: end, db: }, args: [-S] }, cache: , db: }'),
    ]);
    const web = vms.find(({ name }) => name === 'web');
    expect(web?.after.map(({ vm, wait }) => [vm, wait?.written])).toEqual([
      ['db', undefined],
      ['cache', 'end'],
    ]);
    expect(vms).toHaveLength(3);
  });

  test('a bare name is the VM that a lab has by that name, whichever comes first', () => {
    const lab = fileOf('a.yaml', 'vms: { db: , web: { after: db, args: [-S] } }');
    const expected = mergeParts([lab]).vms;
    expect(mergeParts([lab, wordOf('web')]).vms).toEqual(expected);
    expect(mergeParts([wordOf('web'), lab]).vms).toEqual([expected[1], expected[0]]);
    expect(mergeParts([wordOf('web'), wordOf('web')]).vms).toEqual([bare('web')]);
  });

  test('with two VMs of one name are refused', () => {
    const lab = fileOf('a.yaml', 'vms: { web: { args: [-S] } }');
    expect(faultOf(lab, fileOf('b.yaml', 'vms: { web: }'))).toBe('web of a.yaml is not the one of b.yaml');
    expect(faultOf(lab, fileOf('b.yaml', 'vms: { web: { args: [-S], ephemeral: true } }'))).toMatch(/^web of/);
    expect(faultOf(fileOf('a.yaml', 'vms: { web: { wait: end } }'), fileOf('b.yaml', 'vms: { web: }'))).toMatch(
      /^web of/,
    );
    expect(faultOf(lab, wordOf('web', '/elsewhere/web.yaml'))).toBe(
      'web of a.yaml is not the one of /elsewhere/web.yaml',
    );
  });

  test('with two networks of one name are refused', () => {
    expect(faultOf(fileOf('a.yaml', 'networks: [dmz]'), fileOf('b.yaml', 'networks: [x/dmz.yaml]'))).toBe(
      'the network dmz of a.yaml is not the one of b.yaml',
    );
  });

  test('that wait for one another are refused', () => {
    expect(
      faultOf(fileOf('a.yaml', 'vms: { a: { after: b }, b: }'), fileOf('b.yaml', 'vms: { b: { after: a }, a: }')),
    ).toBe('a → b → a: each comes after the next, so none of them can be the first');
  });
});
