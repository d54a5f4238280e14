/** A managed network in a script of `show --shell`: real shells, with programs of a few lines in the place of switch and gateway. */
import { spawnSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NetworkName } from '../../src/network/network.ts';
import type { NetworkPlan } from '../../src/network/network-plan.ts';
import type { NetworkScript } from '../../src/network/network-script.ts';
import type { MemberStep, Step } from '../../src/plan/step.ts';
import { readJournal } from '../../src/journal/journal.ts';
import { renderShell } from '../../src/report/shell.ts';
import { endMarked, findMarked } from '../../src/system/marked.ts';
import { aPlan, describeStep } from '../unit/report/a-plan.ts';

let dir: string;
let mark: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "qrun-net it's-"));
  mark = `shell-${process.pid}-${Math.random().toString(36).slice(2)}`;
});
afterEach(async () => {
  await endMarked(marked, { isKeeper: () => true, graceMs: 0 });
  rmSync(dir, { recursive: true, force: true });
});

const marked = () => findMarked('QRUN_SERVICE', mark);
const at = (...names: string[]): string => path.join(dir, ...names);
const placeholder = 7_300_000_000_000_000;

/** What the program says of itself when it runs: the locks that it has. */
const locks = 'echo "$1 has:" $(ls -l /proc/$$/fd | sed -n "s#.*/locks/##p")';
const program = `${locks} >>"$2/said"; touch "$2/run/$1"; exec sleep 1000`;

function steps(): Step[] {
  const argv = (name: string) => ['/bin/sh', '-c', program, 'program', name, dir];
  const common = { needsRoot: false } as const;
  return [
    { ...common, kind: 'directory', id: 'directory:runtime', path: at('run') },
    { ...common, kind: 'port', id: 'port:forward:0', protocol: 'tcp', address: '127.0.0.1', port: 'auto' },
    { ...common, kind: 'file', id: 'file:gateway', path: at('net/gateway.sh'), content: `it's port ${placeholder}\n` },
    {
      ...common,
      kind: 'service',
      id: 'service',
      title: 'qrun-net lab',
      network: 'lab',
      mark,
      programs: [
        { name: 'switch', argv: argv('switch'), restart: true },
        { name: 'gateway', argv: argv('gateway'), restart: true },
      ],
      log: at('net/log'),
      awaits: [at('run/switch'), at('run/gateway')],
      watch: { users: at('state/locks/users.lab'), release: ['true'] },
    },
  ];
}

/** It ends what has the mark, as qrun's own would, and says that it was there. */
const release = (): string[] => [
  '/bin/sh',
  '-c',
  `echo released >>"$1/released"; flock -w 2 "$1/state/locks/users.lab" true || exit 4
   while found=$(grep -lzxs "QRUN_SERVICE=$2" /proc/[0-9]*/environ || :) && [ -n "$found" ]; do
     for one in $found; do one=\${one#/proc/}; kill -9 "\${one%/environ}" 2>/dev/null; done
   done
   rm -rf "$1/run" "$1/net/journal" "$1/net/network.json" "$1/net/members"`,
  'release',
  dir,
  mark,
];

function scriptOf(own: Partial<NetworkPlan> = {}): NetworkScript {
  const plan: NetworkPlan = {
    v: 1,
    network: 'lab' as NetworkName,
    file: '/lab.yaml',
    scope: 'user',
    transport: 'hub',
    forward: 'nat',
    attach: { by: 'socket-directory', directory: at('run') },
    forwards: [
      {
        protocol: 'tcp',
        hostAddress: '127.0.0.1',
        hostPort: placeholder,
        guest: 'web1',
        guestAddress: '10.1.1.5',
        guestPort: 80,
      },
    ],
    steps: steps(),
    notes: [],
    ...own,
  };
  return {
    plan,
    mark,
    files: {
      dir: at('net'),
      lock: at('state/locks/net.lab'),
      journal: at('net/journal'),
      record: at('net/network.json'),
      members: at('net/members'),
      runtimeDir: at('run'),
    },
    record: { v: 1, network: 'lab', runId: mark, plan },
    autoPorts: { 'port:forward:0': placeholder },
    release: release(),
  };
}

const memberStep = (): MemberStep => ({
  kind: 'member',
  id: 'network:net0',
  needsRoot: false,
  network: 'lab',
  vm: 'web1',
  nic: 'net0',
  holder: 'web1',
  mac: '52:54:00:00:00:01',
  users: at('state/locks/users.lab'),
  fd: 5,
  file: at('net/members/web1.net0.json'),
  socket: at('run/web1.net0.port'),
  ip: '10.1.1.5',
});

/** `qemu` is the body of what runs in QEMU's place. */
function write(qemu: string, script = scriptOf(), more: readonly Step[] = []): string {
  const fake = at('qemu');
  writeFileSync(fake, `#!/bin/sh\nprintf '%s\\n' '{"return": {}}'\n${qemu}\n`, { mode: 0o755 });
  const file = at('run.sh');
  const plan = aPlan({ dir, qemu: fake, steps: [memberStep(), ...more] });
  writeFileSync(file, renderShell(plan, describeStep, { lab: script }));
  return file;
}

const run = (file: string) => spawnSync('/bin/sh', [file], { encoding: 'utf8', timeout: 100_000 });

describe('a network in a script', () => {
  test('is taken up with the journal and the record that qrun would have written, joined, and ended', () => {
    const keep = `for file in net/journal net/network.json net/members/web1.net0.json net/gateway.sh; do cp "${dir}/$file" "${dir}/$(basename $file).seen"; done
cat "${dir}/said" >&4; set qemu; ${locks} >&4`;
    const { status, stdout, stderr } = run(write(keep));
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/^port \d+ of 127\.0\.0\.1 is port 80\/tcp of web1 on network lab\n$/),
    });
    const port = Number(/port (\d+)/.exec(stderr)?.[1]);
    // of the script's locks QEMU has the VM's and its share of the network, and the network's programs have none
    expect(stdout.split('\n').toSorted()).toEqual(['', 'gateway has:', 'qemu has: vm.web1 users.lab', 'switch has:']);
    expect(readFileSync(at('gateway.sh.seen'), 'utf8')).toBe(`it's port ${port}\n`);
    const journal = readJournal(at('journal.seen'));
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    expect(journal).toMatchObject({ head: { v: 1, runId: mark, bootId, vm: 'lab' }, started: true });
    expect(journal?.entries.map(({ step }) => step)).toEqual(
      JSON.parse(JSON.stringify(steps()).replaceAll(String(placeholder), String(port))),
    );
    const record = JSON.parse(readFileSync(at('network.json.seen'), 'utf8')) as Record<string, unknown>;
    expect(record).toMatchObject({
      v: 1,
      network: 'lab',
      runId: mark,
      bootId,
      plan: { forwards: [{ hostPort: port }] },
    });
    expect(new Date(String(record['startedAt'])).getTime()).toBeGreaterThan(Date.now() - 60_000);
    expect(JSON.parse(readFileSync(at('web1.net0.json.seen'), 'utf8'))).toEqual({
      v: 1,
      vm: 'web1',
      nic: 'net0',
      holder: 'web1',
      mac: '52:54:00:00:00:01',
      port: 'web1.net0.port',
      ip: '10.1.1.5',
      hostName: 'web1',
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
    expect(marked()).toEqual([]);
    expect(existsSync(at('run'))).toBe(false);
    expect(readdirSync(at('net')).toSorted()).toEqual(['gateway.sh', 'log']);
  });

  test('that is up is joined, and stays when somebody else is on it', async () => {
    mkdirSync(at('net'));
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    writeFileSync(at('net/network.json'), JSON.stringify({ v: 1, bootId, runId: 'of-qrun' }));
    mkdirSync(at('state/locks'), { recursive: true });
    const held = ['-s', at('state/locks/users.lab'), 'sh', '-c', 'echo has it; exec sleep 100'];
    const other = spawn('flock', held, { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise((resolve) => other.stdout.once('data', resolve));
    const { status, stdout } = run(write(`ls "${dir}/net/members" >&4`));
    process.kill(-(other.pid ?? 0), 'SIGKILL');
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'web1.net0.json\n' });
    expect(existsSync(at('said'))).toBe(false);
    expect(readFileSync(at('released'), 'utf8')).toBe('released\n');
    expect(existsSync(at('net/network.json'))).toBe(true);
    expect(existsSync(at('net/members/web1.net0.json'))).toBe(false);
  });

  test('that its release could not end is 5', () => {
    const { status } = run(write(':', { ...scriptOf(), release: ['/bin/sh', '-c', 'exit 5'] }));
    expect(status).toBe(5);
  });

  test('of which another run left things behind is not touched', () => {
    mkdirSync(at('net'));
    writeFileSync(at('net/journal'), '{"v":1,"runId":"abc","bootId":"x","vm":"lab","startedAt":""}\n');
    const { status, stderr } = run(write('echo never >&4'));
    expect({ status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining('qrun gc') });
    expect(existsSync(at('said'))).toBe(false);
    expect(existsSync(at('run'))).toBe(false);
  });

  test('that a killed script left is tidied by the next: what it ran is ended first', async () => {
    const file = write(`echo up >&4; exec sleep 1000`);
    const script = spawn('/bin/sh', [file], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
    await new Promise((resolve) => script.stdout.once('data', resolve));
    const before = marked().map(({ pid }) => pid);
    expect(before.length).toBeGreaterThanOrEqual(4);
    // the script with its QEMU; what holds the network up is in sessions of its own
    process.kill(-(script.pid ?? 0), 'SIGKILL');
    rmSync(at('net/network.json'));
    const { status, stdout } = run(write(`cat "${dir}/said" >&4`));
    expect(status).toBe(0);
    expect(stdout.match(/switch has/g)).toHaveLength(2);
    expect(marked()).toEqual([]);
    expect(before.filter((pid) => existsSync(`/proc/${pid}/exe`))).toEqual([]);
  });

  test('that cannot be taken up is 3, and what was begun is given back', () => {
    const [directory, port, , service] = steps();
    const bad: Step = { kind: 'file', id: 'file:x', needsRoot: false, path: at('net/taken/x'), content: 'x' };
    const blocked = [directory, port, bad, service].filter((step): step is Step => step !== undefined);
    mkdirSync(at('net/taken/x'), { recursive: true, mode: 0o700 });
    const { status, stderr } = run(write('echo never >&4', scriptOf({ steps: blocked })));
    expect({ status, stderr }).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('network lab could not be taken up'),
    });
    expect(readFileSync(at('released'), 'utf8')).toBe('released\n');
    expect(existsSync(at('run'))).toBe(false);
    expect(existsSync(at('net/journal'))).toBe(false);
  });

  test("a hook has none of the script's locks", () => {
    const hook: Step = {
      kind: 'hook',
      id: 'hook:beforeStart',
      needsRoot: false,
      when: 'beforeStart',
      argv: ['/bin/sh', '-c', `${locks} >"${dir}/hook"`, 'sh', 'hook'],
      env: {},
    };
    expect(run(write(':', scriptOf(), [hook])).status).toBe(0);
    expect(readFileSync(at('hook'), 'utf8')).toBe('hook has:\n');
  });

  const shellcheck = spawnSync('shellcheck', ['--version']).status === 0;
  test.skipIf(!shellcheck)('shellcheck has nothing to say (skipped without shellcheck)', () => {
    const { stdout, status } = spawnSync('shellcheck', ['--shell=sh', '--severity=style', write(':')], {
      encoding: 'utf8',
    });
    expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
  });
});
