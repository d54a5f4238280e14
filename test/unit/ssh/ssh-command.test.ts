import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, test, type TestContext } from 'vitest';
import { buildSshArgs, type SshCommand } from '../../../src/ssh/ssh-command.ts';

const plain: SshCommand = {
  vm: 'web1',
  way: { address: '127.0.0.1', port: 10_022, by: 'the forward of net0' },
  knownHosts: '/home/alice/.local/state/qrun/vms/web1/known_hosts',
  command: [],
  own: [],
};

const settingsOf = (args: readonly string[]): string[] => args.filter((_, index) => args[index - 1] === '-o');

describe('the command line of ssh', () => {
  test('as it is written', () => {
    expect(buildSshArgs({ ...plain, user: 'root', command: ['uname', '-a'] })).toEqual([
      '-o',
      'HostName=127.0.0.1',
      '-o',
      'HostKeyAlias=web1',
      '-o',
      'UserKnownHostsFile="/home/alice/.local/state/qrun/vms/web1/known_hosts"',
      '-o',
      'GlobalKnownHostsFile=/dev/null',
      '-o',
      'StrictHostKeyChecking=accept-new',
      '-o',
      'NoHostAuthenticationForLocalhost=no',
      '-o',
      'ProxyCommand=none',
      '-o',
      'ControlPath=none',
      '-p',
      '10022',
      '-l',
      'root',
      '--',
      'web1',
      'uname',
      '-a',
    ]);
  });

  test('words of the command are kept one by one, and none becomes an option of ssh', () => {
    const command = ['sh', '-c', 'echo a  b', '', '-oProxyCommand=x', '--', "it's"];
    const args = buildSshArgs({ ...plain, command });
    expect(args.slice(args.indexOf('--'))).toEqual(['--', 'web1', ...command]);
  });

  test('what the user wrote for ssh stands behind the destination, where ssh looks for options too', () => {
    const args = buildSshArgs({ ...plain, own: ['-L', '8080:localhost:80', '-N'] });
    expect(args).not.toContain('--');
    expect(args.slice(-4)).toEqual(['web1', '-L', '8080:localhost:80', '-N']);
  });

  test("the user's own StrictHostKeyChecking counts, in one word or two", () => {
    for (const own of [['-oStrictHostKeyChecking=no'], ['-o', 'stricthostkeychecking no']]) {
      expect(settingsOf(buildSshArgs({ ...plain, own })).filter((one) => /^strict/i.test(one))).toEqual(
        own.length === 1 ? [] : ['stricthostkeychecking no'],
      );
    }
  });

  test('where it goes and whose key it is are not the user’s to say, nor is a word of a command a setting', () => {
    const own = ['-o', 'HostName=evil', '-oHostKeyAlias=other', 'grep', 'StrictHostKeyChecking'];
    const settings = settingsOf(buildSshArgs({ ...plain, own }));
    expect(settings[0]).toBe('HostName=127.0.0.1');
    expect(settings).toContain('HostKeyAlias=web1');
    expect(settings).toContain('StrictHostKeyChecking=accept-new');
  });

  test.each(['-oProxyCommand=touch /tmp/x', '', 'a b', 'a\nb', '$(id)', '`id`', "a'b", 'a;b', 'a\\b\u0000', '-'])(
    'the user %j is none',
    (user) => {
      expect(() => buildSshArgs({ ...plain, user })).toThrow(expect.objectContaining({ code: 'usage' }));
    },
  );

  test.each(['root', 'debian', 'Some.One-2', 'a@example.org', 'DOM\\user', 'jürgen'])('the user %j is one', (user) => {
    const args = buildSshArgs({ ...plain, user });
    expect(args[args.indexOf('-l') + 1]).toBe(user);
  });

  test('a state directory with blanks and percent signs is told, one that ssh would expand is refused', () => {
    const told = settingsOf(buildSshArgs({ ...plain, knownHosts: '/tmp/my state/100%/known_hosts' }));
    expect(told).toContain('UserKnownHostsFile="/tmp/my state/100%%/known_hosts"');
    for (const file of ['/tmp/${HOME}/k', '/tmp/a"b/k', '/tmp/a\\b/k', '/tmp/a\nb/k']) {
      expect(() => buildSshArgs({ ...plain, knownHosts: file })).toThrow(
        expect.objectContaining({ code: 'unsafe-state' }),
      );
    }
  });

  test('an address with a zone is not expanded', () => {
    const way = { ...plain.way, address: 'fe80::1%eth0' };
    expect(settingsOf(buildSshArgs({ ...plain, way }))[0]).toBe('HostName=fe80::1%%eth0');
  });
});

describe('the real ssh', () => {
  const understood = (context: TestContext, command: SshCommand): Map<string, string> => {
    if (!existsSync('/usr/bin/ssh')) context.skip('no /usr/bin/ssh: apt-get install openssh-client');
    const { stdout, stderr, status } = spawnSync('/usr/bin/ssh', ['-G', '-F', 'none', ...buildSshArgs(command)], {
      encoding: 'utf8',
    });
    expect({ status, stderr: stderr.replace(/^Pseudo-terminal[^\n]*\n/, '') }).toEqual({ status: 0, stderr: '' });
    return new Map(
      stdout.split('\n').map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
    );
  };

  test('understands it so', (context) => {
    const settings = understood(context, {
      ...plain,
      user: 'root',
      knownHosts: '/tmp/my state/100%/k',
      own: ['-N', 'ls', '-l'],
    });
    expect(Object.fromEntries(settings)).toMatchObject({
      host: 'web1',
      hostname: '127.0.0.1',
      port: '10022',
      user: 'root',
      hostkeyalias: 'web1',
      userknownhostsfile: '/tmp/my state/100%/k',
      globalknownhostsfile: '/dev/null',
      stricthostkeychecking: 'accept-new',
      sessiontype: 'none',
    });
    expect(settings.get('proxycommand') ?? 'none').toBe('none');
  });

  test("takes the user's own options behind the destination, our port and address first", (context) => {
    const own = ['-p', '1', '-o', 'HostName=evil', '-o', 'StrictHostKeyChecking=no', '-o', 'ServerAliveInterval=7'];
    expect(Object.fromEntries(understood(context, { ...plain, own }))).toMatchObject({
      hostname: '127.0.0.1',
      port: '10022',
      stricthostkeychecking: 'false',
      serveraliveinterval: '7',
    });
  });
});
