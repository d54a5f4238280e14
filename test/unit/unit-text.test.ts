/** Units for systemd, as text: names and words as systemd reads them, and what its own tools say of them. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  escapeForUnit,
  faultOfUnit,
  parseUnitHead,
  renderUnit,
  unitNameOf,
  unitWord,
  type UnitInput,
} from '../../src/unit-text.ts';

const input: UnitInput = {
  kind: 'net',
  name: 'lan0',
  state: '/var/lib/qrun',
  node: '/usr/bin/node',
  qrun: '/usr/lib/qrun/bin/qrun.js',
  manager: 'system',
  needsHost: false,
  networks: [],
  env: {},
  directories: ['/var/lib/qrun', '/etc/qrun'],
};

const linesOf = (more: Partial<UnitInput>): string[] => renderUnit({ ...input, ...more }).split('\n');

describe('names', () => {
  const names = ['web1', 'web-1', 'a.b_c', '.hidden', 'a/b', '/', 'ü 1', 'x\\y', '-a-', 'a@b:c', '1', '_'];

  test.for<[string, string]>([
    ['web1', 'web1'],
    ['web-1', String.raw`web\x2d1`],
    ['.hidden', String.raw`\x2ehidden`],
    ['a.b_c', 'a.b_c'],
    ['ü', String.raw`\xc3\xbc`],
  ])('%s', ([name, escaped]) => expect(escapeForUnit(name)).toBe(escaped));

  test('as systemd-escape makes them', (context) => {
    if (!existsSync('/usr/bin/systemd-escape')) context.skip('no systemd-escape');
    const { status, stdout } = spawnSync('systemd-escape', ['--', ...names], { encoding: 'utf8' });
    expect({ status, names: stdout.trimEnd().split(' ') }).toEqual({ status: 0, names: names.map(escapeForUnit) });
  });

  test('of networks and of VMs differ', () => {
    expect(unitNameOf('net', 'lan0')).toBe('qrun-net-lan0.service');
    expect(unitNameOf('vm', 'lan-0')).toBe(String.raw`qrun-vm-lan\x2d0.service`);
  });
});

describe('words', () => {
  test.for<[string, string]>([
    ['/usr/bin/node', '/usr/bin/node'],
    ['/a b/c', '"/a b/c"'],
    ['50%', '"50%%"'],
    ['a"b\\c', String.raw`"a\"b\\c"`],
    ['a\nExecStart=/bin/evil', String.raw`"a\u000aExecStart=/bin/evil"`],
    [';', '";"'],
    ['', '""'],
  ])('%j', ([text, word]) => expect(unitWord(text)).toBe(word));

  test('no text of anybody’s is a line of its own', () => {
    const lines = linesOf({ env: { QRUN_STATE_DIR: '/a\n[Service]\nExecStart=/bin/evil' }, node: '/b\nUser=root' });
    expect(lines.filter((line) => line.startsWith('[Service]'))).toHaveLength(1);
    expect(lines.filter((line) => /^(ExecStart|User)=/.test(line))).toHaveLength(1);
  });

  test.for<[string, Partial<UnitInput>, RegExp | undefined]>([
    ['a blank and a percent sign', { node: '/a 50%/$node', env: { QRUN_STATE_DIR: '/a "b"\\c $d' } }, undefined],
    ['a quote in the path of node', { node: '/a"b/node' }, /starts no program .*"\/a\\"b\/node"/],
    ['a backslash in it', { node: '/a\\b/node' }, /starts no program/],
    ['a newline in it', { node: '/a\nb/node' }, /starts no program/],
    ['a newline in a place', { env: { QRUN_STATE_DIR: '/a\nb' } }, /control characters: QRUN_STATE_DIR/],
    ['an escape in it', { env: { QRUN_STATE_DIR: '/a\u001bb' } }, /control characters: QRUN_STATE_DIR/],
  ])('what systemd would not take is told: %s', ([, more, fault]) => {
    const found = faultOfUnit({ ...input, ...more });
    if (fault === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(fault);
  });

  test('directories that must be mounted are those that systemd can read', () => {
    const directories = ['/a b/50%', '/a"b', '/a\\b', '/a\nb', '/c', '/c'];
    expect(linesOf({ directories })).toContain('RequiresMountsFor="/a b/50%%" /c');
    expect(linesOf({ directories: ['/a"b'] }).join('\n')).not.toContain('RequiresMountsFor');
  });

  test('a variable of a command is none', () => {
    expect(linesOf({ qrun: '/opt/$HOME/qrun.js' })).toContain(
      'ExecStart=/usr/bin/node "/opt/$$HOME/qrun.js" net up lan0',
    );
  });
});

describe('a network', () => {
  test('is up until it is taken down, and what its guests need is not killed', () => {
    const lines = linesOf({});
    expect(lines).toEqual(
      expect.arrayContaining([
        'Type=oneshot',
        'RemainAfterExit=yes',
        'SyslogIdentifier=qrun',
        // nft may have no time for it while everything starts
        'Restart=on-failure',
        'RestartPreventExitStatus=2',
        'StartLimitIntervalSec=5min',
        // on a host that starts everything at once
        'TimeoutStartSec=5min',
        'ExecStart=/usr/bin/node /usr/lib/qrun/bin/qrun.js net up lan0',
        'ExecStop=/usr/bin/node /usr/lib/qrun/bin/qrun.js net down lan0',
        'KillMode=process',
        'RequiresMountsFor=/var/lib/qrun /etc/qrun',
        'WantedBy=multi-user.target',
      ]),
    );
    expect(lines.find((line) => line.startsWith('After='))).toContain('nftables.service');
    expect(lines.join('\n')).not.toContain('network-online');
  });

  test('that names a card waits for the host’s network', () => {
    const lines = linesOf({ needsHost: true });
    expect(lines).toContain('Wants=network-online.target');
    expect(lines.find((line) => line.startsWith('After='))).toContain(' network-online.target ');
  });

  test('of a user waits for nothing of root’s', () => {
    const lines = linesOf({ manager: 'user', needsHost: true });
    expect(lines).toContain('WantedBy=default.target');
    expect(lines.filter((line) => /^(After|Wants|RequiresMountsFor)=/.test(line))).toEqual([]);
  });
});

describe('a VM', () => {
  const vm = { kind: 'vm', name: 'web-1', networks: ['lan0', 'dmz-2'], shutdownS: 90 } as const;

  test('comes after its networks, is tried again as they are, and ends in its own time', () => {
    const lines = linesOf(vm);
    const networks = String.raw`qrun-net-lan0.service qrun-net-dmz\x2d2.service`;
    expect(lines).toEqual(
      expect.arrayContaining([
        `After=network.target ${networks}`,
        `Wants=${networks}`,
        'Type=forking',
        'ExecStart=/usr/bin/node /usr/lib/qrun/bin/qrun.js run -d web-1',
        'ExecStop=/usr/bin/node /usr/lib/qrun/bin/qrun.js stop web-1',
        'TimeoutStopSec=150s',
      ]),
    );
    // a unit that failed is as good as one that is up to who only comes after it
    expect(lines).toContain('Restart=on-failure');
    const alone = { ...vm, networks: [], needsHost: true };
    expect(linesOf(alone).join('\n')).not.toContain('Restart=');
    expect(linesOf({ ...alone, manager: 'user' })).toContain('Restart=on-failure');
  });

  test.for(['system', 'user'] as const)('of the %s’s tries again while networks are on their way', (manager) => {
    const lines = linesOf({ ...vm, manager });
    expect(lines).toEqual(expect.arrayContaining(['Restart=on-failure', 'RestartSec=10s', 'StartLimitBurst=24']));
    // as long as it is tried, and not for ever: 24 times in less than the interval
    expect(lines).toContain('StartLimitIntervalSec=10min');
    // which systemd reads of a main process alone
    expect(lines.join('\n')).not.toContain('RestartPreventExitStatus');
    expect(linesOf({ ...vm, networks: [], manager }).join('\n')).not.toContain('Restart=');
  });
});

test('a unit says whose it is, and no other text does', () => {
  const text = renderUnit(input);
  const { kind, name, state, node, qrun } = input;
  expect(parseUnitHead(text)).toEqual({ kind, name, state, node, qrun });
  for (const other of [
    '',
    '[Unit]\n',
    text.replace('{', ''),
    text.slice(1),
    text.replace('"net"', '"other"'),
    text.replace('"lan0"', '7'),
  ])
    expect(parseUnitHead(other)).toBeUndefined();
});

test('systemd finds no fault in them', (context) => {
  if (!existsSync('/usr/bin/systemd-analyze')) context.skip('no systemd-analyze');
  const directory = mkdtempSync(path.join(tmpdir(), 'qrun-units-'));
  try {
    const strange = { QRUN_STATE_DIR: '/a b/"c"\\50%$x', QRUN_QEMU: '/opt/ü' };
    const units = (['system', 'user'] as const).flatMap((manager) =>
      (['net', 'vm'] as const).flatMap((kind) =>
        [true, false].map((needsHost) => ({
          ...{ ...input, manager, kind, needsHost, name: 'web-1.x', node: process.execPath, env: strange },
          directories: ['/tmp', '/a b/50%', '/a b/"c"\\50%$x'],
          networks: kind === 'vm' ? ['lan-0'] : [],
        })),
      ),
    );
    for (const unit of units) {
      const file = path.join(directory, unitNameOf(unit.kind, unit.name));
      writeFileSync(file, renderUnit(unit));
      const found = spawnSync('systemd-analyze', ['verify', ...(unit.manager === 'user' ? ['--user'] : []), file], {
        encoding: 'utf8',
        env: { ...process.env, XDG_RUNTIME_DIR: directory },
      });
      // the host's own units may have faults
      const said = found.stderr.split('\n').filter((line) => line.includes('qrun-'));
      expect({ unit, status: found.status, said }).toEqual({ unit, status: 0, said: [] });
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
