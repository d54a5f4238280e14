/** Units are written whole, told to systemd by its own tool, and taken away; what is somebody else's stays. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { isEnabled, startsByItself } from '../../../src/host/units.ts';
import { examineUnits } from '../../../src/launch/doctor-units.ts';
import { keepUnit, overridesOf, removeUnit, type UnitWants } from '../../../src/networks/keep-unit.ts';
import { createSystemd, type ASystemd } from './a-systemd.ts';

const lan: UnitWants = { kind: 'net', name: 'lan-0', needsHost: false, networks: [] };
const unit = String.raw`qrun-net-lan\x2d0.service`;
const fileOf = ({ units }: ASystemd): string => path.join(units.directory, unit);
const starts = ({ units, context }: ASystemd): boolean =>
  startsByItself({ kind: 'net', name: 'lan-0', state: context.places.state }, units);

describe.for(['system', 'user'] as const)('of the %s', (manager) => {
  const flag = manager === 'user' ? '--user ' : '';

  test('written once, enabled, and taken away again', async () => {
    const systemd = createSystemd({ manager });
    expect(starts(systemd)).toBe(false);
    expect(await keepUnit(lan, systemd.context)).toEqual({ name: 'lan-0', unit, file: fileOf(systemd), changed: true });
    expect(systemd.told).toEqual([`${flag}daemon-reload`, `${flag}enable ${unit}`]);
    expect(statSync(fileOf(systemd)).mode & 0o777).toBe(0o644);
    expect(starts(systemd)).toBe(true);
    expect(await keepUnit(lan, systemd.context)).toMatchObject({ changed: false });
    expect(systemd.told).toHaveLength(2);
    expect(await removeUnit({ kind: 'net', name: 'lan-0' }, systemd.context)).toMatchObject({ file: fileOf(systemd) });
    expect(systemd.told.slice(2)).toEqual([
      `${flag}disable ${unit}`,
      `${flag}daemon-reload`,
      `${flag}reset-failed ${unit}`,
    ]);
    expect(existsSync(fileOf(systemd))).toBe(false);
    expect(isEnabled(systemd.units, unit)).toBe(false);
    expect(await removeUnit({ kind: 'net', name: 'lan-0' }, systemd.context)).toBeUndefined();
    expect(readdirSync(systemd.units.directory).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test.for(['daemon-reload', 'enable'])('is as it was when %s fails', async (word) => {
    const systemd = createSystemd({ manager });
    systemd.failing.add(word);
    await expect(keepUnit(lan, systemd.context)).rejects.toMatchObject({
      code: 'host-failed',
      message: expect.stringContaining(`${word}${word === 'enable' ? ` ${unit}` : ''} failed: Failed: no`),
    });
    expect(existsSync(fileOf(systemd))).toBe(false);
    systemd.failing.clear();
    await keepUnit(lan, systemd.context);
    const before = readFileSync(fileOf(systemd), 'utf8');
    systemd.failing.add(word);
    await expect(keepUnit({ ...lan, needsHost: true, networks: ['b'] }, systemd.context)).rejects.toMatchObject({});
    expect(readFileSync(fileOf(systemd), 'utf8')).toBe(before);
  });

  test('is taken away though systemd has none of it', async () => {
    const systemd = createSystemd({ manager });
    await keepUnit(lan, systemd.context);
    systemd.failing.add('disable').add('daemon-reload');
    expect(await removeUnit({ kind: 'net', name: 'lan-0' }, systemd.context)).toMatchObject({ unit });
    expect([existsSync(fileOf(systemd)), isEnabled(systemd.units, unit)]).toEqual([false, false]);
  });
});

describe('what is over', () => {
  test('a network: systemd forgets it when it has no command any more that could fail', async () => {
    const systemd = createSystemd();
    await keepUnit(lan, systemd.context);
    systemd.told.length = 0;
    await removeUnit({ kind: 'net', name: 'lan-0', over: true }, systemd.context);
    expect(systemd.told).toEqual([`disable ${unit}`, 'daemon-reload', `stop ${unit}`, `reset-failed ${unit}`]);
  });

  test.for([true, false])('a network whose unit was taken away before, while it was up: %s', async (lost) => {
    const systemd = createSystemd({ lost });
    expect(await removeUnit({ kind: 'net', name: 'lan-0', over: true }, systemd.context)).toBeUndefined();
    const looked = `show --property=LoadState,ActiveState ${unit}`;
    expect(systemd.told).toEqual(lost ? [looked, `stop ${unit}`] : [looked]);
  });

  test('a VM: what it left running for others is not killed', async () => {
    const systemd = createSystemd();
    await keepUnit({ ...lan, kind: 'vm', name: 'web1' }, systemd.context);
    systemd.told.length = 0;
    systemd.failing.add('stop').add('reset-failed');
    await removeUnit({ kind: 'vm', name: 'web1', over: true }, systemd.context);
    const own = 'qrun-vm-web1.service';
    expect(systemd.told).toEqual([`stop ${own}`, `disable ${own}`, 'daemon-reload', `reset-failed ${own}`]);
    expect(existsSync(path.join(systemd.units.directory, own))).toBe(false);
  });
});

test.for<[string, string, string]>([
  ['node', '/a"b/node', 'systemd starts no program'],
  ['a place', '/a\nb', 'QRUN_STATE_DIR'],
])('what systemd could not run is not written: %s', async ([what, text, said]) => {
  const systemd = createSystemd(what === 'node' ? {} : { env: { QRUN_STATE_DIR: text } });
  const program = { node: what === 'node' ? text : '/usr/bin/env', qrun: '/usr/bin/env' };
  await expect(keepUnit(lan, { ...systemd.context, program })).rejects.toMatchObject({
    code: 'missing-feature',
    message: expect.stringContaining(said),
  });
  expect([existsSync(systemd.units.directory), systemd.told]).toEqual([false, []]);
});

test('node by the link on PATH that leads to it, if it does', async () => {
  const systemd = createSystemd();
  const link = path.join(systemd.dir, 'node');
  const lineWith = async (which: string): Promise<string | undefined> => {
    const system = {
      ...systemd.context.system,
      which: (tool: string) => (tool === 'node' ? which : `/usr/bin/${tool}`),
    };
    await keepUnit(lan, { ...systemd.context, system });
    return readFileSync(fileOf(systemd), 'utf8')
      .split('\n')
      .find((line) => line.startsWith('ExecStart='));
  };
  symlinkSync(process.execPath, link);
  expect(await lineWith(link)).toContain(`ExecStart=${link} `);
  expect(await lineWith('/usr/bin/env')).toContain(`ExecStart=${process.execPath} `);
  expect(await lineWith('/nonexistent/node')).toContain(`ExecStart=${process.execPath} `);
});

test('what changed is written anew', async () => {
  const systemd = createSystemd();
  await keepUnit(lan, systemd.context);
  expect(await keepUnit({ ...lan, needsHost: true }, systemd.context)).toMatchObject({ changed: true });
  expect(readFileSync(fileOf(systemd), 'utf8')).toContain('network-online.target');
});

describe('somebody else’s unit stays', () => {
  const foreign: Readonly<Record<string, (systemd: ASystemd) => void>> = {
    'without the mark': (systemd) => writeFileSync(fileOf(systemd), '[Service]\nExecStart=/bin/true\n'),
    'a link to nothing, which masks it': (systemd) => symlinkSync('/dev/null', fileOf(systemd)),
    'a directory': (systemd) => mkdirSync(fileOf(systemd)),
  };
  test.for(Object.keys(foreign))('%s', async (what) => {
    const systemd = createSystemd();
    mkdirSync(systemd.units.directory);
    foreign[what]?.(systemd);
    const look = (): unknown[] => {
      const { ino, mtimeMs, ctimeMs } = lstatSync(fileOf(systemd));
      return [ino, mtimeMs, ctimeMs];
    };
    const before = look();
    await expect(keepUnit(lan, systemd.context)).rejects.toMatchObject({ code: 'in-use' });
    await expect(removeUnit({ kind: 'net', name: 'lan-0' }, systemd.context)).rejects.toMatchObject({ code: 'in-use' });
    expect(await removeUnit({ kind: 'net', name: 'lan-0', leave: true }, systemd.context)).toBeUndefined();
    expect(look()).toEqual(before);
    expect(systemd.told).toEqual([]);
    expect(starts(systemd)).toBe(false);
  });

  test('of another state', async () => {
    const systemd = createSystemd();
    await keepUnit(lan, systemd.context);
    const places = { ...systemd.context.places, state: '/elsewhere' };
    await expect(keepUnit(lan, { ...systemd.context, places })).rejects.toMatchObject({ code: 'in-use' });
    expect(startsByItself({ kind: 'net', name: 'lan-0', state: '/elsewhere' }, systemd.units)).toBe(false);
    expect(starts(systemd)).toBe(true);
  });
});

describe('without systemd', () => {
  test('it is told how by hand, with what is set', async () => {
    const systemd = createSystemd({ runs: false, env: { QRUN_STATE_DIR: "/a 50%'s", PATH: '/bin' } });
    const error = await keepUnit({ ...lan, kind: 'vm', name: 'web1' }, systemd.context).catch((one: unknown) => one);
    expect(error).toMatchObject({ code: 'missing-feature', message: expect.stringContaining('/etc/rc.local') });
    const { hint = '' } = error as { hint?: string };
    expect(hint).toMatch(/^\(crontab -l; echo '@reboot QRUN_STATE_DIR=.*\\%.* run -d web1'\) \| crontab -$/);
    expect(existsSync(systemd.units.directory)).toBe(false);
  });

  test('a user whose systemd does not run is told to let it', async () => {
    const systemd = createSystemd({ manager: 'user', runs: false, booted: true });
    await expect(keepUnit(lan, systemd.context)).rejects.toMatchObject({
      code: 'missing-feature',
      hint: `loginctl enable-linger ${userInfo().username}`,
    });
  });

  test('what was written before is taken away', async () => {
    const systemd = createSystemd();
    await keepUnit(lan, systemd.context);
    const told = systemd.told.length;
    const units = { ...systemd.units, running: '/nonexistent' };
    expect(await removeUnit({ kind: 'net', name: 'lan-0' }, { ...systemd.context, units })).toMatchObject({ unit });
    expect([existsSync(fileOf(systemd)), isEnabled(systemd.units, unit), systemd.told.length]).toEqual([
      false,
      false,
      told,
    ]);
  });
});

test('only what says where things are is set for a unit', () => {
  expect(
    overridesOf({
      QRUN_STATE_DIR: '/s/../t',
      QRUN_QEMU: 'qemu-system-x86_64',
      QRUN_SERVICE: 'x',
      QRUN_DEBUG: '1',
      QRUN_CACHE_DIR: '',
      XDG_STATE_HOME: 'relative',
      XDG_CONFIG_HOME: '/c',
      PATH: '/bin',
    }),
  ).toEqual({ QRUN_STATE_DIR: '/t', QRUN_QEMU: 'qemu-system-x86_64', XDG_CONFIG_HOME: '/c' });
});

test('root is told of programs that others may write', async () => {
  const systemd = createSystemd();
  const open = path.join(systemd.dir, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  await keepUnit(lan, { ...systemd.context, program: { node: '/usr/bin/env', qrun: path.join(open, 'qrun.js') } });
  expect(systemd.warnings.join('\n')).toContain('open/qrun.js at each start of the host');
});

test('a link counts by where it leads too, and a program by itself', async () => {
  const systemd = createSystemd();
  const at = (name: string): string => path.join(systemd.dir, name);
  mkdirSync(at('open'));
  writeFileSync(at('open/qrun.js'), '');
  chmodSync(at('open'), 0o777);
  symlinkSync(at('open/qrun.js'), at('qrun'));
  writeFileSync(at('loose.js'), '');
  chmodSync(at('loose.js'), 0o666);
  const warnedOf = async (qrun: string): Promise<string> => {
    systemd.warnings.length = 0;
    await keepUnit(lan, { ...systemd.context, program: { node: '/usr/bin/env', qrun } });
    return systemd.warnings.join('\n');
  };
  for (const name of ['qrun', 'loose.js'])
    expect(await warnedOf(at(name))).toContain(`${name} at each start of the host`);
  expect(await warnedOf('/usr/bin/env')).toBe('');
});

describe('doctor', () => {
  const checksOf = ({ context }: ASystemd) => examineUnits(context);
  const define = ({ context }: ASystemd): void => {
    const directory = path.join(context.places.config[0] ?? '', 'networks');
    mkdirSync(directory, { recursive: true });
    writeFileSync(path.join(directory, 'lan-0.yaml'), 'forward: nat\n');
  };

  test('says nothing where nothing starts by itself, and which do', async () => {
    const systemd = createSystemd();
    expect(checksOf(systemd)).toEqual([]);
    define(systemd);
    await keepUnit(lan, systemd.context);
    expect(checksOf(systemd)).toMatchObject([{ id: 'autostart', state: 'ok', evidence: unit, mend: null }]);
  });

  test('finds what is gone: the definition, node, the link', async () => {
    const systemd = createSystemd();
    await keepUnit(lan, systemd.context);
    expect(checksOf(systemd)).toMatchObject([{ state: 'warn', mend: 'sudo qrun net autostart lan-0 --off' }]);
    define(systemd);
    const text = readFileSync(fileOf(systemd), 'utf8');
    writeFileSync(fileOf(systemd), text.replace(/"node":"[^"]*"/, '"node":"/gone/node"'));
    expect(checksOf(systemd)).toMatchObject([
      { state: 'warn', evidence: `${unit}: there is no /gone/node any more`, mend: 'sudo qrun net autostart lan-0' },
    ]);
    writeFileSync(fileOf(systemd), text);
    systemd.context.system.runNow('systemctl', ['disable', unit]);
    expect(checksOf(systemd)).toMatchObject([{ state: 'warn', evidence: expect.stringContaining('not enabled') }]);
  });
});
