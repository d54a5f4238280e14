/** A real guest under a script of `qrun show --shell`. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createHome, needsGuest, needsQemu } from '../harness/harness.ts';
import { lastingOfNetworks } from '../cli/a-network.ts';
import { fetchFromHost, get, guestProfile, kill, start } from './a-lan.ts';
import { fetchText } from './fetch-text.ts';
import { GuestShell } from './guest-shell.ts';

const profile = (context: Parameters<typeof needsGuest>[0], words: string): string => {
  const { vmlinuz, initrd, append } = needsGuest(context);
  return `accel: tcg
memory: 160
kernel: ${vmlinuz}
initrd: ${initrd}
append: ${append} qrun.name=web1 ${words}
nics: [{ kind: user, forwards: ["auto:80"] }]
`;
};

test('a power-off is 0, and the console is on stdout to its last word', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.profile('web1', profile(context, 'qrun.exec=poweroff'));
  const script = home.write('web1.sh', (await home.qrun(['show', 'web1', '--shell'])).stdout);
  const { status, stdout } = await home.run(['/bin/sh', script], { timeoutMs: 300_000 });
  expect(status).toBe(0);
  expect(stdout).toContain('qrun-guest: up name=web1');
  expect(stdout).toBe((await home.run(['cat', `${home.state}/vms/web1/console.log`])).stdout);
  expect(existsSync(path.join(home.runtime, 'web1'))).toBe(false);
});

test('a forward with a port of its own choice is answered by the guest, which qrun stop powers down', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.profile('web1', profile(context, ''));
  const script = home.write('web1.sh', (await home.qrun(['show', 'web1', '--shell'])).stdout);
  const running = home.startProgram(['/bin/sh', script], { timeoutMs: 300_000 });
  const [, port] = await running.waitFor(/^port (\d+) of 127\.0\.0\.1 is port 80\/tcp of the guest$/m);
  await running.waitFor(/qrun-guest: up/);
  expect(await fetchText(Number(port))).toContain('web1');
  expect((await home.qrun(['stop', 'web1', '--timeout', '100'])).status).toBe(0);
  expect((await running.end).status).toBe(0);
  expect(running.stdout).toContain('qrun-guest: button');
});

test('guests of a script and of qrun meet on the network that the script took up', async (context) => {
  needsQemu(context);
  const files = needsGuest(context);
  const home = createHome();
  home.network('lab', 'scope: user\ntransport: hub\ndns: { domain: lab.test }\nforwards: ["auto:web1:80"]\n');
  for (const name of ['web1', 'web2']) home.profile(name, guestProfile(files, name, '["network:lab"]'));
  const { stdout, stderr } = await home.qrun(['show', 'web1', '--shell']);
  const script = home.write('web1.sh', stdout);
  expect(stderr).not.toMatch(/error|bug/);
  const running = home.startProgram(['/bin/sh', script], { timeoutMs: 300_000 });
  const [, port] = await running.waitFor(/^port (\d+) of 127\.0\.0\.1 is port 80\/tcp of web1 on network lab$/m);
  await running.waitFor(/qrun-guest: net eth0 /);
  await start(home, 'web2');
  const web2 = await GuestShell.open(home, 'web2');
  expect(await web2.run(get('web1.lab.test/'))).toMatch(/^qrun-guest web1\n/);
  expect(await fetchFromHost(home, Number(port))).toMatch(/^qrun-guest web1\n/);
  web2.close();
  await kill(home, 'web2');
  expect((await home.qrun(['stop', 'web1', '--timeout', '100'])).status).toBe(0);
  expect((await running.end).status).toBe(0);
  expect(await lastingOfNetworks(home)).toEqual([]);
});
