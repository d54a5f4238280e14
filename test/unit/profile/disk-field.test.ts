import { describe, expect, test } from 'vitest';
import { directory, faultsOf, home, profileOf, saidOf } from './profile-text.ts';

describe('a disk', () => {
  const disk = (keys: string) => profileOf(`disks: [${keys}]`).disks[0];

  test.each([
    ['a.qcow2', 'qcow2'],
    ['a.img', 'raw'],
    ['a.raw', 'raw'],
    ['a.VMDK', 'vmdk'],
    ['a.vdi', 'vdi'],
    ['a.vhdx', 'vhdx'],
    ['{ file: a, format: vdi }', 'vdi'],
    ['{ file: a.img, format: qcow2 }', 'qcow2'],
  ])('%s is %s', (keys, format) => {
    expect(disk(keys)).toMatchObject({ format, readOnly: false });
  });

  test('says everything else in words too', () => {
    expect(disk('{ file: sub/a.qcow2, size: 1.5G, base: ../b.img, readOnly: true }')).toEqual({
      file: `${directory}/sub/a.qcow2`,
      written: 'sub/a.qcow2',
      format: 'qcow2',
      sizeBytes: 1.5 * 1024 ** 3,
      base: '/srv/b.img',
      readOnly: true,
    });
  });

  test('from a CD is read-only unless it says otherwise', () => {
    expect(disk('x.iso')).toMatchObject({ format: 'raw', readOnly: true });
    expect(disk('{ file: x.iso, readOnly: false }')).toMatchObject({ readOnly: false });
  });

  test('tells its format, for none is ever probed', () => {
    const message = 'the name "disk" does not tell the format: state "format: qcow2" or "format: raw"';
    expect(saidOf('disks: [disk]')).toEqual([`1:9 disks[0]: ${message}`]);
    expect(saidOf('disks: [{ file: disk, size: 1G }]')).toEqual([`1:17 disks[0].file: ${message}`]);
  });

  test('is qcow2 when it has a base, and no other disk', () => {
    expect(saidOf('disks: [{ file: a.img, base: b.qcow2 }]')).toEqual([
      '1:30 disks[0].base: an overlay of a base is qcow2, and this disk is raw',
    ]);
    expect(saidOf('disks:\n  - a.qcow2\n  - ./a.qcow2\n')).toEqual([
      '3:5 disks[1]: this is the file of disks[0] already',
    ]);
  });

  test.each(['20', '20GB', '0G', '1', '-1G', '1e3G', '9999999T', '0.1K'])('has no size of %s', (size) => {
    expect(faultsOf(`disks: [{ file: a.img, size: ${size} }]`)).toMatchObject([{ path: 'disks[0].size' }]);
  });

  test('cannot lie in somebody else’s home, nor in one that is not known', () => {
    expect(faultsOf('disks: [~root/a.img]')).toHaveLength(1);
    expect(profileOf('disks: [~/a.img]').disks[0]?.file).toBe(`${home}/a.img`);
  });
});
