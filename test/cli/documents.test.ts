import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { documentSchemas, parseDocument } from '../harness/document.ts';
import { createHome, isAlive, needsQemu, waitUntil, type Home } from '../harness/harness.ts';
import { commands } from '../../src/commands/list.ts';
import { detach, eventually, rowOf, still } from './a-vm.ts';

const web1 = 'memory: 64M\nnics:\n  - kind: user\n    forwards: ["auto:22", "127.0.0.1:18080:80", "15353:53/udp"]\n';

test('every command that prints a document has a schema, and the schemas are used', () => {
  const named = commands.filter(({ document }) => document === true).map(({ name }) => name.replace(' ', '-'));
  expect(documentSchemas().toSorted()).toEqual([...named, 'error', 'lab', 'network', 'nic', 'profile'].toSorted());
});

test('a document that lacks something, or has something else in its place, is found', () => {
  expect(() => parseDocument('ps', '[{"vm": "web1"}]')).toThrow("/0 must have required property 'pid'");
  expect(() =>
    parseDocument('nics', '[{"id":"net0","kind":"user","model":"e1000","mac":"x","netdev":"net0"}]'),
  ).toThrow('/0/mac');
});

test('ls, ps and gc of nothing', async () => {
  const home = createHome();
  for (const name of ['ps', 'gc']) {
    const { status, stdout, stderr } = await home.qrun([name, '--json']);
    expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: '' });
    expect(parseDocument(name, stdout)).toEqual([]);
  }
  expect(parseDocument('ls', (await home.qrun(['ls', '--json'])).stdout)).not.toEqual([]);
});

test('show, nics and ls of a profile', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  home.profile('web1', web1);
  const show = await home.qrun(['show', 'web1', '--json']);
  expect(show.stderr).toBe('');
  const plan = parseDocument('show', show.stdout);
  expect(plan).toMatchObject({
    vm: 'web1',
    nics: [{ id: 'net0', forwards: [{ hostPort: 'auto' }, { hostPort: 18080 }, { protocol: 'udp' }] }],
  });
  const nics = parseDocument('nics', (await home.qrun(['nics', 'web1', '--json'])).stdout);
  expect(nics).toMatchObject([{ id: 'net0', mac: (plan as { nics: { mac: string }[] }).nics[0]?.mac }]);
  const rows = parseDocument('ls', (await home.qrun(['ls', '--json'])).stdout);
  expect(rows).toContainEqual(expect.objectContaining({ name: 'web1', state: 'stopped' }));
});

test('logs: both, one, the last lines, of the run before; what the guest wrote is no JSON of its own', async () => {
  const home = createHome();
  home.profile('web1', 'memory: 64M\n');
  expect(await documentOf(home, 'logs', ['logs', 'web1'])).toMatchObject({
    vm: 'web1',
    state: 'stopped',
    logs: [
      { of: 'qemu', text: '' },
      { of: 'console', text: '' },
    ],
    lastRun: null,
  });
  const own = path.join(home.state, 'vms/web1');
  mkdirSync(own, { recursive: true });
  const hostile = '"}\u0000\u001b[2J\nlogin: ';
  writeFileSync(path.join(own, 'console.log'), Buffer.concat([Buffer.from(hostile), Buffer.from([0xff, 0x0a])]));
  writeFileSync(path.join(own, 'console.log.1'), 'before\n');
  const [console] = [{ of: 'console', file: path.join(own, 'console.log'), text: `${hostile}\ufffd\n` }];
  expect(await documentOf(home, 'logs', ['logs', 'web1', '--console'])).toMatchObject({ logs: [console] });
  expect(await documentOf(home, 'logs', ['logs', 'web1', '-n', '1'])).toMatchObject({
    logs: [{ of: 'qemu' }, { text: 'login: \ufffd\n' }],
  });
  expect(await documentOf(home, 'logs', ['logs', 'web1', '--previous', '--console'])).toMatchObject({
    logs: [{ of: 'console', file: path.join(own, 'console.log.1'), text: 'before\n' }],
    lastRun: null,
  });
  // a document has an end
  const { status, stdout, stderr } = await home.qrun(['logs', 'web1', '-f', '--json']);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain('only one of --follow and --json at a time');
});

test('doctor', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  const { stdout } = await home.qrun(['doctor', '--json']);
  expect(parseDocument('doctor', stdout)).not.toEqual([]);
});

test('errors: of usage, of a profile, of a name', async () => {
  const home = createHome();
  home.profile('bad', 'memory: lots\nnisc: []\n');
  for (const args of [['ls', '--nonsense'], ['show', 'bad'], ['show', '..'], ['stop']]) {
    const { status, stderr } = await home.qrun([...args, '--json']);
    expect({ args, status }).toEqual({ args, status: 2 });
    parseDocument('error', stderr);
  }
  const { stderr } = await home.qrun(['show', 'bad', '--json']);
  expect(parseDocument('error', stderr)).toMatchObject({
    error: { code: 'invalid-profile', faults: [{ line: 1 }, { line: 2 }] },
  });
});

/** Runs a command that prints one document and nothing else. */
async function documentOf(home: Home, schema: string, args: readonly string[]): Promise<unknown> {
  const { status, stdout, stderr } = await home.qrun([...args, '--json']);
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return parseDocument(schema, stdout);
}

const twoNics = `${still}nics:
  - kind: user
    forwards: ["auto:22", "auto:53/udp"]
  - { kind: user, id: lan, model: e1000 }
`;

describe('documents of VMs that run', () => {
  test('run -d prints what ps prints, with the members of the contract', async (context) => {
    const home = createHome({ qemu: needsQemu(context) });
    home.profile('web1', twoNics);
    home.profile('web2', still);
    const started = await documentOf(home, 'ps', ['run', '-d', 'web1', 'web2']);
    const listed = await documentOf(home, 'ps', ['ps']);
    expect(started).toHaveLength(2);
    expect(listed).toMatchObject([
      {
        vm: 'web1',
        pid: expect.any(Number),
        state: 'paused',
        startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        accel: 'tcg',
        qmp: `${home.runtime}/web1/qmp`,
        nics: [
          {
            id: 'net0',
            kind: 'user',
            model: 'virtio-net-pci',
            netdev: 'net0',
            ips: [],
            hostInterface: null,
            forwards: [
              { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: expect.any(Number), guestPort: 22 },
              { protocol: 'udp', hostAddress: '127.0.0.1', hostPort: expect.any(Number), guestPort: 53 },
            ],
          },
          { id: 'lan', model: 'e1000', mac: expect.stringMatching(/^52:54:00(:[0-9a-f]{2}){3}$/) },
        ],
      },
      { vm: 'web2' },
    ]);
    expect((started as { vm: string }[]).toSorted((one, other) => (one.vm < other.vm ? -1 : 1))).toEqual(listed);
    expect(await documentOf(home, 'nics', ['nics', 'web1'])).toMatchObject([{ id: 'net0' }, { id: 'lan' }]);
    expect(await documentOf(home, 'ls', ['ls'])).toContainEqual(
      expect.objectContaining({ name: 'web1', state: 'paused', lastRun: null }),
    );
    for (const args of [
      ['stop', 'web1'],
      ['kill', 'web2'],
    ])
      expect(await home.qrun([...args, '--json'])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(await documentOf(home, 'ls', ['ls'])).toContainEqual(
      expect.objectContaining({
        name: 'web1',
        state: 'stopped',
        pid: null,
        lastRun: expect.objectContaining({ reason: 'host-qmp-quit', status: 0 }),
      }),
    );
  });

  test('a VM of a script, whose run nobody recorded, is a row of ps too', async (context) => {
    const home = createHome({ qemu: needsQemu(context) });
    home.profile('web1', twoNics);
    const script = home.write('web1.sh', (await home.qrun(['show', 'web1', '--shell'])).stdout);
    const running = home.startProgram(['/bin/sh', script]);
    await eventually(async () => (await home.qrun(['ps', '--json'])).stdout.trim() !== '[]');
    const { pid } = await rowOf(home, 'web1');
    expect(await documentOf(home, 'ps', ['ps'])).toMatchObject([{ vm: 'web1', pid, startedAt: null, nics: [] }]);
    expect(await documentOf(home, 'nics', ['nics', 'web1'])).toMatchObject([{ id: 'net0' }, { id: 'lan' }]);
    expect(await documentOf(home, 'ls', ['ls'])).toContainEqual(expect.objectContaining({ name: 'web1', pid }));
    process.kill(pid, 'SIGTERM');
    expect((await running.end).status).toBe(0);
  });

  test('gc: what would be removed, then what was, then nothing', async (context) => {
    const home = createHome({ qemu: needsQemu(context) });
    home.profile('web1', twoNics);
    const { pid } = await detach(home, 'web1');
    const waiter = Number((await home.run(['sh', '-c', `cut -d ' ' -f 4 /proc/${pid}/stat`])).stdout);
    for (const one of [waiter, pid]) process.kill(one, 'SIGKILL');
    await waitUntil(() => !isAlive(pid), 30_000);
    const planned = await documentOf(home, 'gc', ['gc', '--dry-run']);
    expect(planned).toContainEqual(expect.objectContaining({ vm: 'web1', what: 'runtime', state: 'would-remove' }));
    const doctor = await documentOf(home, 'doctor', ['doctor']);
    expect(doctor).toContainEqual(expect.objectContaining({ id: 'leftovers', state: 'warn', mend: 'qrun gc' }));
    const done = await documentOf(home, 'gc', ['gc']);
    expect((done as { what: string; state: string }[]).map(({ state }) => state)).not.toContain('would-remove');
    expect(done).toHaveLength((planned as unknown[]).length);
    expect(await documentOf(home, 'gc', ['gc'])).toEqual([]);
  });
});

test('new tells the file that it wrote', async () => {
  const home = createHome();
  const { status, stdout, stderr } = await home.qrun(['new', 'web1', '--memory', '1G', '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({ name: 'web1', file: `${home.config}/profiles/web1.yaml` });
  const again = await home.qrun(['new', 'web1', '--json']);
  expect(again).toMatchObject({ status: 4, stdout: '' });
  expect(parseDocument('error', again.stderr)).toMatchObject({ error: { code: 'in-use' } });
});

test('doctor of one profile, and of a host that has no QEMU', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  home.profile('web1', still);
  const checks = await documentOf(home, 'doctor', ['doctor', 'web1']);
  expect(checks).toContainEqual(expect.objectContaining({ id: 'profile', state: expect.stringMatching(/ok|warn/) }));
  const without = await home.qrun(['doctor', '--json'], { env: { QRUN_QEMU: '/nonexistent/qemu' } });
  expect(without).toMatchObject({ status: 3, stderr: '' });
  expect(parseDocument('doctor', without.stdout)).toContainEqual(
    expect.objectContaining({ id: 'qemu', state: 'fail', mend: expect.any(String) }),
  );
});

describe('errors with --json: one document on stderr; on stdout nothing, or the list of those that were started', () => {
  interface Failing {
    readonly what: string;
    readonly status: number;
    readonly code: string;
    readonly args: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  }
  const failing: readonly Failing[] = [
    { what: 'an unknown name', status: 2, code: 'unknown-name', args: ['run', 'nobody', '-d'] },
    { what: 'an unknown VM', status: 2, code: 'unknown-name', args: ['stop', 'nobody'] },
    { what: 'a VM that does not run', status: 2, code: 'unknown-name', args: ['monitor', 'web1', 'info'] },
    { what: 'an invalid name', status: 2, code: 'invalid-name', args: ['show', '../x'] },
    { what: 'QEMU fails', status: 1, code: 'qemu-failed', args: ['run', 'bad', '-d'] },
    { what: 'a card without virtual functions', status: 3, code: 'missing-feature', args: ['run', 'later', '-d'] },
    { what: 'no QEMU', status: 3, code: 'missing-tool', args: ['show', 'web1'], env: { QRUN_QEMU: '/no' } },
  ];
  test.each(failing)('$what: $status, $code', async ({ status, code, args, env }) => {
    const home = createHome();
    home.profile('web1', still);
    home.profile('bad', `${still}cpu: nosuchcpu\n`);
    home.profile('later', `${still}nics: [{ kind: hostdev, parent: lo }]\n`);
    const ended = await home.qrun([...args, '--json'], { env: env ?? {} });
    const started = ended.stdout === '' ? [] : parseDocument('ps', ended.stdout);
    expect({ status: ended.status, started }).toEqual({ status, started: [] });
    expect(parseDocument('error', ended.stderr)).toMatchObject({ error: { code } });
  });

  test('a VM that runs already is 4, and the list of those that were started is there all the same', async (context) => {
    const home = createHome({ qemu: needsQemu(context) });
    home.profile('web1', still);
    home.profile('web2', still);
    await detach(home, 'web1');
    const { status, stdout, stderr } = await home.qrun(['run', '-d', 'web1', 'web2', '--json']);
    expect(status).toBe(4);
    expect(parseDocument('ps', stdout)).toMatchObject([{ vm: 'web2' }]);
    expect(parseDocument('error', stderr)).toMatchObject({ error: { code: 'in-use' } });
    await home.qrun(['kill', 'web1', 'web2']);
  });
});

describe('a schema notices what is wrong', () => {
  const examples: Readonly<Record<string, readonly string[]>> = {
    ps: ['vm', 'pid', 'state', 'startedAt', 'accel', 'qmp', 'nics'],
    nics: ['id', 'kind', 'model', 'mac', 'netdev'],
    show: ['vm', 'qemu', 'nics', 'steps'],
    ls: ['name', 'state'],
    doctor: ['id', 'state', 'what', 'evidence', 'mend'],
    error: ['error'],
  };

  test('each member of the contract that is missing, or of another type', async (context) => {
    const home = createHome({ qemu: needsQemu(context) });
    home.profile('web1', twoNics);
    await detach(home, 'web1');
    const documents: Readonly<Record<string, unknown>> = {
      ps: await documentOf(home, 'ps', ['ps']),
      nics: await documentOf(home, 'nics', ['nics', 'web1']),
      show: await documentOf(home, 'show', ['show', 'web1']),
      ls: await documentOf(home, 'ls', ['ls']),
      doctor: await documentOf(home, 'doctor', ['doctor']),
      error: parseDocument('error', (await home.qrun(['ls', '--nonsense', '--json'])).stderr),
    };
    await home.qrun(['kill', 'web1']);
    for (const [name, members] of Object.entries(examples)) {
      const document = documents[name];
      const [first] = (Array.isArray(document) ? document : [document]) as Record<string, unknown>[];
      const rejects = (changed: unknown): boolean => !accepts(name, Array.isArray(document) ? [changed] : changed);
      expect(rejects(first)).toBe(false);
      for (const member of members) {
        const { [member]: _, ...rest } = first ?? {};
        expect({ name, member, without: rejects(rest) }).toEqual({ name, member, without: true });
        // a list of a list is nothing that any member is
        expect({ name, member, wrong: rejects({ ...first, [member]: [[]] }) }).toEqual({ name, member, wrong: true });
      }
    }
  });

  test('inside: a state that is none, a port that is none, an action that is none', () => {
    const nic = { id: 'net0', kind: 'user', model: 'virtio', mac: '52:54:00:00:00:01', netdev: 'net0' };
    const row = { vm: 'a', pid: 1, state: 'running', startedAt: null, accel: 'tcg', qmp: null, nics: [nic] };
    const forward = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 22, guestPort: 22 };
    expect(accepts('ps', [{ ...row, nics: [{ ...nic, forwards: [forward] }] }])).toBe(true);
    expect(accepts('ps', [{ ...row, state: 'stopped' }])).toBe(false);
    expect(accepts('ps', [{ ...row, startedAt: 'yesterday' }])).toBe(false);
    expect(accepts('ps', [{ ...row, nics: [{ ...nic, mac: '52-54-00-00-00-01' }] }])).toBe(false);
    expect(accepts('ps', [{ ...row, nics: [{ ...nic, forwards: [{ ...forward, hostPort: 0 }] }] }])).toBe(false);
    const step = { kind: 'vm-lock', needsRoot: false, actions: [{ op: 'lock' }] };
    const plan = { vm: 'a', qemu: { file: '/q', argv: [], fds: [] }, nics: [], steps: [step] };
    expect(accepts('show', plan)).toBe(true);
    expect(accepts('show', { ...plan, steps: [{ ...step, actions: [{}] }] })).toBe(false);
    expect(accepts('show', { ...plan, qemu: { file: '/q', argv: [1], fds: [] } })).toBe(false);
    expect(accepts('gc', [{ vm: 'a', what: 'x', state: 'gone' }])).toBe(false);
  });
});

function accepts(name: string, document: unknown): boolean {
  try {
    parseDocument(name, JSON.stringify(document));
    return true;
  } catch {
    return false;
  }
}
