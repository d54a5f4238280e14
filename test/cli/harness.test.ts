import { existsSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createHome, createNamespace, Home, needsRoot, ownerFor, readProcessesNaming } from '../harness/harness.ts';

test('a home is its user’s, private and gone afterwards', async () => {
  const home = createHome({ disposeAtEnd: false });
  const { status, stdout } = await home.run(['sh', '-c', 'id -u; pwd; echo "$QRUN_STATE_DIR"']);
  expect({ status, stdout }).toEqual({ status: 0, stdout: `${ownerFor('user').uid}\n${home.dir}\n${home.state}\n` });
  expect(statSync(home.dir).mode & 0o777).toBe(0o700);
  await home.dispose();
  expect(existsSync(home.dir)).toBe(false);
});

test('a process that is left behind fails the test and is killed', async () => {
  const home = new Home({ graceMs: 1000 });
  await home.run(['sh', '-c', 'exec </dev/null >/dev/null 2>&1; sleep 600 &']);
  await expect(home.dispose()).rejects.toThrow(/left behind: \d+ sleep 600/);
  expect(readProcessesNaming(home.dir)).toEqual([]);
});

test('what keeps another process going is killed with it, and nothing is started any more', async () => {
  const home = new Home({ graceMs: 0 });
  const keeper = 'exec </dev/null >/dev/null 2>&1; (while :; do sleep 600; done) &';
  await home.run(['sh', '-c', keeper]);
  await expect(home.dispose()).rejects.toThrow(/left behind/);
  expect(readProcessesNaming(home.dir)).toEqual([]);
  expect(() => home.start(['ls'])).toThrow('the test has ended');
});

test('the program gets its input, and a signal shows in its status', async () => {
  const home = createHome();
  const { stdout } = await home.run(['cat'], { input: 'typed' });
  expect(stdout).toBe('typed');
  const { status } = await home.run(['sh', '-c', 'kill -9 $$']);
  expect(status).toBe(137);
});

test('qrun runs as the test user', async () => {
  const { status, stdout } = await createHome().qrun(['--version']);
  expect(status).toBe(0);
  expect(stdout).toMatch(/\d+\.\d+\.\d+/);
});

test('a pty is a terminal of 80 by 24', async () => {
  const home = createHome();
  const running = home.pty(['--version']);
  const { status, stdout } = await running.end;
  expect({ status, lines: stdout.includes('\r\n') }).toEqual({ status: 0, lines: true });
});

test('a namespace has loopback alone and an open tun', async (context) => {
  needsRoot(context);
  const namespace = await createNamespace();
  const home = createHome({ namespace });
  const { stdout } = await home.run(['sh', '-c', 'ls /sys/class/net; stat -c %a /dev/net/tun; id -u; pwd']);
  expect(stdout).toBe(`lo\n666\n${ownerFor('user').uid}\n${home.dir}\n`);
});
