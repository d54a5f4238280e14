/** `qrun ssh` with VMs that stand still and an ssh that writes down what it got. A real one, into a real guest: test/vm/ssh.test.ts. */
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, afterAll, describe, expect, test, type TestContext } from 'vitest';
import { createHome, needsFile, needsQemu, waitUntil, type Home } from '../harness/harness.ts';
import { hub, noNetworkLeft, onLab } from './a-network.ts';
import { detach, still } from './a-vm.ts';

const vde = hub.replace('hub', 'vde');
const withForward = `${still}nics:\n  - { kind: user, forwards: ["auto:22"] }\n`;

/** Writes each of its words on a line, then ends as told. */
function fakeSsh(home: Home, name: string, script = 'exit "${FAKE_STATUS:-0}"'): string {
  const folder = home.mkdir(name);
  const log = path.join(home.dir, `${name}.log`);
  home.write(`${name}/ssh`, `#!/bin/sh\nfor word; do printf '%s\\0' "$word"; done >"${log}"\n${script}\n`, 0o700);
  return folder;
}

const withPath = (home: Home, folder: string): Record<string, string> => ({
  PATH: `${folder}:${home.env['PATH'] ?? ''}`,
});
const logged = (home: Home, name: string): string[] =>
  readFileSync(path.join(home.dir, `${name}.log`), 'utf8')
    .split('\0')
    .slice(0, -1);

describe('a VM with a forward to port 22', () => {
  let home: Home;
  let port: number;
  let fakes: string;

  beforeAll(async () => {
    home = createHome({ disposeAtEnd: false });
    home.profile('web1', withForward);
    fakes = fakeSsh(home, 'fake');
    const row = await detach(home, 'web1');
    port = row.nics[0]?.forwards?.[0]?.hostPort ?? 0;
  });
  afterAll(async () => {
    await home.qrun(['kill', 'web1']);
    await home.dispose();
  });

  const ssh = async (args: readonly string[], env: Record<string, string> = {}) =>
    await home.qrun(['ssh', ...args], { env: { ...withPath(home, fakes), ...env } });

  test('its words are those of a person who knows the port, and the guest gets the command as it was written', async () => {
    const command = ['sh', '-c', 'echo  "a b"', '', '--user', 'x', '--', '-oProxyCommand=touch /tmp/x', '*', '--help'];
    const result = await ssh(['web1', '--user', 'root', ...command]);
    expect(result).toMatchObject({ status: 0, stdout: '', stderr: '' });
    const words = logged(home, 'fake');
    const knownHosts = path.join(home.state, 'vms/web1/known_hosts');
    expect(words.slice(words.indexOf('-p'))).toEqual(['-p', String(port), '-l', 'root', '--', 'web1', ...command]);
    expect(words.filter((_, index) => words[index - 1] === '-o')).toEqual([
      'HostName=127.0.0.1',
      'HostKeyAlias=web1',
      `UserKnownHostsFile="${knownHosts}"`,
      'GlobalKnownHostsFile=/dev/null',
      'StrictHostKeyChecking=accept-new',
      'NoHostAuthenticationForLocalhost=no',
      'ProxyCommand=none',
      'ControlPath=none',
    ]);
  });

  test.each([0, 1, 3, 130, 254, 255])("ssh's exit status %i is ours", async (status) => {
    expect((await ssh(['web1', 'x'], { FAKE_STATUS: String(status) })).status).toBe(status);
  });

  test('ssh’s options stand behind --', async () => {
    await ssh(['web1', '--', '-N', '-L', '8080:localhost:80']);
    expect(logged(home, 'fake').slice(-4)).toEqual(['web1', '-N', '-L', '8080:localhost:80']);
  });

  test('-v tells the command line', async () => {
    const { stderr } = await ssh(['-v', 'web1', 'echo', 'a b']);
    expect(stderr).toContain('by the forward of net0: ');
    expect(stderr).toContain(`-p ${port} -- web1 echo 'a b'\n`);
  });

  test('standard input is the command’s', async () => {
    const cat = fakeSsh(home, 'cat', 'exec cat');
    const { stdout } = await home.qrun(['ssh', 'web1', 'cat'], { env: withPath(home, cat), input: 'one\ntwo' });
    expect(stdout).toBe('one\ntwo');
  });

  test('who ends qrun ends ssh, and its status is told', async () => {
    const slow = fakeSsh(home, 'slow', `trap 'exit 7' TERM\necho up\nwhile :; do sleep 0.05; done`);
    const running = home.start(['ssh', 'web1'], { env: withPath(home, slow) });
    await running.waitFor(/up/);
    running.kill('SIGTERM');
    expect((await running.end).status).toBe(7);
  });

  test.each([
    ['-oProxyCommand=touch /tmp/x', 'unknown option'],
    ['../web1', 'invalid VM name'],
    ['web1\n', 'invalid VM name'],
    ['nobody', 'does not run'],
    ['', 'invalid VM name'],
  ])('the name %j is refused, and ssh is not called', async (name, message) => {
    const none = fakeSsh(home, 'none');
    const { status, stderr } = await home.qrun(['ssh', name], { env: withPath(home, none) });
    expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining(message) });
    expect(existsSync(path.join(home.dir, 'none.log'))).toBe(false);
  });

  test('a user that would be an option, or a command of a shell, is refused', async () => {
    for (const user of ['-oProxyCommand=id', '$(id)', 'a b']) {
      const { status, stderr } = await ssh(['web1', `--user=${user}`]);
      expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining('is no name of a user') });
    }
  });

  test('without ssh: exit 3, and the package', async () => {
    const bare = home.mkdir('bare');
    for (const tool of ['flock', 'sh', 'setpriv']) symlinkSync(`/usr/bin/${tool}`, path.join(bare, tool));
    const { status, stderr } = await home.qrun(['ssh', 'web1'], { env: { PATH: bare } });
    expect({ status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining('openssh-client') });
  });

  test('a known_hosts that is a link is not handed to ssh; --forget-key removes it', async () => {
    const file = path.join(home.state, 'vms/web1/known_hosts');
    await home.run(['ln', '-s', '/etc/passwd', file]);
    expect(await ssh(['web1'])).toMatchObject({ status: 3, stderr: expect.stringContaining(`rm ${file}`) });
    expect((await ssh(['web1', '--forget-key', 'true'])).status).toBe(0);
    expect(existsSync(file)).toBe(false);
  });
});

async function running(context: TestContext, nics: string): Promise<Home> {
  needsQemu(context);
  const home = createHome({ mayLeave: true });
  home.profile('web1', `${still}${nics}`);
  await detach(home, 'web1');
  return home;
}

test.each([
  ['nics: [user]\n', 'forwards: ["auto:22"] to net0'],
  ['nics: []\n', '{ kind: user, forwards: ["auto:22"] }'],
  ['nics:\n  - { kind: user, id: lan, forwards: ["auto:80", "auto:22/udp"] }\n', 'forwards: ["auto:22"] to lan'],
])('without a way in: exit 3, and what to add to the profile (%j)', async (nics, hint) => {
  const home = createHome({ mayLeave: true });
  home.profile('web1', `${still}${nics}`);
  await detach(home, 'web1');
  const { status, stderr } = await home.qrun(['ssh', 'web1'], { env: withPath(home, fakeSsh(home, 'fake')) });
  expect({ status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining(hint) });
  expect(stderr).toContain('qrun edit web1');
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});

test('on a network of the user’s: its forward to port 22, else one that is added and found again', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.write(`${home.mkdir('c/networks')}/lab.yaml`, `${hub}forwards: ["auto:web2:22"]\n`);
  for (const name of ['web1', 'web2']) home.profile(name, onLab);
  for (const name of ['web1', 'web2']) await detach(home, name);
  const env = withPath(home, fakeSsh(home, 'fake'));
  const way = async (name: string): Promise<{ by: string; port: number }> => {
    const { status, stderr } = await home.qrun(['ssh', '-v', name], { env });
    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringMatching(/^by [^:]+: /m) });
    const words = logged(home, 'fake');
    expect(words).toContain('HostName=127.0.0.1');
    const by = /^by ([^:]+): /m.exec(stderr)?.[1] ?? '';
    const port = Number(words[words.indexOf('-p') + 1]);
    // what stays is said, and how to undo it
    const isNew = stderr.includes(`to undo that: qrun net forward lab ${port} --remove\n`);
    expect(isNew).toBe(by.startsWith('a new forward'));
    return { by, port };
  };
  const second = await way('web2');
  expect(second.by).toBe('a forward of the network lab');
  const first = await way('web1');
  expect(first.by).toBe('a new forward of the network lab');
  expect(await way('web1')).toEqual({ by: 'a forward of the network lab', port: first.port });
  expect(first.port).not.toBe(second.port);
  // one to another port is no way in, and one that was taken away is made anew
  expect((await home.qrun(['net', 'forward', 'lab', `${first.port}`, '--remove'])).status).toBe(0);
  expect((await home.qrun(['net', 'forward', 'lab', 'auto:web1:80'])).status).toBe(0);
  expect((await way('web1')).by).toBe('a new forward of the network lab');
  expect((await home.qrun(['kill', 'web1', 'web2'])).status).toBe(0);
  expect(await noNetworkLeft(home)).toBe(true);
});

test('on a network of vde: a forward of its definition, else what to write there', async (context) => {
  needsQemu(context);
  needsFile(context, '/usr/bin/vde_switch');
  const home = createHome();
  home.write(`${home.mkdir('c/networks')}/lab.yaml`, `${vde}forwards: ["auto:web2:22"]\n`);
  for (const name of ['web1', 'web2']) home.profile(name, onLab);
  for (const name of ['web1', 'web2']) await detach(home, name);
  const env = withPath(home, fakeSsh(home, 'fake'));
  expect((await home.qrun(['ssh', 'web2'], { env })).status).toBe(0);
  expect(await home.qrun(['ssh', 'web1'], { env })).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('qrun net edit lab, and add forwards: ["auto:web1:22"]'),
  });
  expect((await home.qrun(['kill', 'web1', 'web2'])).status).toBe(0);
  expect(await noNetworkLeft(home)).toBe(true);
});

test('a VM that is stopped, and one that has never run, are no place to log in to', async (context) => {
  const home = await running(context, 'nics: [user]\n');
  await home.qrun(['kill', 'web1']);
  for (const name of ['web1', 'other']) {
    const { status, stderr } = await home.qrun(['ssh', name]);
    expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining(`${name} does not run`) });
  }
});

test('rm forgets the host keys', async (context) => {
  const home = await running(context, 'nics: [user]\n');
  await home.qrun(['kill', 'web1']);
  const file = home.write(path.join(home.state, 'vms/web1/known_hosts'), 'web1 ssh-ed25519 AAAA\n');
  expect((await home.qrun(['rm', 'web1'])).status).toBe(0);
  expect(await waitUntil(() => !existsSync(file), 30_000)).toBe(true);
});
