/** Disks with a real QEMU and qemu-img: made, opened literally, refused, and never left half made. */
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  bothQemus,
  createHome,
  createNamespace,
  isAlive,
  needsEitherQemu,
  needsQemu,
  needsRoot,
  ownerFor,
  type Home,
} from '../harness/harness.ts';
import { detach, leftOf, ps, still } from './a-vm.ts';

interface ImageInfo {
  readonly format: string;
  readonly 'virtual-size': number;
  readonly 'full-backing-filename'?: string;
  readonly 'backing-filename-format'?: string;
}

async function infoOf(home: Home, file: string): Promise<ImageInfo> {
  const { stdout, stderr } = await home.run(['qemu-img', 'info', '-U', '--output=json', file]);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as ImageInfo;
}

async function makeImage(home: Home, ...args: string[]): Promise<void> {
  const { status, stderr } = await home.run(['qemu-img', 'create', '-q', ...args]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

/** The files that a process has open. */
const openFiles = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));

const yaml = (value: unknown): string => JSON.stringify(value);

/** A start that is refused before QEMU: no log, no socket, no journal. */
async function refused(home: Home, name: string): Promise<{ status: number; stderr: string }> {
  const { status, stderr } = await home.qrun([name, '-d']);
  expect(existsSync(path.join(home.state, 'vms', name, 'qemu.log'))).toBe(false);
  expect(leftOf(home, name)).toEqual([]);
  return { status, stderr };
}

describe('size', () => {
  test('makes each format with that size, for its user alone, once', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile(
      'web1',
      `${still}disks:
  - { file: ../../one.qcow2, size: 3M }
  - { file: ../../two.raw, size: 1M }
  - { file: ../../three, format: raw, size: 2M }\n`,
    );
    await detach(home, 'web1');
    const files = ['one.qcow2', 'two.raw', 'three'].map((name) => path.join(home.dir, name));
    const infos = await Promise.all(files.map((file) => infoOf(home, file)));
    expect(infos.map((info) => [info.format, info['virtual-size'] / 1024 / 1024])).toEqual([
      ['qcow2', 3],
      ['raw', 1],
      ['raw', 2],
    ]);
    for (const file of files) expect(statSync(file)).toMatchObject({ uid: ownerFor('user').uid, mode: 0o100600 });
    await home.qrun(['kill', 'web1']);
    const before = files.map((file) => statSync(file).ino);
    const { pid } = await detach(home, 'web1');
    expect(files.map((file) => statSync(file).ino)).toEqual(before);
    expect(openFiles(pid)).toEqual(expect.arrayContaining(files));
    await home.qrun(['kill', 'web1']);
    expect(readdirSync(home.dir).filter((name) => name.startsWith('.qrun-'))).toEqual([]);
  });

  test('in a place that cannot be written, the disk goes to the own directory of the VM, and is found there again', async (context) => {
    needsQemu(context);
    const home = createHome();
    const place = home.mkdir('place');
    const file = home.write('place/web1.yaml', `${still}disks: [{ file: web1.qcow2, size: 1M }]\n`);
    chmodSync(place, 0o555);
    const own = path.join(home.state, 'vms/web1/web1.qcow2');
    const { status, stderr } = await home.qrun([file, '-d']);
    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining(`the disk is ${own}`) });
    const { ino } = statSync(own);
    expect(readdirSync(place)).toEqual(['web1.yaml']);
    await home.qrun(['kill', 'web1']);
    expect((await home.qrun([file, '-d'])).status).toBe(0);
    expect(statSync(own).ino).toBe(ino);
    await home.qrun(['kill', 'web1']);
    chmodSync(place, 0o755);
  });

  test('a disk that is missing and has no size is 2, in a line that names it', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', `${still}disks: [gone.qcow2]\n`);
    const { status, stderr } = await refused(home, 'web1');
    expect(status).toBe(2);
    expect(stderr).toMatch(/disks\[0\]\.file: there is no .*gone\.qcow2/);
  });
});

test('base: an overlay of it is made, and both are opened by QEMU with the formats that are stated', async (context) => {
  needsQemu(context);
  const home = createHome();
  const base = path.join(home.dir, 'the base, 1.raw');
  await makeImage(home, '-f', 'raw', base, '2M');
  home.profile('web1', `${still}disks: [{ file: ${home.dir}/web1.qcow2, base: ${yaml(base)} }]\n`);
  const { pid } = await detach(home, 'web1');
  const overlay = path.join(home.dir, 'web1.qcow2');
  expect(await infoOf(home, overlay)).toMatchObject({
    format: 'qcow2',
    'virtual-size': 2 * 1024 * 1024,
    'full-backing-filename': base,
    'backing-filename-format': 'raw',
  });
  expect(openFiles(pid)).toEqual(expect.arrayContaining([overlay, base]));
  const block = (await home.qrun(['monitor', 'web1', 'info', 'block'])).stdout;
  expect(block).toContain(`Backing file:     ${base} (chain depth: 1)`);
  await home.qrun(['kill', 'web1']);
  // and a base that leads on is no base
  await makeImage(home, '-f', 'qcow2', '-b', '/etc/hostname', '-F', 'raw', `${home.dir}/leads.qcow2`, '1M');
  home.profile('web2', `${still}disks: [{ file: ${home.dir}/web2.qcow2, base: ${home.dir}/leads.qcow2 }]\n`);
  expect(await refused(home, 'web2')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('"/etc/hostname", which the profile does not name'),
  });
});

describe('ABUSE 29: an image that leads to a file that the profile does not name', () => {
  test('is refused with 2 before QEMU starts, by its backing file', async (context) => {
    needsQemu(context);
    const home = createHome();
    for (const [name, backing] of [
      ['absolute', '/etc/shadow'],
      ['relative', '../../../../etc/shadow'],
      ['json', 'json:{"driver":"file","filename":"/etc/shadow"}'],
      ['nbd', 'nbd://127.0.0.1:1'],
    ] as const) {
      const file = path.join(home.dir, `${name}.qcow2`);
      await makeImage(home, '-u', '-f', 'qcow2', '-b', backing, '-F', 'raw', file, '1M');
      home.profile(name, `${still}disks: [${name}.qcow2]\n`.replace(`${name}.qcow2`, `../../${name}.qcow2`));
      const { status, stderr } = await refused(home, name);
      expect({ name, status }).toEqual({ name, status: 2 });
      expect(stderr).toContain(`${JSON.stringify(backing)}, which the profile does not name`);
    }
  });

  test('by its data file', async (context) => {
    needsQemu(context);
    const home = createHome();
    const file = path.join(home.dir, 'evil.qcow2');
    await makeImage(home, '-f', 'qcow2', '-o', `data_file=${home.dir}/outside.raw,data_file_raw=on`, file, '1M');
    home.profile('web1', `${still}disks: [${file}]\n`);
    const { status, stderr } = await refused(home, 'web1');
    expect(status).toBe(2);
    expect(stderr).toContain('outside.raw');
  });

  test('and one whose header says another format than the profile', async (context) => {
    needsQemu(context);
    const home = createHome();
    const file = path.join(home.dir, 'disk.qcow2');
    await makeImage(home, '-f', 'vdi', file, '1M');
    home.profile('web1', `${still}disks: [${file}]\n`);
    expect(await refused(home, 'web1')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('is not qcow2: its header says vdi'),
    });
  });
});

test('a raw disk into which a guest wrote a qcow2 header stays raw', async (context) => {
  needsQemu(context);
  const home = createHome();
  const file = path.join(home.dir, 'disk.raw');
  await makeImage(home, '-f', 'qcow2', '-b', '/etc/hostname', '-F', 'raw', file, '64M');
  home.profile('web1', `${still}disks: [${file}]\n`);
  const { pid } = await detach(home, 'web1');
  const block = (await home.qrun(['monitor', 'web1', 'info', 'block', '-v'])).stdout;
  expect(block).toMatch(/disk0.*: .*disk\.raw \(raw\)/);
  expect(block).not.toMatch(/Backing file|64 MiB/);
  expect(openFiles(pid)).not.toContain('/etc/hostname');
  await home.qrun(['kill', 'web1']);
});

const oddNames = [
  'a,readonly=on.qcow2',
  'two  blanks .qcow2',
  'nbd:localhost:1.qcow2',
  '-f.qcow2',
  'it\'s "quoted" $HOME `id`.qcow2',
  '%41\\x41.qcow2',
  'ünï.qcow2',
  '{}.qcow2',
];

describe.each(bothQemus)('ABUSE 21: with QEMU %s', (which) => {
  test('a disk is the file of that very name, made and opened', async (context) => {
    const qemu = needsEitherQemu(context, which);
    const home = createHome({ qemu });
    const place = home.mkdir('place');
    // what begins with a word and a colon is only a path when it says so
    const disks = oddNames.map((name) => ({ file: `./${name}`, size: '1M' }));
    const profile = home.write(
      'place/web1.yaml',
      `${still}${yaml({ disks }).slice(1, -1).replace('"disks":', 'disks: ')}\n`,
    );
    const { status, stderr } = await home.qrun([profile, '-d']);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    const [row] = await ps(home);
    const wanted = oddNames.map((name) => path.join(place, name)).toSorted();
    expect(
      openFiles(row?.pid ?? 0)
        .filter((file) => file.startsWith(place))
        .toSorted(),
    ).toEqual(wanted);
    await home.qrun(['kill', 'web1']);
    const overlays = await home.qrun([profile, '-d', '--ephemeral']);
    expect({ status: overlays.status, stderr: overlays.stderr }).toMatchObject({ status: 0 });
    await home.qrun(['kill', 'web1']);
    expect(readdirSync(place).toSorted()).toEqual(['web1.yaml', ...oddNames].toSorted());
  });

  test('two VMs with one disk: the second is 4, leaves nothing, and the first lives', async (context) => {
    const qemu = needsEitherQemu(context, which);
    const home = createHome({ qemu });
    for (const name of ['one', 'two'])
      home.profile(name, `${still}disks: [{ file: ${home.dir}/disk.qcow2, size: 1M }]\n`);
    const one = await detach(home, 'one');
    const { status, stderr } = await home.qrun(['two', '-d']);
    expect({ status, stderr }).toMatchObject({ status: 4, stderr: expect.stringContaining('disk.qcow2') });
    expect(leftOf(home, 'two')).toEqual(['one']);
    expect(isAlive(one.pid)).toBe(true);
    await home.qrun(['kill', 'one']);
    expect(existsSync(`${home.dir}/disk.qcow2`)).toBe(true);
    await detach(home, 'two');
    await home.qrun(['kill', 'two']);
  });
});

describe('ABUSE 22: what is no file', () => {
  test.each([
    'json:{"driver":"file","filename":"/etc/shadow"}',
    'fat:rw:/',
    'nbd://127.0.0.1/x.qcow2',
    'http://127.0.0.1/x.qcow2',
    'ssh://127.0.0.1/x.raw',
    'file:/etc/shadow',
    '/dev/sda',
    '/dev/fdset/1',
    '/dev/zero',
    '/etc',
  ])('%s is 2, and QEMU is not started', async (file) => {
    const home = createHome();
    for (const key of ['disk', 'cdrom']) {
      const name = `by-${key}`;
      home.profile(
        name,
        `${still}${key === 'disk' ? `disks: [{ file: ${yaml(file)}, format: qcow2 }]` : `cdrom: ${yaml(file)}`}\n`,
      );
      expect({ key, ...(await refused(home, name)) }).toMatchObject({ key, status: 2 });
    }
  });

  test('a FIFO is 2 and nothing waits for it', async () => {
    const home = createHome();
    await home.run(['mkfifo', `${home.dir}/disk.qcow2`]);
    home.profile('web1', `${still}disks: [${home.dir}/disk.qcow2]\n`);
    expect(await refused(home, 'web1')).toMatchObject({ status: 2, stderr: expect.stringContaining('disk.qcow2') });
  });
});

describe('ABUSE 51: no space for a disk', () => {
  test('is a clean failure that names the disk, nothing is left, and with space it works', async (context) => {
    needsRoot(context);
    needsQemu(context);
    const namespace = await createNamespace();
    const home = createHome({ namespace });
    const place = home.mkdir('place');
    expect(namespace.run(['mount', '-t', 'tmpfs', '-o', 'size=64k,mode=1777', 'tmpfs', place]).status).toBe(0);
    home.profile('web1', `${still}disks: [{ file: ${place}/disk.qcow2, size: 1M }]\n`);
    const { status, stdout, stderr } = await home.qrun(['web1', '-d']);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toMatch(/disk\.qcow2: the disk could not be created[\s\S]*No space left on device/);
    expect(namespace.run(['ls', '-A', place]).stdout).toBe('');
    expect(leftOf(home, 'web1')).toEqual([]);
    namespace.run(['mount', '-o', 'remount,size=4m', place]);
    await detach(home, 'web1');
    await home.qrun(['kill', 'web1']);
    expect(namespace.run(['ls', '-A', place]).stdout).toBe('disk.qcow2\n');
  });

  test('nor for the overlay of an ephemeral run', async (context) => {
    needsRoot(context);
    needsQemu(context);
    const namespace = await createNamespace();
    const home = createHome({ namespace });
    home.profile('web1', `${still}ephemeral: true\ndisks: [{ file: ${home.dir}/disk.raw, size: 1M }]\n`);
    await detach(home, 'web1');
    await home.qrun(['kill', 'web1']);
    expect(
      namespace.run(['mount', '-t', 'tmpfs', '-o', 'size=64k,mode=700', 'tmpfs', `${home.state}/vms/web1`]).status,
    ).toBe(0);
    namespace.run(['chown', String(ownerFor('user').uid), `${home.state}/vms/web1`]);
    const { status, stderr } = await home.qrun(['web1', '-d']);
    expect({ status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining('No space left on device') });
    expect(namespace.run(['ls', '-A', `${home.state}/vms/web1`]).stdout).not.toMatch(/ephemeral|journal|run\.json/);
    expect(existsSync(`${home.dir}/disk.raw`)).toBe(true);
  });
});

describe('UEFI variables', () => {
  test('are made once, are the own of the VM, outlive runs and rm, and go with rm --disks', async (context) => {
    needsQemu(context);
    const home = createHome();
    const profile = `${still}firmware: uefi\ndisks: [{ file: ${home.dir}/disk.qcow2, size: 1M }]\n`;
    home.profile('web1', profile);
    const variables = path.join(home.state, 'vms/web1/uefi-vars.fd');
    const first = await detach(home, 'web1');
    expect(openFiles(first.pid)).toContain(variables);
    expect(statSync(variables).mode & 0o077).toBe(0);
    await home.qrun(['kill', 'web1']);
    const owned = readFileSync(variables);
    owned.write('mine', owned.length - 4);
    writeFileSync(variables, owned);
    chownSync(variables, ownerFor('user').uid, ownerFor('user').gid);
    await detach(home, 'web1');
    await home.qrun(['kill', 'web1']);
    expect(readFileSync(variables).subarray(-4).toString()).toBe('mine');
    expect((await home.qrun(['rm', 'web1'])).status).toBe(0);
    expect(existsSync(variables)).toBe(true);
    expect(existsSync(`${home.dir}/disk.qcow2`)).toBe(true);
    home.profile('web1', profile);
    expect((await home.qrun(['rm', '--disks', 'web1'])).status).toBe(0);
    expect(existsSync(variables)).toBe(false);
    expect(existsSync(`${home.dir}/disk.qcow2`)).toBe(false);
    expect(existsSync(path.join(home.state, 'vms/web1'))).toBe(false);
  });

  test('a base is nobody’s to remove, nor a disk that the guest cannot write', async (context) => {
    needsQemu(context);
    const home = createHome();
    await makeImage(home, '-f', 'raw', `${home.dir}/base.raw`, '1M');
    await makeImage(home, '-f', 'raw', `${home.dir}/shared.raw`, '1M');
    home.profile(
      'web1',
      `${still}disks: [{ file: ${home.dir}/own.qcow2, base: ${home.dir}/base.raw }, { file: ${home.dir}/shared.raw, readOnly: true }]\n`,
    );
    await detach(home, 'web1');
    await home.qrun(['kill', 'web1']);
    expect((await home.qrun(['rm', '--disks', 'web1'])).status).toBe(0);
    expect(
      readdirSync(home.dir)
        .filter((name) => /\.(raw|qcow2)$/.test(name))
        .toSorted(),
    ).toEqual(['base.raw', 'shared.raw']);
  });
});
