import { describe, expect, test } from 'vitest';
import type { DiskFact, HostFacts } from '../../../src/host/facts.ts';
import { planDisks } from '../../../src/plan/disks.ts';
import type { Disk, Profile } from '../../../src/profile/profile.ts';

const places = { config: [], examples: '', state: '/state', runtime: '/run', cache: '/cache', host: '/host' };
const factsWith = (disks: Record<string, Partial<DiskFact>>): HostFacts =>
  ({
    places,
    disks: Object.fromEntries(
      Object.entries(disks).map(([file, fact]) => [file, { file, exists: true, writable: true, ...fact }]),
    ),
  }) as unknown as HostFacts;
const diskOf = (disk: Partial<Disk>): Disk => ({
  file: '/vm/a.qcow2',
  written: 'a.qcow2',
  format: 'qcow2',
  readOnly: false,
  ...disk,
});
const plan = (disk: Partial<Disk>, facts: HostFacts, ephemeral = false) =>
  planDisks({ name: 'web1', disks: [diskOf(disk)] } as unknown as Profile, facts, ephemeral);

const missing = { exists: false };

describe('a disk that is missing', () => {
  test('is created with its size, where the profile says', () => {
    const { disks, steps } = plan({ sizeBytes: 1024 }, factsWith({ '/vm/a.qcow2': missing }));
    expect(disks[0]?.file).toBe('/vm/a.qcow2');
    expect(steps).toEqual([
      expect.objectContaining({
        kind: 'disk',
        id: 'disk:0',
        file: '/vm/a.qcow2',
        sizeBytes: 1024,
        temporary: false,
        ownDirectory: false,
      }),
    ]);
  });

  test('goes to the state directory when that place cannot be written, and stays there', () => {
    const unwritable = { '/vm/a.qcow2': { exists: false, writable: false } };
    const first = plan({ sizeBytes: 1024 }, factsWith(unwritable));
    expect(first.steps[0]).toMatchObject({ file: '/state/vms/web1/a.qcow2', ownDirectory: true });
    const later = plan(
      { sizeBytes: 1024 },
      factsWith({ ...unwritable, '/state/vms/web1/a.qcow2': { image: { format: 'qcow2' } } }),
    );
    expect(later.disks[0]?.file).toBe('/state/vms/web1/a.qcow2');
    expect(later.steps).toEqual([]);
  });

  test('is an overlay of its base, whose format is known from its header', () => {
    const facts = factsWith({ '/vm/a.qcow2': missing, '/vm/base.img': { image: { format: 'raw' } } });
    const { disks, steps } = plan({ base: '/vm/base.img' }, facts);
    expect(steps[0]).toMatchObject({ base: { file: '/vm/base.img', format: 'raw' } });
    expect(disks[0]?.backing).toEqual([{ file: '/vm/base.img', format: 'raw' }]);
  });

  test('without size and base is a fault', () => {
    expect(() => plan({}, factsWith({ '/vm/a.qcow2': missing }))).toThrow(
      expect.objectContaining({ code: 'invalid-profile', hint: expect.stringContaining('size') }),
    );
    expect(() => plan({ base: '/vm/none' }, factsWith({ '/vm/a.qcow2': missing }))).toThrow(
      /disks\[0\].base: there is no/,
    );
  });
});

describe('ABUSE 29: an image that leads elsewhere', () => {
  test('by a backing file that the profile does not name', () => {
    const facts = factsWith({ '/vm/a.qcow2': { image: { format: 'qcow2', backingFile: '/etc/shadow' } } });
    expect(() => plan({}, facts)).toThrow(/\/etc\/shadow/);
  });

  test('by a data file, also in its base', () => {
    expect(() =>
      plan({}, factsWith({ '/vm/a.qcow2': { image: { format: 'qcow2', dataFile: '/etc/shadow' } } })),
    ).toThrow(/\/etc\/shadow/);
    const base = factsWith({
      '/vm/a.qcow2': missing,
      '/vm/b': { image: { format: 'qcow2', dataFile: '/etc/shadow' } },
    });
    expect(() => plan({ base: '/vm/b' }, base)).toThrow(/disks\[0\].base.*\/etc\/shadow/);
  });

  test('a base that is built on something itself', () => {
    const facts = factsWith({ '/vm/a.qcow2': missing, '/vm/b': { image: { format: 'qcow2', backingFile: 'c' } } });
    expect(() => plan({ base: '/vm/b' }, facts)).toThrow(/does not name/);
  });

  test('the base that the profile names is fine, by any name that means the same file', () => {
    const base = { image: { format: 'raw' } } as const;
    for (const backingFile of ['/vm/base', 'base', './base']) {
      const facts = factsWith({ '/vm/a.qcow2': { image: { format: 'qcow2', backingFile } }, '/vm/base': base });
      expect(plan({ base: '/vm/base' }, facts).disks[0]?.backing).toEqual([{ file: '/vm/base', format: 'raw' }]);
    }
  });
});

test('a header that says another format than the profile is a fault; a raw disk may hold anything', () => {
  expect(() => plan({}, factsWith({ '/vm/a.qcow2': { image: { format: 'vmdk' } } }))).toThrow(
    /is not qcow2: its header says vmdk/,
  );
  const raw = factsWith({ '/vm/a.qcow2': { image: { format: 'qcow2', backingFile: '/etc/shadow' } } });
  expect(plan({ format: 'raw' }, raw).disks[0]).toMatchObject({ format: 'raw', backing: [] });
});

test('ephemeral: an overlay of this run alone, and the disk beneath it is never written', () => {
  const { disks, steps } = plan({}, factsWith({ '/vm/a.qcow2': { image: { format: 'qcow2' } } }), true);
  expect(steps).toEqual([expect.objectContaining({ file: '/state/vms/web1/ephemeral-0.qcow2', temporary: true })]);
  expect(disks[0]).toMatchObject({
    file: '/state/vms/web1/ephemeral-0.qcow2',
    backing: [{ file: '/vm/a.qcow2', format: 'qcow2' }],
  });
  expect(plan({ readOnly: true }, factsWith({ '/vm/a.qcow2': { image: { format: 'qcow2' } } }), true).steps).toEqual(
    [],
  );
});

test('a disk that cannot be written is given read-only, and that is said', () => {
  const { disks, notes } = plan({}, factsWith({ '/vm/a.qcow2': { writable: false, image: { format: 'qcow2' } } }));
  expect(disks[0]?.readOnly).toBe(true);
  expect(notes.join()).toMatch(/read-only/);
});
