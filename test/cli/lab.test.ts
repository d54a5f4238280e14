/** `qrun up` and `qrun down`, with VMs that stand still: no guest is needed to see who starts after whom and what is left. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import { createHome, isAlive, needsQemu, needsRoot, pidBehindPty, waitUntil, type Home } from '../harness/harness.ts';
import { detach, eventually, leftOf, ps, still } from './a-vm.ts';

const names = ['db', 'web1', 'web2', 'front'] as const;

/** Each VM writes its name and the time when it starts and when it has ended. */
function createLab(lab: string, profiles: Readonly<Record<string, string>> = {}): Home {
  const home = createHome();
  for (const name of names) home.profile(name, profiles[name] ?? `${still}nics: []\n`);
  for (const [name, yaml] of Object.entries(profiles)) home.profile(name, yaml);
  home.write('lab.yaml', lab);
  return home;
}

/** A VM that tells when it starts and ends. */
const telling = (home: Home, name: string): string => `${still}nics: []
hooks:
  beforeStart: [/bin/sh, -c, 'echo start ${name} >>${home.dir}/told']
  afterStop: [/bin/sh, -c, 'echo end ${name} >>${home.dir}/told']
`;

const told = (home: Home): string[] => readFileSync(path.join(home.dir, 'told'), 'utf8').trim().split('\n');
const running = async (home: Home): Promise<string[]> => (await ps(home)).map(({ vm }) => vm).toSorted();

async function expectNothingLeft(home: Home): Promise<void> {
  expect(await running(home)).toEqual([]);
  await waitUntil(() => names.every((name) => leftOf(home, name).length === 0), 30_000);
  expect(names.flatMap((name) => leftOf(home, name))).toEqual([]);
  expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
}

const diamond = 'vms:\n  front: { after: [web1, web2] }\n  web1: { after: db }\n  web2: { after: db }\n  db:\n';

describe('a lab', () => {
  test('starts in its order, ends in the opposite one, and doing it twice is doing it once', async (context) => {
    needsQemu(context);
    const home = createLab(diamond);
    for (const name of names) home.profile(name, telling(home, name));
    const up = await home.qrun(['up', 'lab.yaml']);
    expect(up).toMatchObject({ status: 0, stdout: '' });
    expect(up.stderr).toMatch(/^db runs, pid \d+\n(?:web\d runs, pid \d+\n){2}front runs, pid \d+\n$/);
    const first = await ps(home);
    expect(first).toHaveLength(4);
    const again = await home.qrun(['up', './lab.yaml']);
    expect(again.status).toBe(0);
    expect(again.stderr.split('\n').filter((line) => /^\w+ runs already, pid \d+$/.test(line))).toHaveLength(4);
    expect(await ps(home)).toEqual(first);
    const down = await home.qrun(['down', 'lab.yaml']);
    expect(down).toMatchObject({ status: 0, stdout: '' });
    expect(down.stderr).toMatch(/^front stopped\n(?:web\d stopped\n){2}db stopped\n$/);
    await expectNothingLeft(home);
    const [one = '', two = '', three = '', ...rest] = told(home);
    expect([one, [two, three].toSorted(), rest[0]]).toEqual(['start db', ['start web1', 'start web2'], 'start front']);
    expect([rest[1], rest.slice(2, 4).toSorted(), rest[4]]).toEqual(['end front', ['end web1', 'end web2'], 'end db']);
    const nothing = await home.qrun(['down', 'lab.yaml']);
    expect(nothing.status).toBe(0);
    expect(nothing.stderr.match(/did not run/g)).toHaveLength(4);
  });

  test('is found by its name too, but a profile of that name goes first', async (context) => {
    needsQemu(context);
    const home = createLab('vms: [db]', { both: `${still}nics: []\n` });
    home.mkdir('c/labs');
    home.write('c/labs/web-lab.yaml', 'vms: [db, web1]');
    home.write('c/labs/both.yaml', 'vms: [db]');
    expect((await home.qrun(['up', 'web-lab', 'both'])).status).toBe(0);
    expect(await running(home)).toEqual(['both', 'db', 'web1']);
    expect((await home.qrun(['down', 'both'])).status).toBe(0);
    expect((await home.qrun(['down', 'web-lab', 'front'])).status).toBe(0);
    await expectNothingLeft(home);
    const { stdout } = await home.qrun(['__complete', 'zsh', 'up', '']);
    expect(stdout).toMatch(/^web-lab\tlab$/m);
    expect(stdout).toMatch(/^web1\t/m);
  });

  test('gives its VMs other names, arguments and files beside it', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.mkdir('lab');
    home.write('lab/still.yaml', `${still}nics: []\n`);
    home.write(
      'lab/lab.yaml',
      'vms:\n  - { name: one, profile: still.yaml, args: [-rtc, base=localtime] }\n  - { name: two, profile: ./still.yaml, after: one }\n',
    );
    const { status, stdout, stderr } = await home.qrun(['up', 'lab/lab.yaml', '--json']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { vms } = parseDocument('up', stdout) as { vms: { vm: string; pid: number; started: boolean }[] };
    expect(vms.map(({ vm, started }) => ({ vm, started }))).toEqual([
      { vm: 'one', started: true },
      { vm: 'two', started: true },
    ]);
    expect(readFileSync(`/proc/${vms[0]?.pid}/cmdline`, 'utf8')).toContain('\0-rtc\0base=localtime\0');
    const down = await home.qrun(['down', 'lab/lab.yaml', '--json']);
    expect(parseDocument('down', down.stdout)).toEqual({
      vms: [
        { vm: 'one', stopped: true },
        { vm: 'two', stopped: true },
      ],
      networks: [],
    });
  });

  test('that two bring up at once runs once, and both are content', async (context) => {
    needsQemu(context);
    const home = createLab(diamond);
    const ups = await Promise.all([1, 2, 3].map(() => home.qrun(['up', 'lab.yaml'])));
    expect(ups.map(({ status, stderr }) => ({ status, errors: /qrun:/.test(stderr) }))).toEqual(
      ups.map(() => ({ status: 0, errors: false })),
    );
    const started = ups.flatMap(({ stderr }) => stderr.match(/^\w+ runs, pid \d+$/gm) ?? []);
    expect(started).toHaveLength(4);
    expect(await running(home)).toEqual([...names].toSorted());
    expect((await home.qrun(['down', 'lab.yaml'])).status).toBe(0);
    await expectNothingLeft(home);
  });

  test('that is taken down while it comes up: up says so, and nothing of it is left', async (context) => {
    needsQemu(context);
    const home = createLab('vms: [db, web1, web2]');
    // `down` comes when all run, and `up` has not looked at them again
    const up = home.start(['up', 'lab.yaml'], { env: { QRUN_FAILPOINT: 'lab-started:stop' } });
    expect(await waitUntil(() => / T /.test(readFileSync(`/proc/${up.pid}/stat`, 'utf8')), 30_000)).toBe(true);
    expect(await running(home)).toHaveLength(3);
    expect((await home.qrun(['down', 'lab.yaml'])).status).toBe(0);
    up.kill('SIGCONT');
    const { status, stderr } = await up.end;
    expect(stderr).toMatch(/lab\.yaml:1: \w+ was ended by another qrun while the lab came up/);
    expect(status).toBe(4);
    await expectNothingLeft(home);
  });

  test('that several bring up and take down at once ends as the last one wanted it, and never half', async (context) => {
    needsQemu(context);
    const home = createLab('vms: [db, web1, web2]');
    for (let round = 0; round < 4; round++) {
      const up = home.qrun(['up', 'lab.yaml']);
      await new Promise((resolve) => setTimeout(resolve, 150 + round * 100));
      const down = await home.qrun(['down', 'lab.yaml']);
      expect(down.status).toBe(0);
      const { status } = await up;
      expect([0, 4]).toContain(status);
      const left = await running(home);
      expect({ status, left }).toEqual({ status, left: status === 0 && left.length > 0 ? ['db', 'web1', 'web2'] : [] });
      await home.qrun(['down', 'lab.yaml']);
    }
    await expectNothingLeft(home);
  });

  test('of guests that stand still: `down` says at once how long they have', async (context) => {
    needsQemu(context);
    const home = createLab('vms: [db]');
    expect((await home.qrun(['up', 'lab.yaml'])).status).toBe(0);
    const down = await home.qrun(['down', 'lab.yaml', '--timeout', '1']);
    expect(down).toMatchObject({ status: 0, stderr: 'db was paused, and has 1 s to power down\ndb stopped\n' });
    await expectNothingLeft(home);
  });

  test('shows a row for each VM on a terminal, and leaves the last state of each', async (context) => {
    needsQemu(context);
    const home = createLab(diamond);
    const { stdout, status } = await home.pty(['up', 'lab.yaml'], { env: { NO_COLOR: '1' } }).end;
    expect(status).toBe(0);
    const last = stdout.slice(stdout.lastIndexOf('\u001b[4A') + 1);
    expect(last).toMatch(/✓ front {2}runs, pid \d+/);
    expect(last).toMatch(/✓ db {5}runs, pid \d+/);
    expect((await home.qrun(['down', 'lab.yaml', '-q'])).stderr).toBe('');
  });
});

describe('a wait', () => {
  const bios = 'accel: tcg\nmemory: 32\nconsole: none\nshutdown: { timeout: 0 }\nnics: []\n';

  test('for a text holds the next one back until it is there', async (context) => {
    needsQemu(context);
    const home = createLab('vms:\n  web1: { after: { db: "text:SeaBIOS" } }\n  db: { wait: "text:No bootable" }\n', {
      db: bios,
    });
    const { status, stderr } = await home.qrun(['up', 'lab.yaml', '--timeout', '60']);
    expect(status).toBe(0);
    expect(stderr).toMatch(/db runs; text:SeaBIOS is there\n[\s\S]*web1 runs, pid/);
    expect(stderr).toContain('db runs; text:No bootable is there\n');
    // of what runs already too: it was said in this run
    expect((await home.qrun(['up', 'lab.yaml', '--timeout', '60'])).status).toBe(0);
    expect((await home.qrun(['down', 'lab.yaml'])).status).toBe(0);
  });

  test('that is not over in time ends all again, with 3', async (context) => {
    needsQemu(context);
    const home = createLab('vms:\n  db: { wait: text:never, timeout: 1 }\n  web1: { after: db }\n  web2:\n');
    const { status, stderr } = await home.qrun(['up', 'lab.yaml']);
    expect(stderr).toContain('qrun: lab.yaml:2: db: waiting for text:never: not within 1 s');
    expect(stderr).toMatch(/^ {2}ended again: (db, web2|web2, db)$/m);
    expect(stderr).not.toMatch(/web1 runs/);
    expect(status).toBe(3);
    await expectNothingLeft(home);
  });

  test('for an end: a job before the others, which must end well', async (context) => {
    needsQemu(context);
    const home = createLab('vms:\n  db: { wait: end }\n  web1: { after: db }\n');
    for (const [word, expected] of [
      ['stop', 0],
      ['kill', 0],
      ['crash', 1],
    ] as const) {
      const up = home.start(['up', 'lab.yaml']);
      await up.waitFor(/waiting for end/);
      const [row] = await ps(home);
      if (word === 'crash') process.kill(row?.pid ?? 0, 'SIGKILL');
      else expect((await home.qrun([word, 'db'])).status).toBe(0);
      const { status, stderr } = await up.end;
      expect({ word, status, stderr }).toMatchObject({ word, status: expected });
      expect(await running(home)).toEqual(expected === 0 ? ['web1'] : []);
      if (expected !== 0) expect(stderr).toContain('lab.yaml:2: db: waiting for end: it did not end well');
      await home.qrun(['down', 'lab.yaml']);
    }
    await expectNothingLeft(home);
  });

  test('for something of a VM that ends before it is a failure, with 1', async (context) => {
    needsQemu(context);
    const home = createLab('vms:\n  db: { wait: text:never }\n  web1:\n');
    const up = home.start(['up', 'lab.yaml']);
    await up.waitFor(/waiting for text:never/);
    await up.waitFor(/web1 runs/);
    expect((await home.qrun(['stop', 'db'])).status).toBe(0);
    const { status, stderr } = await up.end;
    expect(stderr).toContain('lab.yaml:2: db: waiting for text:never: ended before that');
    expect(status).toBe(1);
    await expectNothingLeft(home);
  });

  test('for a port that nobody forwards is wrong usage', async (context) => {
    needsQemu(context);
    const home = createLab('vms:\n  db: { wait: port:80 }\n');
    const { status, stderr } = await home.qrun(['up', 'lab.yaml']);
    expect(stderr).toMatch(/lab\.yaml:2: db: waiting for port:80: .*forwards no host port/);
    expect(status).toBe(2);
    await expectNothingLeft(home);
  });
});

describe('all or nothing', () => {
  const failing = `${still}nics: []\nhooks: { beforeStart: [/bin/false] }\n`;

  test('one that fails in the middle ends the others, but not what ran before', async (context) => {
    needsQemu(context);
    const home = createLab(diamond, { web2: failing });
    await detach(home, 'web1');
    const { status, stderr } = await home.qrun(['up', 'lab.yaml']);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^qrun: lab\.yaml:4: web2: .*\/bin\/false/m);
    expect(stderr).toMatch(/^ {2}ended again: db$/m);
    expect(stderr).not.toMatch(/front runs/);
    expect(await running(home)).toEqual(['web1']);
    expect((await home.qrun(['stop', 'web1'])).status).toBe(0);
    await expectNothingLeft(home);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s while it waits ends what was started, with %i', async (signal, expected) => {
    const home = createLab('vms:\n  db: { wait: text:never }\n  web1: { after: db }\n  web2:\n');
    const up = home.start(['up', 'lab.yaml']);
    await up.waitFor(/waiting for text:never/);
    await up.waitFor(/web2 runs/);
    up.kill(signal);
    const { status, stderr } = await up.end;
    expect(stderr).toContain(`qrun: ${signal}: the lab is not up\n`);
    expect(stderr).toMatch(/^ {2}ended again: (db, web2|web2, db)$/m);
    expect(status).toBe(expected);
    await expectNothingLeft(home);
  });

  test('Ctrl-C on a terminal does the same', async (context) => {
    needsQemu(context);
    const home = createLab('vms:\n  db: { wait: text:never }\n');
    const up = home.pty(['up', 'lab.yaml']);
    await up.waitFor(/waiting for text:never/);
    await pidBehindPty(up);
    up.type('\u0003');
    expect((await up.end).status).toBe(130);
    await expectNothingLeft(home);
  });

  test('a signal while VMs start leaves none of them', async (context) => {
    needsQemu(context);
    for (const afterMs of [30, 80, 130, 180, 230]) {
      const home = createLab('vms: [db, web1, web2, front]');
      const up = home.start(['up', 'lab.yaml']);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      up.kill('SIGINT');
      const { status } = await up.end;
      // too early: before there is a handler; too late: the lab is up
      expect([0, 130]).toContain(status);
      if (status === 0) await home.qrun(['down', 'lab.yaml']);
      await expectNothingLeft(home);
      await home.dispose();
    }
  });

  test(
    'killed with SIGKILL at any step, the VMs are ordinary ones, and `down` ends all',
    { timeout: 300_000 },
    async (context) => {
      needsQemu(context);
      const two = 'vms:\n  web1: { after: db }\n  db:\n';
      const listing = createLab(two);
      const list = path.join(listing.dir, 'failpoints');
      await listing.qrun(['up', 'lab.yaml'], { env: { QRUN_FAILPOINT_LIST: list } });
      await listing.qrun(['down', 'lab.yaml']);
      const failpoints = [...new Set(readFileSync(list, 'utf8').trim().split('\n'))];
      expect(failpoints.length).toBeGreaterThan(8);
      const home = createLab(two);
      for (const failpoint of failpoints) {
        const up = await home.qrun(['up', 'lab.yaml'], { env: { QRUN_FAILPOINT: `${failpoint}:kill` } });
        // the addresses of VMs that were there before are known, and that step is passed no more
        expect({ failpoint, status: up.status }).toEqual({
          failpoint,
          status: failpoint.startsWith('lease') && up.status === 0 ? 0 : 137,
        });
        const down = await home.qrun(['down', 'lab.yaml']);
        expect({ failpoint, status: down.status, stderr: down.stderr }).toMatchObject({ failpoint, status: 0 });
        await expectNothingLeft(home);
      }
      expect((await home.qrun(['up', 'lab.yaml'])).status).toBe(0);
      expect((await home.qrun(['down', 'lab.yaml'])).status).toBe(0);
    },
  );

  test('an error at any step is given back at once', { timeout: 300_000 }, async (context) => {
    needsQemu(context);
    for (const failpoint of ['spawn', 'spawned', 'running']) {
      const home = createLab(diamond);
      const { status, stderr } = await home.qrun(['up', 'lab.yaml'], { env: { QRUN_FAILPOINT: `${failpoint}:throw` } });
      expect({ failpoint, status, stderr }).toMatchObject({
        status: 3,
        stderr: expect.stringContaining(`lab.yaml:5: db: failpoint ${failpoint}`),
      });
      await expectNothingLeft(home);
      await home.dispose();
    }
  });

  test('one whose name another VM has is refused with 4, and that one runs on', async (context) => {
    needsQemu(context);
    const home = createLab('vms: [web1, db]');
    const other = home.write('db.yaml', `${still}nics: []\n`);
    await detach(home, other, '--name', 'db').catch(() => undefined);
    const { status, stderr } = await home.qrun(['up', 'lab.yaml']);
    expect(stderr).toMatch(/lab\.yaml:1: db is running, pid \d+, from another profile: .*\/db\.yaml/);
    expect(status).toBe(4);
    expect(await running(home)).toEqual(['db']);
    await home.qrun(['kill', 'db']);
    await expectNothingLeft(home);
  });

  test('what cannot be stopped keeps no other up', async (context) => {
    needsQemu(context);
    const home = createLab(diamond, { front: `${still}nics: []\nhooks: { afterStop: [/bin/false] }\n` });
    expect((await home.qrun(['up', 'lab.yaml'])).status).toBe(0);
    const { status, stderr } = await home.qrun(['down', 'lab.yaml']);
    expect(status).toBe(5);
    expect(stderr).toMatch(/\/bin\/false/);
    expect(await running(home)).toEqual([]);
  });
});

describe('wrong use', () => {
  test.each([
    [['up'], 'qrun: up: FILE|NAME is missing'],
    [['down'], 'qrun: down: FILE|NAME is missing'],
    [['up', 'nobody'], 'there is no profile and no lab nobody'],
    [['down', 'nobody'], 'there is no profile and no lab nobody'],
    [['up', 'fornt'], 'did you mean front?'],
    [['up', './nothing.yaml'], 'there is no ./nothing.yaml'],
    [['up', '..'], 'invalid VM name ".."'],
    [['up', './lab'], 'invalid VM name "./lab"'],
    [['up', 'db', '--timeout', 'soon'], '--timeout wants a number'],
  ])('%j: %s', async (args, message) => {
    const { status, stdout, stderr } = await createLab('vms: [db]').qrun(args);
    expect(stderr).toContain(message);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });

  test('a cycle is named, with its place', async () => {
    const home = createLab('vms:\n  db: { after: web1 }\n  web1: { after: db }\n');
    for (const command of ['up', 'down']) {
      const { status, stderr } = await home.qrun([command, 'lab.yaml']);
      expect(stderr).toContain(`lab.yaml:2:9 vms.db.after: db → web1 → db: each comes after the next`);
      expect(stderr).toMatch(/^ {4}db: \{ after: web1 \}\n {10}\^{5}$/m);
      expect(status).toBe(2);
    }
  });

  test('a cycle over two files', async () => {
    const home = createLab('vms:\n  db: { after: web1 }\n  web1:\n');
    home.write('two.yaml', 'vms:\n  web1: { after: db }\n  db:\n');
    const { status, stderr } = await home.qrun(['up', 'lab.yaml', 'two.yaml']);
    expect(stderr).toContain('db → web1 → db');
    expect(status).toBe(2);
  });

  test('the faults of all files are told before anything starts, each once', async () => {
    const home = createLab('vms: [db, web1, web2, { name: web3, profile: web2 }]', {
      web1: 'memory: lots\n',
      web2: 'nisc: []\n',
    });
    const { status, stderr } = await home.qrun(['up', 'lab.yaml']);
    expect(status).toBe(2);
    expect(stderr).toContain('3 VMs cannot be started');
    expect(stderr).toMatch(/web1\.yaml:1:9 memory/);
    expect(stderr.match(/web2\.yaml:1:1 nisc/g)).toHaveLength(1);
    expect(stderr).not.toMatch(/runs/);
    expect(existsSync(path.join(home.state, 'vms', 'db', 'journal'))).toBe(false);
  });

  test('what cannot run here is found before anything starts', async (context) => {
    needsQemu(context);
    const home = createLab(diamond, { front: `${still}nics: []\nkernel: ./missing\n` });
    const { status, stderr } = await home.qrun(['up', 'lab.yaml']);
    expect(stderr).toMatch(/lab\.yaml:2: front: .*missing/);
    expect(stderr).not.toMatch(/runs/);
    expect(status).toBe(2);
  });

  test('a VM that two files mean differently', async () => {
    const home = createLab('vms: [{ name: db, args: [-S] }]');
    home.write('two.yaml', 'vms: [db]');
    const { status, stderr } = await home.qrun(['up', 'lab.yaml', 'two.yaml']);
    expect(stderr).toContain('db of lab.yaml is not the one of two.yaml');
    expect(status).toBe(2);
  });

  test('a profile beside the lab is not found by its name, and the hint says how', async () => {
    const home = createHome();
    home.write('db.yaml', still);
    home.write('lab.yaml', 'vms: [db]');
    const { status, stderr } = await home.qrun(['up', 'lab.yaml']);
    expect(stderr).toContain('lab.yaml:1: db: there is no profile db');
    expect(stderr).toContain('hint: profile: ./db.yaml in lab.yaml');
    expect(status).toBe(2);
  });

  test('root takes no lab that others could have written', async (context) => {
    needsRoot(context);
    const home = createHome({ as: 'root' });
    home.write('lab.yaml', 'vms: [{ name: db, args: [-S] }]', 0o666);
    for (const command of ['up', 'down']) {
      const { status, stderr } = await home.qrun([command, 'lab.yaml']);
      expect(stderr).toMatch(/refused as root: .*lab\.yaml can be written by others/);
      expect(status).toBe(2);
    }
  });

  test('what is no lab and no text is no bug', async () => {
    const home = createHome();
    for (const text of ['', '\0', 'vms: [', 'vms: &a [*a]', '- a', `vms: ${'['.repeat(5000)}`, 'vms: { ? [a] : b }']) {
      home.write('lab.yaml', text);
      const { status, stderr } = await home.qrun(['up', 'lab.yaml']);
      expect({ text: text.slice(0, 20), status, bug: /bug/.test(stderr) }).toEqual({
        text: text.slice(0, 20),
        status: 2,
        bug: false,
      });
    }
    home.mkdir('dir.yaml');
    expect((await home.qrun(['up', './dir.yaml'])).status).toBe(2);
  });

  test('errors are documents with --json', async () => {
    const home = createLab('vms: [nobody]\nnetworks: 3\n');
    const { status, stdout, stderr } = await home.qrun(['up', 'lab.yaml', '--json']);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(parseDocument('error', stderr)).toMatchObject({ error: { code: 'invalid-lab', faults: [{ line: 2 }] } });
  });
});

test('VMs that stand on the command line are a lab without a file', async (context) => {
  needsQemu(context);
  const home = createLab('vms: [web1]', { bad: `${still}nics: []\nhooks: { beforeStart: [/bin/false] }\n` });
  expect((await home.qrun(['up', 'db', 'bad'])).status).toBe(3);
  await expectNothingLeft(home);
  expect((await home.qrun(['up', 'db', 'lab.yaml', 'web1', 'db'])).status).toBe(0);
  expect(await running(home)).toEqual(['db', 'web1']);
  const pids = (await ps(home)).map(({ pid }) => pid);
  expect((await home.qrun(['down', 'web1', 'db'])).status).toBe(0);
  await eventually(async () => pids.every((pid) => !isAlive(pid)));
  await expectNothingLeft(home);
});
