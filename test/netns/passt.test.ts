/** `kind: passt` with VMs that stand still: started before QEMU, gone after it, whoever is killed. In a namespace, because it needs a default route. */
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import {
  bothQemus,
  createHome,
  isAlive,
  needsEitherQemu,
  needsFile,
  needsQemu,
  needsRoot,
  ownerFor,
  readProcessesNaming,
  waitUntil,
  type Home,
  type Namespace,
} from '../harness/harness.ts';
import { argvOf, detach, leftOf, nothingLeft, rowOf, statusOf, still } from '../cli/a-vm.ts';
import { sideBySide } from '../cli/side-by-side.ts';
import { createRoutedHost, uplinkAddresses } from './a-routed-host.ts';

function needsPasst(context: TestContext): void {
  needsRoot(context);
  needsFile(context, '/usr/bin/passt');
}

const withForwards = (...forwards: readonly string[]): string =>
  `${still}nics: [{ kind: passt, forwards: ${JSON.stringify(forwards)} }]\n`;

/** The passt of this home's, by its arguments. */
function passtOf(home: Home): number[] {
  return readProcessesNaming(home.runtime)
    .map(({ pid }) => pid)
    .filter((pid) => /(^|\/)passt(\.avx2)?$/.test(argvOf(pid)[0] ?? ''));
}

async function onlyPasstOf(home: Home): Promise<number> {
  const pids = passtOf(home);
  expect(pids).toHaveLength(1);
  return pids[0] ?? 0;
}

/** What listens in the namespace, as `tcp 127.0.0.1:8080`. */
function listening(host: Namespace): string[] {
  const { stdout } = host.run(['ss', '-Hlntu']);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/))
    .map(([protocol = '', , , , local = '']) => `${protocol} ${local}`)
    .toSorted();
}

const parentOf = (pid: number): number => Number(statusOf(pid, 'PPid'));

describe('a life', () => {
  test.for(bothQemus)(
    'ABUSE 31: it has its ports before the guest runs, and gives them back, with the %s QEMU',
    async (which, context) => {
      needsPasst(context);
      const qemu = needsEitherQemu(context, which);
      const host = await createRoutedHost();
      const home = createHome({ qemu, namespace: host });
      home.profile('web1', withForwards('18080:80', 'auto:22', '18053:53/udp', '[::1]:18081:80', '%up0:auto:443'));
      const row = await detach(home, 'web1');
      const ports = row.nics[0]?.forwards?.map(({ hostPort }) => hostPort) ?? [];
      expect(listening(host)).toEqual(
        [
          'tcp 127.0.0.1:18080',
          `tcp 127.0.0.1:${ports[1]}`,
          `tcp ${uplinkAddresses.ipv4}:${ports[4]}`,
          'tcp [::1]:18081',
          `tcp [${uplinkAddresses.ipv6}]:${ports[5]}`,
          'udp 127.0.0.1:18053',
        ].toSorted(),
      );
      const passt = await onlyPasstOf(home);
      // not the terminal's, not root's, and not the lock's
      expect(statusOf(passt, 'Uid')).toBe(statusOf(row.pid, 'Uid'));
      expect(statusOf(passt, 'Uid')).not.toMatch(/^0\t/);
      expect(argvOf(passt)).toEqual(expect.arrayContaining(['--one-off', '--socket']));
      expect(JSON.parse((await home.qrun(['nics', 'web1', '--json'])).stdout)[0]).not.toHaveProperty('link');
      expect((await home.qrun(['stop', 'web1'])).status).toBe(0);
      expect(await nothingLeft(home, 'web1')).toBe(true);
      expect(isAlive(passt)).toBe(false);
      expect(listening(host)).toEqual([]);
      // the same port the next time
      const again = await detach(home, 'web1');
      expect(again.nics[0]?.forwards?.map(({ hostPort }) => hostPort)).toEqual(ports);
      expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
      expect(await nothingLeft(home, 'web1')).toBe(true);
    },
  );

  test('two of them on one VM; its sandbox is as strict as ever', async (context) => {
    needsPasst(context);
    needsQemu(context);
    const home = createHome({ namespace: await createRoutedHost() });
    home.profile('web1', `${still}nics: [passt, { kind: passt, id: second, forwards: ["auto:22"] }]\n`);
    const { pid } = await detach(home, 'web1');
    expect(passtOf(home)).toHaveLength(2);
    expect(argvOf(pid)).toContain('on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny');
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect(await waitUntil(() => passtOf(home).length === 0, 30_000)).toBe(true);
    expect(await nothingLeft(home, 'web1')).toBe(true);
  });

  test("root's is neither root's nor anybody's who could reach it", async (context) => {
    needsPasst(context);
    needsQemu(context);
    const home = createHome({ as: 'root', namespace: await createRoutedHost() });
    home.profile('web1', withForwards('auto:22'));
    const { pid } = await detach(home, 'web1');
    const passt = await onlyPasstOf(home);
    expect(statusOf(passt, 'Uid')).toBe(statusOf(pid, 'Uid'));
    expect(statusOf(passt, 'Uid')).not.toMatch(/^0\t/);
    expect((await home.qrun(['stop', 'web1'])).status).toBe(0);
    expect(await nothingLeft(home, 'web1')).toBe(true);
  });

  test('a script of show --shell starts it and takes it along', async (context) => {
    needsPasst(context);
    needsQemu(context);
    const host = await createRoutedHost();
    const home = createHome({ namespace: host });
    home.profile('web1', withForwards('18080:80', 'auto:22'));
    const script = home.write('web1.sh', (await home.qrun(['show', 'web1', '--shell'])).stdout);
    expect((await home.run(['shellcheck', '-s', 'sh', '-e', 'SC2034', '-S', 'warning', script])).stdout).toBe('');
    const running = home.startProgram(['/bin/sh', script], { timeoutMs: 60_000 });
    await running.waitFor(/^port \d+ of 127\.0\.0\.1 is port 22\/tcp of the guest$/m);
    expect(await waitUntil(() => listening(host).length === 2, 30_000)).toBe(true);
    const passt = await onlyPasstOf(home);
    running.kill('SIGTERM');
    expect((await running.end).status).toBe(128 + 15);
    expect(isAlive(passt)).toBe(false);
    expect(leftOf(home, 'web1')).toEqual([]);
  });
});

test('where AppArmor confines it, its files lie below /tmp, and nothing of them stays', async (context) => {
  needsPasst(context);
  needsQemu(context);
  needsFile(context, '/etc/apparmor.d/usr.bin.passt');
  const host = await createRoutedHost();
  const pretend = 'mount -t tmpfs none /sys/module && mkdir -p /sys/module/apparmor/parameters && echo Y >"$0"';
  expect(host.run(['sh', '-c', pretend, '/sys/module/apparmor/parameters/enabled'])).toMatchObject({ status: 0 });
  // a place that is neither home nor /tmp, as /run/user/UID is
  expect(host.run(['mount', '-t', 'tmpfs', '-o', 'mode=1777', 'none', '/mnt'])).toMatchObject({ status: 0 });
  const home = createHome({ namespace: host, env: { QRUN_RUNTIME_DIR: '/mnt/run' } });
  home.profile('web1', withForwards('auto:22'));
  const { uid } = ownerFor('user');
  await detach(home, 'web1');
  const [passt] = readProcessesNaming(home.dir).filter(({ pid }) => argvOf(pid)[0]?.endsWith('/passt'));
  const argv = argvOf(passt?.pid ?? 0);
  const socket = argv[argv.indexOf('--socket') + 1] ?? '';
  expect(socket).toMatch(new RegExp(`^/tmp/qrun-${uid}/passt-[0-9a-f]+/passt0$`));
  expect(existsSync(socket)).toBe(true);
  expect((await home.qrun(['stop', 'web1'])).status).toBe(0);
  expect(await waitUntil(() => !existsSync(path.dirname(socket)), 30_000)).toBe(true);
  // what is above it is that user's own place; empty it is this test's
  if (readdirSync(`/tmp/qrun-${uid}`).length === 0) rmdirSync(`/tmp/qrun-${uid}`);
});

describe('somebody is killed', () => {
  async function runningVm(context: TestContext): Promise<{ home: Home; pid: number; passt: number }> {
    needsPasst(context);
    needsQemu(context);
    const home = createHome({ namespace: await createRoutedHost() });
    home.profile('web1', withForwards('18080:80', 'auto:22'));
    const { pid } = await detach(home, 'web1');
    return { home, pid, passt: await onlyPasstOf(home) };
  }

  test('QEMU: passt ends by itself, and the release tidies', async (context) => {
    const { home, pid, passt } = await runningVm(context);
    process.kill(pid, 'SIGKILL');
    expect(await waitUntil(() => !isAlive(passt), 30_000)).toBe(true);
    expect(await nothingLeft(home, 'web1')).toBe(true);
  });

  test('the waiter, then QEMU: passt ends by itself, and gc tidies', async (context) => {
    const { home, pid, passt } = await runningVm(context);
    process.kill(parentOf(pid), 'SIGKILL');
    expect(isAlive(pid) && isAlive(passt)).toBe(true);
    process.kill(pid, 'SIGKILL');
    expect(await waitUntil(() => !isAlive(passt), 30_000)).toBe(true);
    expect((await home.qrun(['gc'])).status).toBe(0);
    expect(leftOf(home, 'web1')).toEqual([]);
  });

  test('passt: the VM lives, ps and nics say that the NIC does not, and the next start works', async (context) => {
    const { home, pid, passt } = await runningVm(context);
    process.kill(passt, 'SIGKILL');
    expect(await waitUntil(() => readEvents(home).includes('NETDEV_STREAM_DISCONNECTED'), 30_000)).toBe(true);
    expect(isAlive(pid)).toBe(true);
    expect((await home.qrun(['ps'])).stdout).toContain('net0:passt (lost)');
    expect(JSON.parse((await home.qrun(['nics', 'web1', '--json'])).stdout)).toMatchObject([{ link: 'lost' }]);
    expect((await home.qrun(['stop', 'web1'])).status).toBe(0);
    expect(await nothingLeft(home, 'web1')).toBe(true);
    await detach(home, 'web1');
    expect(JSON.parse((await home.qrun(['nics', 'web1', '--json'])).stdout)[0]).not.toHaveProperty('link');
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  });

  test('all at once', async (context) => {
    const { home, pid, passt } = await runningVm(context);
    for (const one of [parentOf(pid), passt, pid]) process.kill(one, 'SIGKILL');
    expect(await waitUntil(() => !isAlive(pid), 30_000)).toBe(true);
    await detach(home, 'web1');
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect(await nothingLeft(home, 'web1')).toBe(true);
  });

  test('the script: gc ends the passt that it started', async (context) => {
    needsPasst(context);
    needsQemu(context);
    const home = createHome({ namespace: await createRoutedHost() });
    home.profile('web1', withForwards('auto:22'));
    const script = home.write('web1.sh', (await home.qrun(['show', 'web1', '--shell'])).stdout);
    const running = home.startProgram(['/bin/sh', script], { timeoutMs: 60_000 });
    await running.waitFor(/^port \d+ of/m);
    expect(await waitUntil(() => existsSync(path.join(home.runtime, 'web1/qmp')), 30_000)).toBe(true);
    const passt = await onlyPasstOf(home);
    const { pid } = await rowOf(home, 'web1').catch(() => ({ pid: 0 }));
    for (const { pid: one } of readProcessesNaming(script)) process.kill(one, 'SIGKILL');
    if (pid > 0) process.kill(pid, 'SIGKILL');
    for (const { pid: one } of readProcessesNaming(home.runtime)) if (one !== passt) process.kill(one, 'SIGKILL');
    await running.end;
    expect(await waitUntil(() => readProcessesNaming(home.runtime).every((one) => one.pid === passt), 30_000)).toBe(
      true,
    );
    expect((await home.qrun(['gc'])).status).toBe(0);
    expect(isAlive(passt)).toBe(false);
    expect(leftOf(home, 'web1')).toEqual([]);
  });
});

const readEvents = (home: Home): string => readFileSync(path.join(home.state, 'vms/web1/events'), 'utf8');

describe('ABUSE 64: qrun at each step of it', () => {
  const points = [
    'acquire:passt:net0',
    'acquired:passt:net0',
    'spawn',
    'spawned',
    'release:passt:net0',
    'released:passt:net0',
  ];

  test.for(['kill', 'throw'] as const)('%s: gc or the next start leaves nothing', async (how, context) => {
    needsPasst(context);
    needsQemu(context);
    const host = await createRoutedHost();
    await sideBySide(points, async (point) => {
      const home = createHome({ namespace: host });
      home.profile('web1', withForwards('auto:22'));
      const env = { QRUN_FAILPOINT: `${point}:${how}` };
      if (point.startsWith('release')) await endWith(home, env);
      else await home.qrun(['web1', '-d'], { env });
      for (const { pid } of JSON.parse((await home.qrun(['ps', '--json'])).stdout) as { pid: number }[])
        expect(pid > 0 && (await home.qrun(['kill', 'web1'])).status).toBe(0);
      expect((await home.qrun(['gc'])).status).toBe(0);
      expect({ point, passt: passtOf(home), left: leftOf(home, 'web1') }).toEqual({ point, passt: [], left: [] });
      await detach(home, 'web1');
      expect(passtOf(home)).toHaveLength(1);
      expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
      expect(await nothingLeft(home, 'web1')).toBe(true);
      await home.dispose();
    });
  });

  /** Its release is run by gc, with the failpoint. */
  async function endWith(home: Home, env: Record<string, string>): Promise<void> {
    const { pid } = await detach(home, 'web1');
    process.kill(parentOf(pid), 'SIGKILL');
    process.kill(pid, 'SIGKILL');
    expect(await waitUntil(() => !isAlive(pid), 30_000)).toBe(true);
    await home.qrun(['gc'], { env });
  }

  test('killed with a passt that nobody has joined: the next start ends it', async (context) => {
    needsPasst(context);
    needsQemu(context);
    const home = createHome({ namespace: await createRoutedHost() });
    home.profile('web1', withForwards('18080:80'));
    await home.qrun(['web1', '-d'], { env: { QRUN_FAILPOINT: 'acquired:passt:net0:kill' } });
    const before = await onlyPasstOf(home);
    await detach(home, 'web1');
    expect(isAlive(before)).toBe(false);
    expect(await onlyPasstOf(home)).not.toBe(before);
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  });
});

describe('what is wrong is said before QEMU starts', () => {
  async function refused(home: Home, forwards: readonly string[] = []): Promise<{ status: number; stderr: string }> {
    home.profile('web1', withForwards(...forwards));
    const { status, stderr } = await home.qrun(['web1', '-d']);
    expect(leftOf(home, 'web1')).toEqual([]);
    expect(passtOf(home)).toEqual([]);
    return { status, stderr };
  }

  test('no passt: exit 3, and the package', async (context) => {
    needsPasst(context);
    needsQemu(context);
    const host = await createRoutedHost();
    expect(host.run(['mount', '--bind', '/dev/null', '/usr/bin/passt'])).toMatchObject({ status: 0 });
    const home = createHome({ namespace: host });
    expect(await refused(home)).toEqual({ status: 3, stderr: expect.stringContaining('apt-get install passt') });
    const checks = JSON.parse((await home.qrun(['doctor', '--json'])).stdout) as { id: string }[];
    expect(checks).toContainEqual(
      expect.objectContaining({ id: 'passt', state: 'warn', mend: 'sudo apt-get install passt' }),
    );
  });

  test('no default route, no interface at all: before it is started, and by doctor too', async (context) => {
    needsPasst(context);
    needsQemu(context);
    const host = await createRoutedHost([]);
    const home = createHome({ namespace: host });
    const why = /nics\[0\]: passt finds no interface of this host with a default route/;
    const words = { status: 3, stderr: expect.stringMatching(new RegExp(`${why.source}\n(.*\n)*hint: ip route`)) };
    expect(await refused(home)).toEqual(words);
    const { status, stdout } = await home.qrun(['doctor', 'web1', '--json']);
    const evidence = expect.stringMatching(why) as string;
    expect(JSON.parse(stdout)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ id: 'nic-net0', state: 'fail', evidence }),
        expect.objectContaining({ id: 'profile', state: 'fail', evidence }),
      ]),
    );
    expect(status).toBe(3);
    expect(host.run(['ip', 'link', 'del', 'up0'])).toMatchObject({ status: 0 });
    expect(await refused(home)).toEqual(words);
  });

  test('a forward on IPv6 where IPv6 leads nowhere', async (context) => {
    needsPasst(context);
    needsQemu(context);
    const home = createHome({ namespace: await createRoutedHost(['ipv4']) });
    expect(await refused(home, ['[::1]:18080:80'])).toEqual({
      status: 3,
      stderr: expect.stringContaining('IPv6 default route'),
    });
  });

  test('ABUSE 35: a port that is taken, by whom; one that only root may bind; an address of another host', async (context) => {
    needsPasst(context);
    needsQemu(context);
    const host = await createRoutedHost();
    const home = createHome({ namespace: host });
    const other = home.startProgram(['socat', '-u', 'UDP-RECV:18053,bind=127.0.0.1', '/dev/null']);
    expect(await waitUntil(() => listening(host).includes('udp 127.0.0.1:18053'), 30_000)).toBe(true);
    expect(await refused(home, ['18053:53/udp'])).toEqual({
      status: 4,
      stderr: expect.stringMatching(/udp port 18053 on 127\.0\.0\.1 is in use by socat \(pid \d+\)/),
    });
    other.kill('SIGTERM');
    await other.end;
    expect(await refused(home, ['80:80'])).toEqual({
      status: 3,
      stderr: expect.stringContaining('ordinary users may not bind it'),
    });
    expect(await refused(home, ['198.51.100.1:18080:80'])).toEqual({
      status: 3,
      stderr: expect.stringContaining('no such address'),
    });
  });

  test('two VMs that want one port: the first keeps it', async (context) => {
    needsPasst(context);
    needsQemu(context);
    const home = createHome({ namespace: await createRoutedHost() });
    for (const name of ['web1', 'web2']) home.profile(name, withForwards('18080:80'));
    await detach(home, 'web1');
    const passt = await onlyPasstOf(home);
    expect(await home.qrun(['web2', '-d'])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining(`is in use by passt (pid ${passt})`),
    });
    expect(isAlive(passt)).toBe(true);
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  });
});

test('no descriptor of the launch goes to passt', async (context) => {
  needsPasst(context);
  needsQemu(context);
  const home = createHome({ namespace: await createRoutedHost() });
  home.profile('web1', withForwards('auto:22'));
  await detach(home, 'web1');
  const passt = await onlyPasstOf(home);
  expect(targetsOf(passt)).not.toEqual([]);
  expect(targetsOf(passt).filter((target) => target.startsWith(home.state) && !target.endsWith('.log'))).toEqual([]);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});

/** What stands behind its descriptors; paths as it sees them. */
function targetsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
}
