/** `qrun ssh` with a real ssh, into a real guest with a real sshd. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createHome, needsFile, needsQemu, waitUntil } from '../harness/harness.ts';
import { guestWithSshd, startSshd } from './sshd-initrd.ts';

test('into a guest: status, words, input, terminal, and host keys of its own', async (context) => {
  const qemu = needsQemu(context);
  for (const file of ['/usr/bin/ssh', '/usr/bin/ssh-agent', '/usr/bin/ssh-keyscan']) needsFile(context, file);
  const home = createHome({ qemu });
  const identity = path.join(home.dir, 'id');
  await home.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', identity]);
  const { vmlinuz, initrd, append } = guestWithSshd(context, home, identity);
  const command = Buffer.from(startSshd).toString('base64');
  home.profile(
    'web1',
    JSON.stringify({
      accel: 'tcg',
      memory: '192M',
      kernel: vmlinuz,
      initrd,
      append: `${append} qrun.shell=off qrun.cmd=${command}`,
      shutdown: { timeout: 20 },
      nics: [{ kind: 'user', forwards: ['auto:22'] }],
    }),
  );
  const boot = async (): Promise<void> => {
    expect((await home.qrun(['run', '-d', 'web1'])).status).toBe(0);
    const wait = ['wait', 'web1', '--for', 'text:cmd end rc=0', '--timeout', '100'];
    expect((await home.qrun(wait, { timeoutMs: 120_000 })).status).toBe(0);
  };
  await boot();
  const env = { SSH_AUTH_SOCK: path.join(home.dir, 'agent') };
  const agent = home.startProgram(['ssh-agent', '-D', '-a', env.SSH_AUTH_SOCK]);
  expect(await waitUntil(() => existsSync(env.SSH_AUTH_SOCK), 30_000)).toBe(true);
  expect((await home.run(['ssh-add', '-q', identity], { env })).status).toBe(0);
  const ssh = async (args: readonly string[], input?: string) =>
    await home.qrun(['ssh', 'web1', '--user', 'root', ...args], { env, timeoutMs: 60_000, ...(input && { input }) });

  const first = await ssh(['uname', '-s', '&&', 'exit', '7']);
  expect(first).toMatchObject({ status: 7, stdout: 'Linux\n' });
  expect(first.stderr).toContain('Permanently added');
  // quoted twice, as for ssh: what arrives is read by the guest's shell
  expect(await ssh(['echo', "'a  b'", 'c'])).toMatchObject({ status: 0, stdout: 'a  b c\n', stderr: '' });
  expect(await ssh(['cat'], 'one\ntwo')).toMatchObject({ status: 0, stdout: 'one\ntwo' });
  expect(await ssh(['--', '-o', 'LogLevel=DEBUG', 'echo', '-n', 'x'])).toMatchObject({
    status: 0,
    stdout: 'x',
    stderr: expect.stringContaining('debug1: '),
  });
  const terminal = home.pty(['ssh', '-l', 'root', 'web1', '--', '-t', 'tty; stty size'], { env });
  const { stdout, status } = await terminal.end;
  expect({ status, lines: stdout.split('\r\n').slice(0, 2) }).toEqual({ status: 0, lines: ['/dev/pts/0', '24 80'] });

  const knownHosts = path.join(home.state, 'vms/web1/known_hosts');
  expect(readFileSync(knownHosts, 'utf8').trim().split('\n')).toHaveLength(1);

  // the guest is another one now: it has made a new key
  await home.qrun(['kill', 'web1']);
  await boot();
  const changed = await ssh(['true']);
  expect(changed.status).toBe(255);
  expect(changed.stderr).toContain('REMOTE HOST IDENTIFICATION HAS CHANGED');
  expect(changed.stderr).toContain('qrun ssh web1 --forget-key');
  expect(await ssh(['--forget-key', 'echo', 'in'])).toMatchObject({ status: 0, stdout: 'in\n' });
  expect(await ssh(['echo', 'in'])).toMatchObject({ status: 0, stdout: 'in\n', stderr: '' });

  agent.kill('SIGTERM');
  await agent.end;
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect((await home.qrun(['rm', 'web1'])).status).toBe(0);
  expect(existsSync(knownHosts)).toBe(false);
});
