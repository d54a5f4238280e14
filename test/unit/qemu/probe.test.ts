import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import { capabilityCacheFile } from '../../../src/qemu/capability-cache.ts';
import { readCapabilities } from '../../../src/qemu/probe.ts';
import { parseAnswers, parseBridgeHelper, parseNameLines } from '../../../src/qemu/probe-questions.ts';
import type { RunResult, System } from '../../../src/system/system.ts';

let directory = '';
let binary = '';
let cacheDir = '';
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'qrun-probe-'));
  binary = path.join(directory, 'qemu-system-x86_64');
  cacheDir = path.join(directory, 'cache');
  writeFileSync(binary, 'ELF', { mode: 0o755 });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const greeting =
  '{"QMP": {"version": {"qemu": {"micro": 3, "minor": 2, "major": 8}, "package": "P"}, "capabilities": []}}';
const schema = [
  { name: 'netdev_add', 'arg-type': '1' },
  {
    name: '1',
    variants: [
      { case: 'user', type: '2' },
      { case: 'tap', type: '3' },
    ],
  },
  { name: '2', members: [{ name: 'net' }, { name: 'host' }] },
  { name: '3', members: [{ name: 'ifname' }] },
];
const options = [
  { option: 'sandbox', parameters: [{ name: 'spawn' }] },
  { option: 'run-with', parameters: [{ name: 'user' }] },
  { option: 'memory', parameters: [{ name: 'size' }] },
];
const goodAnswer = [
  greeting,
  '{"return": {}}',
  JSON.stringify({ return: schema, id: 'schema' }),
  JSON.stringify({ return: options, id: 'options' }),
  JSON.stringify({ return: [{ name: 'pc-q35-8.2', alias: 'q35' }, { name: 'none' }], id: 'machines' }),
  JSON.stringify({ return: [{ name: 'e1000' }, { name: 'max-x86_64-cpu' }], id: 'devices' }),
  '{"return": {}}',
].join('\r\n');

/** A System that answers for QEMU, and counts how often it is asked. */
function aSystem(answer: Partial<RunResult> | QrunError = {}) {
  const asked: string[][] = [];
  const run = async (_: string, args: readonly string[]): Promise<RunResult> => {
    asked.push([...args]);
    if (answer instanceof QrunError) throw answer;
    const text = args.includes('-netdev')
      ? 'Available netdev backend types:\nuser\ntap\n'
      : args.includes('-accel')
        ? 'x:\ntcg\n'
        : '';
    return { status: 0, stdout: args.includes('-qmp') ? goodAnswer : text, stderr: '', ...answer };
  };
  const system: System = {
    env: {},
    uid: 0,
    gid: 0,
    bootId: () => 'boot',
    which: (tool) => (tool === 'qemu-system-x86_64' ? binary : undefined),
    run,
    runNow: () => ({ status: 0, stdout: '', stderr: '' }),
  };
  return { system, asked };
}

describe('the answers', () => {
  test('become capabilities, and are asked for once', async () => {
    const { system, asked } = aSystem();
    const first = await readCapabilities(system, { file: binary, cacheDir });
    expect(first).toEqual({
      v: 1,
      file: binary,
      realFile: binary,
      version: { major: 8, minor: 2, micro: 3 },
      package: 'P',
      netdevTypes: ['tap', 'user'],
      netdevMembers: { user: ['host', 'net'], tap: ['ifname'] },
      options: ['memory', 'run-with', 'sandbox'],
      optionMembers: { sandbox: ['spawn'], 'run-with': ['user'] },
      devices: ['e1000'],
      machines: ['pc-q35-8.2', 'q35'],
      accelerators: ['tcg'],
    });
    const count = asked.length;
    expect(await readCapabilities(system, { file: 'qemu-system-x86_64', cacheDir })).toEqual(first);
    expect(asked).toHaveLength(count);
  });

  test('are asked for once by several who want them at once', async () => {
    const { system, asked } = aSystem();
    const [one, two] = await Promise.all([1, 2].map(() => readCapabilities(system, { file: binary, cacheDir })));
    expect(one).toEqual(two);
    expect(asked.filter((args) => args.includes('-qmp'))).toHaveLength(1);
  });

  test('of a QEMU that ends at the last question are kept without it', () => {
    const cut = goodAnswer.split('\r\n').slice(0, 5).join('\n');
    expect(parseAnswers(cut)).toMatchObject({ devices: [], machines: ['pc-q35-8.2', 'q35'] });
    expect(parseAnswers(goodAnswer.split('\r\n').slice(0, 3).join('\n'))).toBeUndefined();
  });

  test('that a QEMU took along when a module ended it are asked for again, without what ends it', async () => {
    const { system } = aSystem();
    const inputs: string[] = [];
    const dying: System = {
      ...system,
      run: async (file, args, runOptions) => {
        if (!args.includes('-qmp')) return await system.run(file, args, runOptions);
        inputs.push(runOptions?.stdin ?? '');
        const lost = inputs.length === 1;
        const stdout = goodAnswer.split('\r\n').slice(0, lost ? 2 : 5);
        return { status: lost ? 134 : 0, stdout: stdout.join('\n'), stderr: '' };
      },
    };
    const found = await readCapabilities(dying, { file: binary, cacheDir });
    expect(found).toMatchObject({ devices: [], machines: ['pc-q35-8.2', 'q35'], netdevTypes: ['tap', 'user'] });
    expect(inputs.map((text) => text.includes('qom-list-types'))).toEqual([true, false]);
  });

  test('hold the helper that is compiled in, and the back ends that are really there', () => {
    expect(parseBridgeHelper("use network helper 'helper' (default=/usr/lib/qemu/qemu-bridge-helper) to")).toBe(
      '/usr/lib/qemu/qemu-bridge-helper',
    );
    expect(parseBridgeHelper('nothing')).toBeUndefined();
    expect(parseNameLines('Available netdev backend types:\nuser\nvhost-user\n\n')).toEqual(['user', 'vhost-user']);
  });
});

describe('the cache', () => {
  const cacheFile = () => capabilityCacheFile(cacheDir, binary);

  /** Whether a second look asks QEMU again after `change`. */
  async function asksAgain(change: () => void): Promise<boolean> {
    const { system, asked } = aSystem();
    await readCapabilities(system, { file: binary, cacheDir });
    const before = asked.length;
    change();
    const again = await readCapabilities(system, { file: binary, cacheDir });
    expect(again.version.major).toBe(8);
    return asked.length > before;
  }

  test('is the user alone its own, and is there after the first look', async () => {
    await asksAgain(() => {});
    expect(statSync(cacheFile()).mode & 0o777).toBe(0o600);
    expect(readdirSync(cacheDir)).toEqual([path.basename(cacheFile())]);
  });

  test('counts while nothing changes', async () => {
    expect(await asksAgain(() => {})).toBe(false);
  });

  test('does not count for a binary that changed, even to the same size and modification time', async () => {
    const { atime, mtime } = statSync(binary);
    const change = (): void => {
      writeFileSync(binary, 'FLE');
      utimesSync(binary, atime, mtime);
    };
    expect(await asksAgain(change)).toBe(true);
  });

  test.each([
    ['cut short', () => writeFileSync(cacheFile(), readFileSync(cacheFile(), 'utf8').slice(0, 100))],
    ['garbage', () => writeFileSync(cacheFile(), '\u0000\u0001')],
    ['an empty object', () => writeFileSync(cacheFile(), '{}')],
    ['writable by others', () => chmodSync(cacheFile(), 0o602)],
    ['writable by the group', () => chmodSync(cacheFile(), 0o620)],
    [
      'a link',
      () => {
        const other = path.join(directory, 'other');
        writeFileSync(other, readFileSync(cacheFile()));
        rmSync(cacheFile());
        symlinkSync(other, cacheFile());
      },
    ],
    [
      'of a later version',
      () => writeFileSync(cacheFile(), readFileSync(cacheFile(), 'utf8').replace('"v":1', '"v":2')),
    ],
  ])('ABUSE 43: that is %s is not used, and is no error', async (_, change) => {
    expect(await asksAgain(change)).toBe(true);
  });

  test('of a script counts while what the script starts does not change', async () => {
    const real = path.join(directory, 'real-qemu');
    writeFileSync(real, 'ELF', { mode: 0o755 });
    writeFileSync(binary, `#!/bin/sh\nexec ${real} "$@"\n`);
    expect(await asksAgain(() => {})).toBe(false);
    expect(await asksAgain(() => writeFileSync(real, 'another'))).toBe(true);
  });

  test('that cannot be written costs nothing but time', async () => {
    const blocked = path.join(directory, 'file');
    writeFileSync(blocked, '');
    const { system } = aSystem();
    expect((await readCapabilities(system, { file: binary, cacheDir: path.join(blocked, 'cache') })).package).toBe('P');
    expect(existsSync(path.join(blocked, 'cache'))).toBe(false);
  });
});

describe('what is no QEMU', () => {
  const fails = (system: System, file: string) => expect(readCapabilities(system, { file, cacheDir })).rejects;

  test('is missing: the package is named', async () => {
    const { system } = aSystem();
    await fails(system, '/nowhere/qemu-system-aarch64').toMatchObject({
      code: 'missing-tool',
      hint: 'sudo apt-get install qemu-system-arm',
    });
    await fails(system, 'qemu-system-riscv64').toMatchObject({ hint: 'sudo apt-get install qemu-system-misc' });
    // no package has that
    await fails(system, '/nowhere/x').toMatchObject({ hint: expect.stringMatching(/^unset QRUN_QEMU /) });
  });

  test('is a directory, or no program', async () => {
    const { system } = aSystem();
    await fails(system, directory).toMatchObject({ code: 'missing-tool' });
    chmodSync(binary, 0o644);
    await fails(system, binary).toMatchObject({ code: 'permission' });
  });

  test('says something else', async () => {
    const { system } = aSystem({ status: 1, stdout: 'hello\n', stderr: 'usage: hello\n' });
    await fails(system, binary).toMatchObject({
      code: 'qemu-failed',
      causes: ['it ended with status 1', 'usage: hello'],
    });
    expect(existsSync(cacheDir)).toBe(false);
  });

  test('says nothing', async () => {
    const { system } = aSystem(new QrunError('timeout', 'too long'));
    await fails(system, binary).toMatchObject({
      code: 'timeout',
      hint: expect.stringContaining('--version') as string,
    });
  });
});
