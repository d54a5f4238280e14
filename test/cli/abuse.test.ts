/** ABUSE.md's cases through the real command, where no other test of this tier has them. */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
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
  testFacts,
  waitUntil,
  type Home,
  type Result,
} from '../harness/harness.ts';
import { argvOf, detach, eventually, leftOf, ps, rowOf, still } from './a-vm.ts';

/** An error of the person's: one message, no stack, nothing on stdout. */
function expectRefusal({ status, stdout, stderr }: Result, wanted: number, words: RegExp | string): void {
  expect({ status, stdout, stderr }).toEqual({ status: wanted, stdout: '', stderr: expect.stringMatching(words) });
  expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
}

const user = (line: string): string => `${still}nics:\n  - kind: user\n    ${line}\n`;

/** `127.0.0.1:PORT`, … where that process listens. */
async function listenersOf(home: Home, pid: number): Promise<string[]> {
  const { stdout } = await home.run(['ss', '-Hlntup'], { as: process.getuid?.() === 0 ? 'root' : 'user' });
  return stdout
    .split('\n')
    .filter((line) => line.includes(`pid=${pid},`))
    .map((line) => line.trim().split(/\s+/)[4] ?? '');
}

describe('names and paths', () => {
  test('ABUSE 1: a name that is a path is refused by every command, and nothing there is opened', async () => {
    const home = createHome();
    await home.run(['mkfifo', `${home.dir}/fifo`, `${home.dir}/fifo.yaml`]);
    const reached = home.startProgram(['sh', '-c', `echo x >${home.dir}/fifo && echo somebody read it`]);
    home.mkdir('a');
    const cwd = home.mkdir('a/b');
    const name = '../../fifo';
    for (const args of [
      [name],
      ['run', name, '-d'],
      ['show', name],
      ['stop', name],
      ['kill', name],
      ['logs', name],
      ['console', name],
      ['monitor', name, 'info', 'status'],
      ['wait', name],
      ['nics', name],
      ['rm', name],
      ['gc', name],
      ['new', name],
      ['edit', name],
    ]) {
      const result = await home.qrun(args, { cwd });
      expectRefusal(result, 2, /invalid VM name|there is no/);
    }
    expect(readdirSync(path.join(home.config, 'profiles'))).toEqual([]);
    expect(existsSync(path.join(home.state, 'vms'))).toBe(false);
    expect(reached.stdout).toBe('');
    reached.kill('SIGKILL');
    await reached.end;
  });

  test.each(['web1/../x', 'a/b', '/', './x', 'x/', '.x', '-', 'a:b', 'a,b', "a'b", 'a$b', '../x.yml'])(
    'ABUSE 2: %j is no name',
    async (name) => {
      const home = createHome();
      const result = await home.qrun(['run', '-d', '--', name]);
      expect(result.status).toBe(2);
      expect(result.stderr).toMatch(/invalid VM name|there is no|no profile/);
      expect(await home.qrun(['run', '-d', 'tiny', '--name', name])).toMatchObject({ status: 2 });
      expect(existsSync(path.join(home.state, 'vms'))).toBe(false);
    },
  );

  test('ABUSE 4: a profile that is a link to a secret, a FIFO, a device or a directory', async () => {
    const home = createHome();
    const at = (name: string): string => path.join(home.config, 'profiles', `${name}.yaml`);
    symlinkSync('/etc/shadow', at('shadow'));
    symlinkSync('/dev/zero', at('zero'));
    symlinkSync('/nonexistent', at('dangling'));
    await home.run(['mkfifo', at('fifo')]);
    mkdirSync(at('directory'));
    for (const name of ['shadow', 'zero', 'dangling', 'fifo', 'directory']) {
      for (const argument of [name, at(name)]) {
        const result = await home.qrun(['show', argument], { timeoutMs: 50_000 });
        expectRefusal(result, 2, name);
        expect(result.stderr).not.toContain('root:');
      }
    }
    expect((await home.qrun(['ls'], { timeoutMs: 50_000 })).status).toBe(0);
  });
});

describe('YAML', () => {
  const level = (index: number): string =>
    `a${index}: &a${index} [${Array(9)
      .fill(`*a${index - 1}`)
      .join(', ')}]\n`;
  const bomb = `a0: &a0 [x, x, x]\n${[1, 2, 3, 4, 5, 6, 7, 8, 9].map(level).join('')}`;
  const faults: readonly (readonly [string, string, RegExp])[] = [
    ['ABUSE 7: a bomb of aliases', bomb, /bad\.yaml:1:\d+/],
    ['ABUSE 8: 20 000 nested lists', `args: ${'['.repeat(20_000)}`, /bad\.yaml:1:\d+/],
    ['ABUSE 8: 20 000 nested maps', `args: ${'{a: '.repeat(20_000)}`, /bad\.yaml:1:\d+/],
    [
      'ABUSE 9: a key twice',
      'memory: 1G\nnics:\n  - kind: user\n    mac: a\n    mac: b\n',
      /bad\.yaml:5:5[\s\S]*line 4/,
    ],
    ['ABUSE 11: a tag', 'description: !!js/function "function(){}"\n', /bad\.yaml:1:14/],
    ['ABUSE 11: an unknown tag', 'description: !secret x\n', /bad\.yaml:1:14/],
    ['ABUSE 12: two documents', 'memory: 1G\n---\nmemory: 2G\n', /bad\.yaml:\d+:\d+/],
    ['ABUSE 13: a MAC of YAML 1.1', 'nics:\n  - kind: user\n    mac: 12:34:56\n', /bad\.yaml:3:10 nics\[0\]\.mac/],
    ['ABUSE 13: no is not false', 'net: no\n', /bad\.yaml:1:1/],
    ['ABUSE 15: an unknown key', 'nics:\n  - kind: user\n    hostfw: ["22:22"]\n', /bad\.yaml:3:5/],
    ['ABUSE 15: a key of JavaScript’s', '__proto__: { memory: 1G }\nconstructor: x\n', /bad\.yaml:1:1/],
    ['ABUSE 16: a multicast address', 'nics: [{ kind: user, mac: "53:54:00:00:00:01" }]\n', /nics\[0\]\.mac/],
    ['ABUSE 16: the zero address', 'nics: [{ kind: user, mac: "00:00:00:00:00:00" }]\n', /nics\[0\]\.mac/],
    ['ABUSE 16: the broadcast address', 'nics: [{ kind: user, mac: "ff:ff:ff:ff:ff:ff" }]\n', /nics\[0\]\.mac/],
    ['ABUSE 16: too short', 'nics: [{ kind: user, mac: "52:54:00:00:00" }]\n', /nics\[0\]\.mac/],
    ['ABUSE 23: a device with an option', 'nics: [{ kind: tap, device: "x,script=/e" }]\n', /nics\[0\]\.device/],
    [
      'ABUSE 25: a helper with arguments',
      'nics: [{ kind: bridge, bridge: br0, helper: "/bin/sh -c id" }]\n',
      /nics\[0\]\.helper/,
    ],
    ['ABUSE 27: an id that is a path', 'nics: [{ kind: user, id: "1 bad/../x" }]\n', /nics\[0\]\.id/],
    [
      'ABUSE 36: a host name with a line break',
      'nics: [{ kind: user, hostname: "a\\nconf-script=/x" }]\n',
      /nics\[0\]\.hostname/,
    ],
  ];
  test.each(faults)('%s is a fault with its place', async (_, text, words) => {
    const home = createHome();
    home.profile('bad', text);
    expectRefusal(await home.qrun(['run', 'bad', '-d']), 2, words);
    expect(existsSync(path.join(home.state, 'vms/bad/qemu.log'))).toBe(false);
    expect(await ps(home)).toEqual([]);
  });

  test('ABUSE 15: with what may have been meant', async () => {
    const home = createHome();
    home.profile('bad', 'nics:\n  - kind: user\n    forward: ["22:22"]\n');
    expect((await home.qrun(['show', 'bad'])).stderr).toMatch(/did you mean .?forwards/);
  });

  test('ABUSE 16: capitals and dashes are written as everybody writes them', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', 'nics: [{ kind: user, mac: "52-54-00-AA-BB-CC" }]\n');
    expect((await home.qrun(['nics', 'web1'])).stdout).toContain('52:54:00:aa:bb:cc');
  });

  test('ABUSE 17: one address on two NICs, or in two profiles, is refused and the other is named', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('one', `${still}nics: [{ kind: user, mac: "52:54:00:aa:bb:cc" }]\n`);
    home.profile('two', `${still}nics: [{ kind: user, mac: "52:54:00:AA:BB:CC" }]\n`);
    home.profile(
      'twice',
      'nics: [{ kind: user, mac: "52:54:00:0a:bb:cc" }, { kind: user, mac: "52:54:00:0a:bb:cc" }]\n',
    );
    expectRefusal(await home.qrun(['twice', '-d']), 2, /nics\[1\]\.mac/);
    const result = await home.qrun(['two', '-d']);
    expect(result.status).not.toBe(0);
    expect(result.stderr).toMatch(/52:54:00:aa:bb:cc.*\bone\b/);
    expect(await ps(home)).toEqual([]);
  });
});

describe.each(bothQemus)('what binds, with QEMU %s', (which) => {
  test('ABUSE 20: a host name that would be a forward opens no port', async (context) => {
    const qemu = needsEitherQemu(context, which);
    const home = createHome({ qemu });
    home.profile('web1', user('hostname: "web1,hostfwd=tcp:0.0.0.0:2222-:22"'));
    const { pid } = await detach(home, 'web1');
    expect(argvOf(pid).some((word) => word.includes('"hostname":"web1,hostfwd=tcp:0.0.0.0:2222-:22"'))).toBe(true);
    expect(await listenersOf(home, pid)).toEqual([]);
    await home.qrun(['kill', 'web1']);
  });

  test('ABUSE 31: a forward without an address is on 127.0.0.1; every address only when it is written', async (context) => {
    const qemu = needsEitherQemu(context, which);
    const home = createHome({ qemu });
    home.profile('probe', user('forwards: ["auto:22"]'));
    const free = (await detach(home, 'probe')).nics[0]?.forwards?.[0]?.hostPort ?? 0;
    await home.qrun(['kill', 'probe']);
    home.profile('web1', user(`forwards: ["${free}:22", "auto:53/udp"]`));
    const row = await detach(home, 'web1');
    const udp = row.nics[0]?.forwards?.[1]?.hostPort ?? 0;
    expect((await listenersOf(home, row.pid)).toSorted()).toEqual([`127.0.0.1:${free}`, `127.0.0.1:${udp}`].toSorted());
    await home.qrun(['kill', 'web1']);
    home.profile('open', user(`forwards: ["0.0.0.0:${free}:22"]`));
    const open = await detach(home, 'open');
    expect(await listenersOf(home, open.pid)).toEqual([`0.0.0.0:${free}`]);
    await home.qrun(['kill', 'open']);
  });

  test('ABUSE 32, 68: VNC is a socket that its user alone can reach, and there is no password to be seen', async (context) => {
    const qemu = needsEitherQemu(context, which);
    const home = createHome({ qemu });
    home.profile('web1', `${still}display: vnc\n`);
    const { pid, qmp } = await detach(home, 'web1');
    const directory = path.dirname(qmp ?? '');
    expect(readdirSync(directory).toSorted()).toEqual(['console', 'qmp', 'vnc']);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(await listenersOf(home, pid)).toEqual([]);
    expect(argvOf(pid).join(' ')).not.toMatch(/password/);
    await home.qrun(['kill', 'web1']);
  });
});

test.each([
  [['-s']],
  [['-gdb', 'tcp::1234']],
  [['-vnc', ':1']],
  [['-netdev', 'socket,id=x,listen=:1234']],
  [['-monitor', 'tcp::4444,server,nowait']],
  [['-chardev', 'socket,id=x,port=4444,server=on,wait=off']],
  [['-incoming', 'tcp:0:4444']],
  [['-qmp', 'unix:/tmp/x,server=on']],
  [['-pidfile', '/tmp/x']],
  [['-daemonize']],
  [['-runas', 'root']],
])('ABUSE 26, 33: %j in args is refused or warned of, and opens nothing unsaid', async (args) => {
  const home = createHome();
  home.profile('web1', still);
  const words = still.replace('["-S"]', JSON.stringify(['-S', ...args]));
  home.profile('web2', words);
  for (const [name, ...more] of [['web1', '--', ...args], ['web2']]) {
    const { status, stderr } = await home.qrun(['run', name ?? '', '-d', ...more]);
    expect({ args, status, stderr }).toEqual({ args, status: 2, stderr: expect.stringContaining(args[0] ?? '') });
  }
  expect(await ps(home)).toEqual([]);
});

describe('locks and directories', () => {
  const places = (home: Home): readonly string[] => [
    `${home.state}/locks/vm.web1`,
    `${home.state}/vms/web1/journal`,
    `${home.state}/vms/web1/events`,
    `${home.state}/vms/web1/events.in`,
    `${home.state}/vms/web1/qemu.log`,
    `${home.state}/vms/web1/console.log`,
    `${home.state}/vms/web1/run.json`,
    `${home.state}/vms/web1/leases.json`,
    `${home.state}/vms/web1/ports.json`,
    `${home.state}/vms/web1/last.json`,
    `${home.state}/vms/web1/ending`,
    `${home.runtime}/web1`,
  ];

  test(
    'ABUSE 42: a link in the place of each file of the state is not followed',
    { timeout: 300_000 },
    async (context) => {
      needsQemu(context);
      const victimText = 'not a word of it changes\n';
      const made = createHome();
      made.profile('web1', user('forwards: ["auto:22"]'));
      for (const [index] of places(made).entries()) {
        const home = createHome();
        home.profile('web1', user('forwards: ["auto:22"]'));
        await detach(home, 'web1');
        await home.qrun(['kill', 'web1']);
        const victim = home.write('victim', victimText);
        const planted = places(home)[index] ?? '';
        rmSync(planted, { recursive: true, force: true });
        await home.run(['ln', '-s', victim, planted]);
        const started = await home.qrun(['web1', '-d']);
        expect({ planted, stderr: started.stderr }).not.toMatchObject({
          stderr: expect.stringMatching(/bug|\n\s+at /),
        });
        expect({ planted, status: started.status }).toEqual({ planted, status: expect.toBeOneOf([0, 3]) });
        // what refused says what to look at
        if (started.status === 3) expect(started.stderr).toContain(path.basename(planted));
        await home.qrun(['kill', 'web1']);
        await home.qrun(['gc']);
        expect({ planted, text: readFileSync(victim, 'utf8') }).toEqual({ planted, text: victimText });
        await home.dispose();
      }
    },
  );

  test('ABUSE 42: nor in the place of a directory', async (context) => {
    needsQemu(context);
    for (const name of ['.', 'locks', 'vms/web1']) {
      const home = createHome();
      home.profile('web1', still);
      await detach(home, 'web1');
      await home.qrun(['kill', 'web1']);
      const elsewhere = home.mkdir('elsewhere');
      const planted = path.join(home.state, name);
      rmSync(planted, { recursive: true });
      await home.run(['ln', '-s', elsewhere, planted]);
      expectRefusal(await home.qrun(['web1', '-d']), 3, planted);
      expect(readdirSync(elsewhere)).toEqual([]);
      expect(lstatSync(planted).isSymbolicLink()).toBe(true);
    }
  });

  test('ABUSE 43: a directory that others can write, or that is another’s, is refused', async (context) => {
    needsQemu(context);
    for (const name of ['', 'locks', 'vms']) {
      const home = createHome();
      home.profile('web1', still);
      await detach(home, 'web1');
      await home.qrun(['kill', 'web1']);
      const directory = path.join(home.state, name);
      for (const mode of [0o777, 0o707]) {
        chmodSync(directory, mode);
        const { status, stderr } = await home.qrun(['web1', '-d']);
        expect({ name, mode, status, stderr }).toEqual({
          name,
          mode,
          status: 3,
          stderr: expect.stringContaining(path.resolve(directory)),
        });
      }
    }
  });

  test('ABUSE 43: state and runtime that belong to somebody else', async (context) => {
    needsRoot(context);
    needsQemu(context);
    for (const which of ['state', 'runtime', 'locks'] as const) {
      const home = createHome();
      home.profile('web1', still);
      await detach(home, 'web1');
      await home.qrun(['kill', 'web1']);
      const directory = which === 'locks' ? path.join(home.state, 'locks') : home[which];
      chownSync(directory, 65534, 65534);
      chmodSync(directory, 0o777);
      expectRefusal(await home.qrun(['web1', '-d']), 3, directory);
    }
  });

  test(
    'ABUSE 46: a qrun that is stopped in the middle of a start keeps what it has, and goes on when it may',
    { timeout: 300_000 },
    async (context) => {
      needsQemu(context);
      const home = createHome();
      home.profile('web1', `${still}hooks: { beforeStart: [/bin/sh, -c, 'touch ${home.dir}/now; sleep 0.5'] }\n`);
      const starting = home.start(['web1', '-d']);
      expect(await waitUntil(() => existsSync(`${home.dir}/now`), 30_000)).toBe(true);
      starting.kill('SIGSTOP');
      const held = leftOf(home, 'web1');
      // each waits some seconds, for a start that goes on
      const all = [
        ['web1', '-d'],
        ['gc', '--json'],
        ['rm', 'web1'],
        ['stop', 'web1'],
      ].map((args) => home.qrun(args));
      const [start, gc, rm] = (await Promise.all(all)) as [Result, Result, Result, Result];
      expectRefusal(start, 4, 'web1 is being started or stopped by another qrun');
      expect(gc.stdout.trim()).toBe('[]');
      expect(rm.status).toBe(4);
      expect(leftOf(home, 'web1')).toEqual(held);
      starting.kill('SIGCONT');
      expect((await starting.end).status).toBe(0);
      expect(await ps(home)).toMatchObject([{ vm: 'web1', state: 'paused' }]);
      await home.qrun(['kill', 'web1']);
      expect(leftOf(home, 'web1')).toEqual([]);
    },
  );

  test('ABUSE 47: a clock that is a day ahead or behind, and files of another day, change nothing', async (context) => {
    needsQemu(context);
    for (const hours of [-24, 24]) {
      const home = createHome();
      home.profile('web1', user('forwards: ["auto:22"]'));
      home.profile('web2', user('forwards: ["auto:22"]'));
      const first = await detach(home, 'web1');
      // every process of Node from here on, the waiter's release too, believes in another day
      const shift = home.write(
        'shift.cjs',
        `const Real = Date; const by = ${hours} * 3600e3;
globalThis.Date = class extends Real { constructor(...a) { if (a.length) super(...a); else super(Real.now() + by); } static now() { return Real.now() + by; } };`,
        0o644,
      );
      const env = { NODE_OPTIONS: `--require=${shift}` };
      const other = Date.now() / 1000 + hours * 3600;
      for (const file of filesBelow(home.state)) utimesSync(file, other, other);
      expect(await home.qrun(['web1', '-d'], { env })).toMatchObject({ status: 4 });
      expect((await home.qrun(['gc', '--json'], { env })).stdout.trim()).toBe('[]');
      expect(JSON.parse((await home.qrun(['ps', '--json'], { env })).stdout)).toMatchObject([{ pid: first.pid }]);
      const many = await Promise.all([1, 2, 3].map(() => home.qrun(['web2', '-d'], { env })));
      expect(many.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([0, 4, 4]);
      expect((await home.qrun(['stop', 'web1', 'web2'], { env })).status).toBe(0);
      expect([...leftOf(home, 'web1'), ...leftOf(home, 'web2')]).toEqual([]);
      const again = await home.qrun(['web1', '-d'], { env });
      expect(again.status).toBe(0);
      expect((await rowOf(home, 'web1')).nics[0]?.mac).toBe(first.nics[0]?.mac);
      await home.qrun(['kill', 'web1']);
    }
  });

  test('ABUSE 51: no space left in STATE: an error that says so, nothing half done, and with space it works', async (context) => {
    needsRoot(context);
    needsQemu(context);
    const namespace = await createNamespace();
    const home = createHome({ namespace });
    home.profile('web1', user('forwards: ["auto:22"]'));
    const { uid } = ownerFor('user');
    expect(
      namespace.run(['mount', '-t', 'tmpfs', '-o', `size=256k,mode=700,uid=${uid}`, 'tmpfs', home.state]).status,
    ).toBe(0);
    const first = await detach(home, 'web1');
    await home.qrun(['kill', 'web1']);
    namespace.run(['sh', '-c', `cat /dev/zero >${home.state}/filler; sync`]);
    const full = await home.qrun(['web1', '-d']);
    expectRefusal(full, 3, /No space left|ENOSPC|full/i);
    expect(await ps(home)).toEqual([]);
    expect(readdirSync(home.runtime)).toEqual([]);
    namespace.run(['rm', `${home.state}/filler`]);
    expect((await home.qrun(['gc'])).status).toBe(0);
    expect((await detach(home, 'web1')).nics[0]?.mac).toBe(first.nics[0]?.mac);
    await home.qrun(['kill', 'web1']);
  });

  test('ABUSE 51: a STATE or a RUNTIME that cannot be written', async (context) => {
    needsRoot(context);
    needsQemu(context);
    for (const which of ['state', 'runtime'] as const) {
      const namespace = await createNamespace();
      const home = createHome({ namespace });
      home.profile('web1', still);
      expect(
        namespace.run([
          'sh',
          '-c',
          `mount --bind ${home[which]} ${home[which]} && mount -o remount,ro,bind ${home[which]}`,
        ]).status,
      ).toBe(0);
      expectRefusal(await home.qrun(['web1', '-d']), 3, home[which]);
      expect(await ps(home)).toEqual([]);
      expect(leftOf(home, 'web1')).toEqual([]);
    }
  });
});

describe('processes', () => {
  test('ABUSE 65: a VM of that name with another state directory does not take the sockets of the one that runs', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', still);
    const { pid, qmp } = await detach(home, 'web1');
    const env = { QRUN_STATE_DIR: home.mkdir('other') };
    expectRefusal(await home.qrun(['web1', '-d'], { env }), 4, `${home.runtime}/web1/`);
    const script = home.write('web1.sh', (await home.qrun(['show', 'web1', '--shell'], { env })).stdout);
    expect(await home.run(['/bin/sh', script])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('a VM that runs'),
    });
    expect((await home.qrun(['gc'], { env })).status).toBe(0);
    expect(isAlive(pid)).toBe(true);
    expect(existsSync(qmp ?? '')).toBe(true);
    expect((await home.qrun(['monitor', 'web1', 'info', 'status'])).stdout).toContain('VM status');
    await home.qrun(['kill', 'web1']);
    const second = await home.qrun(['web1', '-d'], { env });
    expect(second.status).toBe(0);
    // and what the first left is not the second's to lose
    await home.qrun(['gc']);
    expect((await home.qrun(['monitor', 'web1', 'info', 'status'], { env })).status).toBe(0);
    await home.qrun(['kill', 'web1'], { env });
    expect(leftOf(home, 'web1')).toEqual([]);
  });

  test('ABUSE 65: gc of a dead run does not remove the sockets of a later one with another state directory', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', still);
    const dead = await detach(home, 'web1');
    const { stdout } = await home.run(['sh', '-c', `cut -d ' ' -f 4 /proc/${dead.pid}/stat`]);
    for (const pid of [Number(stdout), dead.pid]) process.kill(pid, 'SIGKILL');
    await waitUntil(() => !isAlive(dead.pid), 30_000);
    const env = { QRUN_STATE_DIR: home.mkdir('other') };
    expect((await home.qrun(['web1', '-d'], { env })).status).toBe(0);
    expect((await home.qrun(['gc'])).status).toBe(0);
    expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
    expect((await home.qrun(['monitor', 'web1', 'info', 'status'], { env })).stdout).toContain('VM status');
    await home.qrun(['kill', 'web1'], { env });
  });

  test('ABUSE 66: another user reaches neither monitor nor console', async (context) => {
    needsRoot(context);
    needsQemu(context);
    const home = createHome();
    chmodSync(home.dir, 0o755);
    home.profile('web1', still);
    const { qmp } = await detach(home, 'web1');
    const connect = `require('net').connect(process.argv[1]).on('connect',()=>{console.log('connected');process.exit()}).on('error',(e)=>console.log(e.code))`;
    const node = [testFacts().node, '-e', connect];
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];
    for (const name of ['qmp', 'console']) {
      const socket = path.join(path.dirname(qmp ?? ''), name);
      expect((await home.run([...nobody, ...node, socket], { as: 'root' })).stdout).toBe('EACCES\n');
      expect((await home.run([...node, socket])).stdout).toBe('connected\n');
    }
    await home.qrun(['kill', 'web1']);
  });

  test('ABUSE 68: everything that is written down is for its user alone, whatever the umask', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile(
      'web1',
      `${user('forwards: ["auto:22"]')}firmware: uefi\ndisks: [{ file: ${home.dir}/disk.qcow2, size: 1M }]\n`,
    );
    const words = [testFacts().node, testFacts().bin];
    const started = await home.run([
      'sh',
      '-c',
      'umask 000; exec "$@"',
      'sh',
      ...words,
      'run',
      'web1',
      '-d',
      '--ephemeral',
    ]);
    expect(started.status).toBe(0);
    const files = [...filesBelow(home.state), `${home.dir}/disk.qcow2`];
    expect(files.map((file) => path.basename(file))).toEqual(
      expect.arrayContaining(['qemu.log', 'console.log', 'events', 'run.json', 'ephemeral-0.qcow2']),
    );
    for (const file of files) expect({ file, mode: statSync(file).mode & 0o077 }).toEqual({ file, mode: 0 });
    for (const directory of [home.state, home.runtime, `${home.runtime}/web1`])
      expect({ directory, mode: statSync(directory).mode & 0o077 }).toEqual({ directory, mode: 0 });
    await home.qrun(['kill', 'web1']);
    await home.run(['sh', '-c', 'umask 000; exec "$@"', 'sh', ...words, 'run', 'web1', '-d']);
    for (const file of filesBelow(home.state))
      expect({ file, mode: statSync(file).mode & 0o077 }).toEqual({ file, mode: 0 });
    await home.qrun(['kill', 'web1']);
  });

  test('a kill of qrun in the middle of its start, from outside, leaves nothing that gc does not find', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', `${still}hooks: { beforeStart: [/bin/sh, -c, 'touch ${home.dir}/now; sleep 0.3'] }\n`);
    const starting = home.start(['web1', '-d']);
    await waitUntil(() => existsSync(`${home.dir}/now`), 30_000);
    starting.kill('SIGKILL');
    await starting.end;
    await eventually(async () => (await home.qrun(['gc'])).status === 0);
    expect(await waitUntil(() => leftOf(home, 'web1').length === 0, 30_000)).toBe(true);
    await detach(home, 'web1');
    await home.qrun(['kill', 'web1']);
  });

  test('an interrupted start undoes itself and ends with 128 and the signal', async (context) => {
    needsQemu(context);
    for (const [signal, status] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      const home = createHome();
      home.profile('web1', `${still}hooks: { beforeStart: [/bin/sh, -c, 'touch ${home.dir}/now; sleep 0.5'] }\n`);
      const starting = home.start(['web1', '-d']);
      await waitUntil(() => existsSync(`${home.dir}/now`), 30_000);
      starting.kill(signal);
      expect({ signal, status: (await starting.end).status }).toEqual({ signal, status });
      expect(leftOf(home, 'web1')).toEqual([]);
      expect(await ps(home)).toEqual([]);
    }
  });
});

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}
