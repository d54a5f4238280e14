/** NICs of kinds mcast, stream, dgram and l2tpv3 through the real command, with QEMUs that stand still: what is refused, what is said, what is left. */
import { existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  bothQemus,
  createHome,
  needsEitherQemu,
  needsQemu,
  needsRoot,
  ownerFor,
  waitUntil,
  type Home,
  type Result,
} from '../harness/harness.ts';
import { detach, eventually, leftOf, nothingLeft, ps, rowOf, still } from './a-vm.ts';
import { freePort } from './free-port.ts';

const nic = (keys: string): string => `${still}nics: [{ ${keys} }]\n`;

async function start(home: Home, name: string, keys: string): Promise<Result> {
  home.profile(name, nic(keys));
  return await home.qrun(['run', name, '-d']);
}

const network = async (home: Home, name: string): Promise<string> =>
  (await home.qrun(['monitor', name, 'info', 'network'])).stdout;

/** Every end of a cable in one row: both VMs of the test are ended. */
async function end(home: Home, ...names: string[]): Promise<void> {
  expect((await home.qrun(['kill', ...names])).status).toBe(0);
  for (const name of names) expect(await nothingLeft(home, name)).toBe(true);
}

describe('bad input is exit 2, with its place and a caret', () => {
  test.each([
    ['kind: mcast, group: 10.0.0.1:5000', 'no multicast address', '10.0.0.1:5000'],
    ['kind: mcast, group: 240.0.0.1:5000', 'no multicast address', '240.0.0.1:5000'],
    ['kind: mcast, group: 230.0.0.1:0', 'no port', '230.0.0.1:0'],
    ['kind: mcast, group: "[ff02::1]:5000"', "QEMU's multicast is IPv4 alone", '"[ff02::1]:5000"'],
    ['kind: mcast, group: "230.0.0.1:5000,localaddr=0.0.0.0"', 'is no port', '"230.0.0.1:5000,localaddr=0.0.0.0"'],
    ['kind: stream, listen: 127.0.0.1:70000', 'no port', '127.0.0.1:70000'],
    ['kind: stream, connect: "5000"', 'neither host:port nor a path', '"5000"'],
    [`kind: stream, listen: /tmp/${'x'.repeat(103)}`, 'at most 107 bytes', `/tmp/${'x'.repeat(103)}`],
    ['kind: dgram, local: 127.0.0.1:5, remote: 127.0.0.1:5', 'both ends are the same', '127.0.0.1:5'],
    ['kind: dgram, local: "[::1]:5", remote: "[::1]:6"', "QEMU's dgram is IPv4 alone", '"[::1]:5"'],
    ['kind: l2tpv3, source: 127.0.0.1:5, destination: "[::1]:5", sessions: { tx: 1, rx: 1 }', 'IPv6', '"[::1]:5"'],
  ])('%s', async (keys, message, under) => {
    const home = createHome();
    const { status, stdout, stderr } = await start(home, 'web1', keys);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
    const lines = stderr.split('\n');
    const caret = lines.findIndex((line) => /^\s*\|?\s*\^+\s*$/.test(line));
    const column = lines[caret]?.indexOf('^') ?? -1;
    expect(lines[caret - 1]?.slice(column, column + under.length)).toBe(under);
  });
});

describe('one MAC', () => {
  const keys = 'kind: mcast, group: 230.77.0.1:5000, mac: 52:54:00:77:00:01';

  test('ABUSE 17: on one group by two profiles is refused, and the other is named', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', nic(keys));
    const { status, stderr } = await start(home, 'web2', keys);
    expect({ status, stderr }).toEqual({ status: 4, stderr: expect.stringMatching(/52:54:00:77:00:01.*profile web1/) });
  });

  test('ABUSE 17: on two NICs of one VM is refused, with both lines', async () => {
    const home = createHome();
    home.profile('web1', `${still}nics:\n  - { ${keys} }\n  - { ${keys} }\n`);
    const { status, stderr } = await home.qrun(['run', 'web1', '-d']);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining('that of nics[0] on line 7') });
  });
});

describe('a port of root’s', () => {
  test.each([
    ['kind: mcast, group: 230.77.0.1:1023', 'udp port 1023 on 230.77.0.1'],
    ['kind: stream, listen: 127.0.0.1:1023', 'tcp port 1023 on 127.0.0.1'],
    ['kind: dgram, local: 127.0.0.1:1023, remote: 127.0.0.1:5000', 'udp port 1023 on 127.0.0.1'],
    [
      'kind: l2tpv3, source: 127.0.0.1:701, destination: 127.0.0.1:5000, sessions: { tx: 1, rx: 1 }',
      'udp port 701 on 127.0.0.1',
    ],
  ])('%s is exit 3 before QEMU starts', async (keys, where) => {
    const home = createHome();
    const { status, stderr } = await start(home, 'web1', keys);
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: expect.stringContaining(`${where}: ordinary users may not`),
    });
    expect(leftOf(home, 'web1')).toEqual([]);
  });

  test('for root too, whose QEMU is an ordinary user’s', async (context) => {
    needsRoot(context);
    const home = createHome({ as: 'root' });
    const { status, stderr } = await start(home, 'web1', 'kind: mcast, group: 230.77.0.1:1023');
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: expect.stringContaining('ordinary users may not bind it'),
    });
  });
});

describe('what is shown', () => {
  test('ABUSE 34: loopback is said to QEMU, and that every user of this host can listen to people', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', `${still}nics: [mcast:230.77.0.1:5001]\n`);
    const { stdout } = await home.qrun(['show', 'web1', '--json']);
    const shown = JSON.parse(stdout) as { qemu: { argv: string[] }; notes: string[]; nics: unknown[] };
    expect(shown.qemu.argv).toContain(
      '{"type":"socket","id":"net0","mcast":"230.77.0.1:5001","localaddr":"127.0.0.1"}',
    );
    expect(shown.nics).toMatchObject([{ kind: 'mcast', source: '230.77.0.1:5001' }]);
    expect(shown.notes.join()).toContain('every user of this host can read the frames of 230.77.0.1:5001');
    const doctor = await home.qrun(['doctor', 'web1']);
    expect(doctor.stdout).toContain('every user of this host can read the frames of 230.77.0.1:5001');
    const { status, stderr } = await home.qrun(['run', 'web1', '-d']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('every user of this host') });
    await end(home, 'web1');
  });

  test('on an address of a network, that frames leave the host in clear', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', nic('kind: mcast, group: 230.77.0.1:5001, interface: 198.51.100.5'));
    const clear = 'frames leave this host in clear through 198.51.100.5';
    expect((await home.qrun(['show', 'web1'])).stdout).toContain(clear);
    expect((await home.qrun(['doctor', 'web1'])).stdout).toContain(clear);
    const { status, stderr } = await home.qrun(['run', 'web1', '-d']);
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: expect.stringContaining('no interface that is up has this'),
    });
  });

  test('doctor knows what this QEMU has, and that loopback is up', async (context) => {
    needsQemu(context);
    const home = createHome();
    const checks = JSON.parse((await home.qrun(['doctor', '--json'])).stdout) as { id: string }[];
    expect(checks).toContainEqual(
      expect.objectContaining({ id: 'loopback', state: 'ok', evidence: '127.0.0.1 is up' }),
    );
    expect(checks).toContainEqual(
      expect.objectContaining({ id: 'cables', state: 'ok', evidence: expect.stringContaining('all are built in') }),
    );
  });
});

describe.for(bothQemus)('a stream with the %s QEMU', (which) => {
  test('that finds nobody fails where QEMU tries once, and goes on where it tries again', async (context) => {
    const home = createHome({ qemu: needsEitherQemu(context, which) });
    const port = await freePort();
    const path = `${home.dir}/cable.sock`;
    for (const [to, where] of [
      ['./cable.sock', path],
      [`127.0.0.1:${port}`, `127.0.0.1:${port}`],
    ]) {
      const keys = `kind: stream, connect: "${to === './cable.sock' ? path : to}"`;
      const { status, stderr } = await start(home, 'web2', keys);
      if (which === 'host') {
        expect({ status, stderr }).toEqual({
          status: 3,
          stderr: expect.stringContaining(`web2: net0: nobody answers at ${where}`),
        });
        expect(stderr).toContain('start the VM that listens first');
        expect(await ps(home)).toEqual([]);
        expect(leftOf(home, 'web2')).toEqual([]);
        continue;
      }
      expect({ status, stderr }).toEqual({
        status: 0,
        stderr: expect.stringContaining(`web2: net0: nobody answers at ${where} yet`),
      });
      expect((await start(home, 'web1', keys.replace('connect', 'listen'))).status).toBe(0);
      await eventually(async () => !/stream,connecting/.test(await network(home, 'web2')));
      expect(await network(home, 'web1')).not.toContain('stream,listening');
      await end(home, 'web1', 'web2');
    }
  });

  test('that is reached is said nothing of; its socket goes with QEMU, killed or not', async (context) => {
    const home = createHome({ qemu: needsEitherQemu(context, which) });
    const path = `${home.dir}/cable.sock`;
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const listening = await start(home, 'web1', `kind: stream, listen: ${path}`);
      expect(listening).toMatchObject({ status: 0, stderr: expect.not.stringContaining('net0') });
      expect(lstatSync(path).isSocket()).toBe(true);
      const connecting = await start(home, 'web2', `kind: stream, connect: ${path}`);
      expect(connecting).toMatchObject({ status: 0, stderr: expect.not.stringContaining('net0') });
      expect(await network(home, 'web2')).toMatch(/type=stream,.*unix/);
      process.kill((await rowOf(home, 'web1')).pid, signal);
      expect(await waitUntil(() => !existsSync(path), 30_000)).toBe(true);
      await end(home, 'web1', 'web2');
    }
  });

  test.for(['path', 'port'] as const)('that comes third to a %s is told so', async (what, context) => {
    const home = createHome({ qemu: needsEitherQemu(context, which) });
    const at = what === 'path' ? `${home.dir}/cable.sock` : `127.0.0.1:${await freePort()}`;
    expect((await start(home, 'web1', `kind: stream, listen: "${at}"`)).status).toBe(0);
    const connect = `kind: stream, connect: "${at}"`;
    expect(await start(home, 'web2', connect)).toMatchObject({
      status: 0,
      stderr: expect.not.stringContaining('net0: '),
    });
    expect(await start(home, 'web3', connect)).toMatchObject({
      status: 0,
      stderr: expect.stringContaining(`web3: net0: somebody else has ${at}`),
    });
    await end(home, 'web1', 'web2', 'web3');
  });

  test('that cannot listen, though it could when it was looked at, fails with exit 1 and is undone', async (context) => {
    const home = createHome({ qemu: needsEitherQemu(context, which) });
    const directory = home.mkdir('gone');
    home.profile(
      'web1',
      `${nic(`kind: stream, listen: ${directory}/cable.sock`)}hooks: { beforeStart: [/bin/rmdir, "${directory}"] }\n`,
    );
    const { status, stderr } = await home.qrun(['run', 'web1', '-d']);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining(`web1: net0: QEMU could not listen on ${directory}/cable.sock`),
    });
    expect(await ps(home)).toEqual([]);
    expect(leftOf(home, 'web1')).toEqual([]);
  });
});

describe('a path to listen on', () => {
  test('ABUSE 42: that is a link or a file is refused, and neither is touched', async () => {
    const home = createHome();
    const victim = home.write('victim', 'precious');
    symlinkSync(victim, `${home.dir}/link`);
    for (const keys of [
      `kind: stream, listen: ${home.dir}/link`,
      `kind: stream, connect: ${home.dir}/link`,
      `kind: dgram, local: ${home.dir}/link, remote: ${home.dir}/b`,
      `kind: dgram, local: ${home.dir}/a, remote: ${home.dir}/link`,
      `kind: stream, listen: ${victim}`,
      `kind: dgram, local: ${victim}, remote: ${home.dir}/b`,
    ]) {
      const { status, stderr } = await start(home, 'web1', keys);
      expect({ keys, status, stderr }).toEqual({ keys, status: 2, stderr: expect.stringContaining('and no socket') });
    }
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(lstatSync(`${home.dir}/link`).isSymbolicLink()).toBe(true);
  });

  test('in a directory that is not there is said', async () => {
    const home = createHome();
    const { status, stderr } = await start(home, 'web1', 'kind: stream, listen: ./none/cable.sock');
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringMatching(/there is no directory \S*\/none$/m),
    });
  });

  test.each([
    ['stream', 'a.sock', 'kind: stream, listen: ./a.sock'],
    ['dgram', 'a.sock', 'kind: dgram, local: ./a.sock, remote: ./b.sock'],
  ])('that another VM has is exit 4 with its pid, and that VM keeps it: %s', async (_kind, name, keys) => {
    const home = createHome();
    expect((await start(home, 'web1', keys)).status).toBe(0);
    const { pid } = await rowOf(home, 'web1');
    const before = lstatSync(`${home.config}/profiles/${name}`).ino;
    const { status, stderr } = await start(home, 'web2', keys);
    expect({ status, stderr }).toEqual({ status: 4, stderr: expect.stringContaining(`(pid ${pid}, VM web1)`) });
    expect(lstatSync(`${home.config}/profiles/${name}`).ino).toBe(before);
    await end(home, 'web1');
    expect(existsSync(`${home.config}/profiles/${name}`)).toBe(false);
  });

  test('where a killed program left a socket is taken over', async (context) => {
    needsQemu(context);
    const home = createHome();
    const path = `${home.dir}/a.sock`;
    const other = home.startProgram(['socat', `UNIX-LISTEN:${path}`, '-']);
    await waitUntil(() => existsSync(path), 30_000);
    other.kill('SIGKILL');
    await other.end;
    expect(lstatSync(path).isSocket()).toBe(true);
    expect((await start(home, 'web1', `kind: stream, listen: ${path}`)).status).toBe(0);
    await end(home, 'web1');
    expect(existsSync(path)).toBe(false);
  });

  test('a TCP port that somebody listens on is exit 4 with the pid', async () => {
    const home = createHome();
    const server = createServer();
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { status, stderr } = await start(home, 'web1', `kind: stream, listen: "127.0.0.1:${port}"`);
    expect({ status, stderr }).toEqual({
      status: 4,
      stderr: expect.stringContaining(`tcp port ${port} on 127.0.0.1 is in use by`),
    });
    expect(stderr).toContain('choose another port in listen');
  });
});

describe.for(bothQemus)('dgram with the %s QEMU', (which) => {
  test('its socket goes after an end, a kill -9 of QEMU and one of qrun’s start; what is not its own stays', async (context) => {
    const home = createHome({ qemu: needsEitherQemu(context, which) });
    const path = `${home.dir}/a.sock`;
    const keys = `kind: dgram, local: ${path}, remote: ${home.dir}/b.sock`;
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      expect((await start(home, 'web1', keys)).status).toBe(0);
      expect(lstatSync(path).isSocket()).toBe(true);
      process.kill((await rowOf(home, 'web1')).pid, signal);
      expect(await nothingLeft(home, 'web1')).toBe(true);
      expect(existsSync(path)).toBe(false);
    }
    expect((await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: 'spawned:kill' } })).status).toBe(137);
    await eventually(async () => (await home.qrun(['kill', 'web1'])).status === 0);
    expect(await nothingLeft(home, 'web1')).toBe(true);
    expect(existsSync(path)).toBe(false);
    expect((await start(home, 'web1', keys)).status).toBe(0);
    await home.run(['rm', path]);
    writeFileSync(path, 'mine');
    await end(home, 'web1');
    expect(readFileSync(path, 'utf8')).toBe('mine');
  });
});

test('of two VMs that are started on one path at one time one is refused', async (context) => {
  needsQemu(context);
  const home = createHome();
  const keys = `kind: dgram, local: ${home.dir}/a.sock, remote: ${home.dir}/b.sock`;
  const wait = `until [ -e ${home.dir}/go ]; do sleep 0.05; done`;
  home.profile('web1', `${nic(keys)}hooks: { beforeStart: [/bin/sh, -c, "touch ${home.dir}/there; ${wait}"] }\n`);
  // its look at the path is over when its hook runs
  const first = home.start(['run', 'web1', '-d']);
  expect(await waitUntil(() => existsSync(`${home.dir}/there`), 30_000)).toBe(true);
  expect((await start(home, 'web2', keys)).status).toBe(0);
  const { pid } = await rowOf(home, 'web2');
  home.write('go', '');
  expect(await first.end).toMatchObject({ status: 4, stderr: expect.stringContaining(`(pid ${pid}, VM web2)`) });
  expect(leftOf(home, 'web1').filter((name) => name !== 'web2')).toEqual([]);
  await end(home, 'web2');
});

test.each(['acquire', 'acquired', 'spawned', 'running', 'release', 'released'])(
  'ABUSE 64: qrun is killed at "%s" of a socket: gc, twice, leaves none, and the next run works',
  async (place) => {
    const home = createHome();
    const path = `${home.dir}/a.sock`;
    const keys = `kind: dgram, local: ${path}, remote: ${home.dir}/b.sock`;
    home.profile('web1', nic(keys));
    const name = ['spawned', 'running'].includes(place) ? place : `${place}:local:net0`;
    await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${name}:kill` } });
    await eventually(async () => (await home.qrun(['kill', 'web1'])).status === 0);
    expect((await home.qrun(['gc'])).status).toBe(0);
    expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
    expect({ left: leftOf(home, 'web1'), socket: existsSync(path) }).toEqual({ left: [], socket: false });
    expect((await start(home, 'web1', keys)).status).toBe(0);
    await end(home, 'web1');
    expect(existsSync(path)).toBe(false);
  },
);

test('root’s QEMU makes its socket where its user may, and root removes it', async (context) => {
  needsRoot(context);
  needsQemu(context);
  const home = createHome({ as: 'root' });
  const own = home.mkdir('sockets');
  const { name } = ownerFor('user');
  const profile = (directory: string): string =>
    `${nic(`kind: dgram, local: ${directory}/a.sock, remote: ${directory}/b.sock`)}runAs: ${name}\n`;
  home.profile('web1', profile(own));
  const { status, stderr } = await home.qrun(['run', 'web1', '-d']);
  expect({ status, stderr }).toEqual({
    status: 3,
    stderr: expect.stringContaining(`the user ${name}, whom QEMU runs as`),
  });
  await home.run(['chown', name, own]);
  await detach(home, 'web1');
  expect(lstatSync(`${own}/a.sock`).uid).toBe(ownerFor('user').uid);
  process.kill((await rowOf(home, 'web1')).pid, 'SIGKILL');
  expect(await nothingLeft(home, 'web1')).toBe(true);
  expect(existsSync(`${own}/a.sock`)).toBe(false);
});

test('the script of show --shell refuses a socket that somebody has, and removes its own', async (context) => {
  needsQemu(context);
  const home = createHome();
  const path = `${home.dir}/a b's.sock`;
  home.profile(
    'web1',
    `${still}nics:\n  - { kind: dgram, local: "${path}", remote: "${home.dir}/b.sock" }\n  - { kind: stream, listen: "${home.dir}/c.sock" }\n  - mcast:230.77.0.1:5002\n`,
  );
  const { stdout } = await home.qrun(['show', 'web1', '--shell']);
  const script = home.write('web1.sh', stdout);
  expect((await home.run(['shellcheck', '-s', 'sh', '-e', 'SC2034', '-S', 'warning', script])).stdout).toBe('');
  const other = home.startProgram(['socat', '-u', `UNIX-RECV:${home.dir}/other.sock`, '-']);
  await waitUntil(() => existsSync(`${home.dir}/other.sock`), 30_000);
  const taken = home.write('taken.sh', stdout.replaceAll(`${home.dir}/c.sock`, `${home.dir}/other.sock`));
  expect(await home.run(['/bin/sh', taken])).toMatchObject({ status: 4, stderr: expect.stringContaining('is in use') });
  other.kill('SIGKILL');
  await other.end;
  const running = home.startProgram(['/bin/sh', script]);
  await eventually(async () => (await ps(home))[0]?.state === 'paused' || running.child.exitCode !== null);
  const { pid } = await rowOf(home, 'web1');
  expect([path, `${home.dir}/c.sock`].map((file) => lstatSync(file).isSocket())).toEqual([true, true]);
  process.kill(pid, 'SIGKILL');
  await running.end;
  expect([path, `${home.dir}/c.sock`].map((file) => existsSync(file))).toEqual([false, false]);
});
