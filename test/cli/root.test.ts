/** qrun run by root: QEMU never is root, what it may see is its own, and what root runs must be root's. */
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  createHome,
  createNamespace,
  isAlive,
  needsQemu,
  needsRoot,
  ownerFor,
  waitUntil,
  type Home,
  type HomeOptions,
} from '../harness/harness.ts';
import { argvOf, detach, eventually, leftOf, nothingLeft, ps, rowOf, statusOf, still } from './a-vm.ts';

beforeEach((context) => {
  needsRoot(context);
  needsQemu(context);
});

const rootsHome = (options: HomeOptions = {}): Home => createHome({ as: 'root', ...options });

const idsOf = (pid: number, name: 'Uid' | 'Gid'): number[] => statusOf(pid, name).split(/\s+/).map(Number);

/** Real, effective, saved and of the file system: all the same, and no capability of any kind. */
function expectDropped(pid: number, uid: number, gid: number): void {
  expect(idsOf(pid, 'Uid')).toEqual([uid, uid, uid, uid]);
  expect(idsOf(pid, 'Gid')).toEqual([gid, gid, gid, gid]);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
    expect({ set, value: statusOf(pid, set) }).toEqual({ set, value: '0000000000000000' });
}

/** Who QEMU runs as when the profile does not say: a user qrun, else nobody. */
async function defaultUser(home: Home): Promise<{ name: string; uid: number; gid: number }> {
  const { stdout } = await home.run(['sh', '-c', 'getent passwd qrun || getent passwd nobody']);
  const [name = '', , uid, gid] = stdout.split(':');
  return { name, uid: Number(uid), gid: Number(gid) };
}

/** Whether that user could read the file. */
async function readableBy(home: Home, uid: number, file: string): Promise<boolean> {
  const as = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--inh-caps=-all', '--'];
  return (await home.run([...as, 'cat', file])).status === 0;
}

describe('whom QEMU runs as', () => {
  test('an ordinary user without groups of root’s and without capabilities; the sockets are his, the state is not', async () => {
    const home = rootsHome();
    const { uid, gid } = await defaultUser(home);
    home.profile('web1', `${still}disks: [{ file: ${home.dir}/disk.qcow2, size: 1M }]\nfirmware: uefi\n`);
    expect(await home.qrun(['run', 'web1', '-d'], { env: { SECRET_OF_ROOT: 'x' } })).toMatchObject({ status: 0 });
    const { pid, qmp } = await rowOf(home, 'web1');
    expectDropped(pid, uid, gid);
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('SECRET_OF_ROOT');
    expect(statusOf(pid, 'Groups').split(/\s+/).filter(Boolean).map(Number)).not.toContain(0);
    expect(argvOf(pid)[0]).toMatch(/qemu-system/);
    const runtime = path.dirname(qmp ?? '');
    expect(statSync(runtime)).toMatchObject({ uid, gid, mode: 0o40700 });
    expect(statSync(`${home.dir}/disk.qcow2`)).toMatchObject({ uid, mode: 0o100600 });
    const state = path.join(home.state, 'vms/web1');
    expect(statSync(path.join(state, 'uefi-vars.fd'))).toMatchObject({ uid, mode: 0o100600 });
    const secret = readdirSync(state).filter((name) => name !== 'uefi-vars.fd');
    expect(secret).toEqual(
      expect.arrayContaining(['run.json', 'journal', 'leases.json', 'events', 'qemu.log', 'console.log']),
    );
    for (const name of secret) {
      const file = path.join(state, name);
      expect({ name, uid: statSync(file).uid, mode: statSync(file).mode & 0o777 }).toEqual({
        name,
        uid: 0,
        mode: 0o600,
      });
      expect({ name, readable: await readableBy(home, uid, file) }).toEqual({ name, readable: false });
    }
    for (const directory of [home.state, path.join(home.state, 'vms'), state])
      expect(statSync(directory).mode & 0o066).toBe(0);
    expect((await home.qrun(['stop', 'web1'])).status).toBe(0);
    expect(leftOf(home, 'web1')).toEqual([]);
  });

  test('the user of runAs, with his own groups', async () => {
    const home = rootsHome();
    const { name, uid, gid } = ownerFor('user');
    home.profile('web1', `${still}runAs: ${name}\n`);
    const { pid } = await detach(home, 'web1');
    expectDropped(pid, uid, gid);
    const groups = (await home.run(['id', '-G', name])).stdout.trim();
    expect(statusOf(pid, 'Groups').split(' ').toSorted()).toEqual(groups.split(' ').toSorted());
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  });

  test('is never root, by whatever name, nor a user that is not there', async () => {
    const namespace = await createNamespace();
    const passwd = `${namespace.dir}/passwd`;
    namespace.run([
      'sh',
      '-c',
      `(cat /etc/passwd; echo toor:x:0:0::/:/bin/sh) >${passwd} && mount --bind ${passwd} /etc/passwd`,
    ]);
    const home = rootsHome({ namespace });
    for (const [user, status, words] of [
      ['root', 2, 'QEMU never runs as root'],
      ['toor', 2, 'QEMU never runs as root'],
      ['nosuchuser', 3, 'there is no user "nosuchuser"'],
      ['"0"', 2, 'runAs'],
    ] as const) {
      home.profile('web1', `${still}runAs: ${user}\n`);
      const ended = await home.qrun(['web1', '-d']);
      expect({ user, status: ended.status, stderr: ended.stderr }).toEqual({
        user,
        status,
        stderr: expect.stringContaining(words),
      });
      expect(leftOf(home, 'web1')).toEqual([]);
    }
    expect(await ps(home)).toEqual([]);
  });

  test('show tells it, and its script does it', async () => {
    const home = rootsHome();
    const { uid, gid } = await defaultUser(home);
    home.profile('web1', still);
    const { stdout } = await home.qrun(['show', 'web1', '--json']);
    const { qemu } = JSON.parse(stdout) as { qemu: { prefix: string[] } };
    expect(qemu.prefix).toEqual(
      expect.arrayContaining([`--reuid=${uid}`, `--regid=${gid}`, '--inh-caps=-all', '--bounding-set=-all']),
    );
    const file = home.write('web1.sh', (await home.qrun(['show', 'web1', '--shell'])).stdout);
    const script = home.startProgram(['/bin/sh', file]);
    await eventually(async () => (await ps(home))[0]?.state === 'paused' || script.child.exitCode !== null);
    const { pid } = await rowOf(home, 'web1');
    expectDropped(pid, uid, gid);
    expect(statSync(path.join(home.runtime, 'web1'))).toMatchObject({ uid, mode: 0o40700 });
    expect((await home.qrun(['web1', '-d'])).status).toBe(4);
    script.kill('SIGTERM');
    expect((await script.end).status).toBe(143);
    expect(leftOf(home, 'web1')).toEqual([]);
    const planned = await home.run(['setpriv', '--reuid=65534', '--clear-groups', '/bin/sh', '-c', `exec /bin/sh`], {
      input: (await home.run(['cat', file])).stdout,
    });
    expect(planned).toMatchObject({ status: 3, stderr: 'this was planned for root\n' });
  });
});

describe('what that user may not read', () => {
  test('is an error that names him and the file, before QEMU starts', async () => {
    const home = rootsHome();
    const { name } = await defaultUser(home);
    home.write('secret.raw', 'x', 0o600);
    home.write('secret.kernel', 'x', 0o640);
    home.mkdir('closed');
    home.write('closed/disk.raw', 'x', 0o644);
    chmodSync(path.join(home.dir, 'closed'), 0o700);
    for (const [key, line, file] of [
      ['disks[0].file', `disks: [${home.dir}/secret.raw]`, 'secret.raw'],
      ['kernel', `kernel: ${home.dir}/secret.kernel`, 'secret.kernel'],
      ['cdrom', `cdrom: ${home.dir}/secret.raw`, 'secret.raw'],
      ['disks[0].file', `disks: [${home.dir}/closed/disk.raw]`, 'closed/disk.raw'],
      ['disks[0].base', `disks: [{ file: ${home.dir}/new.qcow2, base: ${home.dir}/secret.raw }]`, 'secret.raw'],
    ] as const) {
      home.profile('web1', `${still}${line}\n`);
      const { status, stderr } = await home.qrun(['web1', '-d']);
      expect({ line, status }).toEqual({ line, status: 3 });
      expect(stderr).toContain(`${key}: ${name}, whom root's QEMU runs as, may not read ${home.dir}/${file}`);
      expect(existsSync(path.join(home.state, 'vms/web1/qemu.log'))).toBe(false);
      expect(existsSync(path.join(home.dir, 'new.qcow2'))).toBe(false);
    }
  });

  test('a disk that he may read and not write is his to read, and that is said', async () => {
    const home = rootsHome();
    home.write('disk.raw', 'x'.repeat(512), 0o644);
    home.profile('web1', `${still}disks: [${home.dir}/disk.raw]\n`);
    const { status, stderr } = await home.qrun(['web1', '-d']);
    expect({ status, stderr }).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('the guest gets it read-only'),
    });
    await home.qrun(['kill', 'web1']);
    expect(statSync(`${home.dir}/disk.raw`)).toMatchObject({ uid: 0, mode: 0o100644 });
  });

  test('an ephemeral run of root’s writes an overlay that is his', async () => {
    const home = rootsHome();
    home.write('disk.raw', 'x'.repeat(512), 0o644);
    home.profile('web1', `${still}disks: [{ file: ${home.dir}/disk.qcow2, size: 1M }]\nephemeral: true\n`);
    await detach(home, 'web1');
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect(leftOf(home, 'web1')).toEqual([]);
  });
});

describe('what root runs must be root’s', () => {
  const run = async (home: Home, env: Record<string, string> = {}): Promise<number> => {
    const { status, stderr } = await home.qrun(['show', 'web1'], { env });
    if (status !== 0) expect(stderr).toContain('refused as root');
    return status;
  };

  test('ABUSE 5: a profile, or its directory, that others can write', async () => {
    const home = rootsHome();
    const file = home.profile('web1', still);
    expect(await run(home)).toBe(0);
    for (const mode of [0o620, 0o602, 0o666]) {
      chmodSync(file, mode);
      expect({ mode, status: await run(home) }).toEqual({ mode, status: 2 });
    }
    chmodSync(file, 0o644);
    for (const mode of [0o775, 0o757, 0o1777]) {
      chmodSync(path.dirname(file), mode);
      expect({ mode, status: await run(home) }).toEqual({ mode, status: 2 });
    }
    chmodSync(path.dirname(file), 0o755);
    expect(await run(home)).toBe(0);
  });

  test('ABUSE 6: another user’s profile, but not under sudo by that user', async () => {
    const home = rootsHome();
    const file = home.profile('web1', still);
    const { uid } = ownerFor('user');
    chownSync(file, uid, 0);
    expect(await run(home)).toBe(2);
    expect(await run(home, { SUDO_UID: '12345' })).toBe(2);
    expect(await run(home, { SUDO_UID: `${uid}x` })).toBe(2);
    expect(await run(home, { SUDO_UID: String(uid) })).toBe(0);
    chownSync(path.dirname(file), uid, 0);
    expect(await run(home, { SUDO_UID: String(uid) })).toBe(0);
    chownSync(file, 0, 0);
    expect(await run(home)).toBe(2);
  });

  test('a state directory that is another user’s', async () => {
    const home = rootsHome();
    home.profile('web1', still);
    chownSync(home.state, ownerFor('user').uid, 0);
    const { status, stderr } = await home.qrun(['web1', '-d']);
    expect({ status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining(home.state) });
  });
});

describe('the ends of a run', () => {
  test('kill, stop and gc work as root, and what the waiter would have done is done', async () => {
    const home = rootsHome();
    home.profile('web1', `${still}nics: [{ kind: user, forwards: ["auto:22"] }]\n`);
    for (const end of ['stop', 'kill', 'gc'] as const) {
      const { pid } = await detach(home, 'web1');
      const waiter = Number(statusOf(pid, 'PPid'));
      expect(idsOf(waiter, 'Uid')[0]).toBe(0);
      process.kill(waiter, 'SIGKILL');
      if (end === 'gc') {
        process.kill(pid, 'SIGKILL');
        await waitUntil(() => !isAlive(pid), 30_000);
      }
      const ended = await home.qrun([end, 'web1']);
      expect({ end, ...ended }).toMatchObject({ end, status: 0 });
      expect(isAlive(pid)).toBe(false);
      expect({ end, left: leftOf(home, 'web1') }).toEqual({ end, left: [] });
    }
    const { pid } = await detach(home, 'web1');
    process.kill(pid, 'SIGTERM');
    expect(await nothingLeft(home, 'web1')).toBe(true);
  });

  test('a link that QEMU’s user leaves in its own directory leads nobody astray', async () => {
    const home = rootsHome();
    home.profile('web1', still);
    const { pid, qmp } = await detach(home, 'web1');
    home.mkdir('victim');
    const victim = home.write('victim/file', 'kept');
    const planted = path.join(path.dirname(qmp ?? ''), 'planted');
    await home.run(['ln', '-s', path.dirname(victim), planted]);
    await home.run(['chown', '-h', String(idsOf(pid, 'Uid')[0]), planted]);
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect(leftOf(home, 'web1')).toEqual([]);
    expect(existsSync(victim)).toBe(true);
  });
});
