/** `qrun show NAME --shell`: the script starts the same VM, under the same lock, and leaves the same nothing behind. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  bothQemus,
  createHome,
  needsEitherQemu,
  needsGuest,
  needsRoot,
  prefixFor,
  Running,
  type GuestFiles,
  type Home,
} from '../harness/harness.ts';

const profile = ({ vmlinuz, initrd, append }: GuestFiles, more: string): string => `accel: tcg
memory: 160
kernel: ${vmlinuz}
initrd: ${initrd}
append: ${append} ${more}
nics:
  - kind: user
    forwards: ["auto:80"]
disks:
  - file: data.qcow2
    size: 16M
`;

async function scriptOf(home: Home): Promise<string> {
  const { status, stdout, stderr } = await home.qrun(['show', 'web1', '--shell', '-q']);
  expect({ status, stderr: stderr.replace(/^warning: .*\n/gm, '') }).toEqual({ status: 0, stderr: '' });
  return home.write('web1.sh', stdout, 0o700);
}

describe.each(bothQemus)('on the %s QEMU', (which) => {
  test('a guest boots, says its MAC, powers off, and nothing is left', async (context) => {
    const home = createHome({ qemu: needsEitherQemu(context, which) });
    home.profile('web1', profile(needsGuest(context), 'qrun.exec=poweroff'));
    const script = await scriptOf(home);
    const { mac } = (JSON.parse((await home.qrun(['nics', 'web1', '--json'])).stdout) as { mac: string }[])[0] ?? {};
    const { status, stdout, stderr } = await home.run([script], { timeoutMs: 120_000 });
    expect(stdout).toContain(mac);
    expect(stderr).toMatch(/^port \d+ of 127\.0\.0\.1 is port 80\/tcp of the guest\n$/);
    expect(status).toBe(0);
    expect(existsSync(path.join(home.runtime, 'web1'))).toBe(false);
    expect(existsSync(path.join(home.state, 'vms/web1/events.in'))).toBe(false);
    expect(readFileSync(path.join(home.state, 'vms/web1/console.log'), 'utf8')).toBe(stdout);
  });
});

test('while the script runs the VM is running to qrun too, and the other way round', async (context) => {
  const home = createHome({ qemu: needsEitherQemu(context, 'host') });
  home.profile('web1', profile(needsGuest(context), ''));
  const file = await scriptOf(home);
  const running = new Running([...prefixFor(home.as), file], { env: home.env, cwd: home.dir, interactive: true });
  await running.waitFor(/qrun-guest: /);
  const second = await home.qrun(['run', 'web1', '-d']);
  expect({ status: second.status, told: second.stderr.includes('web1') }).toEqual({ status: 4, told: true });
  running.kill('SIGTERM');
  expect((await running.end).status).toBe(143);
  expect((await home.qrun(['run', 'web1', '-d'])).status).toBe(0);
  expect(await home.run([file])).toMatchObject({ status: 4, stderr: 'web1 runs already\n' });
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});

test("root's script drops QEMU's rights as qrun does", async (context) => {
  needsRoot(context);
  const home = createHome({ as: 'root', qemu: needsEitherQemu(context, 'host') });
  home.profile('web1', profile(needsGuest(context), 'qrun.exec=poweroff'));
  const script = await scriptOf(home);
  expect(readFileSync(script, 'utf8')).toContain('setpriv --reuid=');
  expect((await home.run([script], { timeoutMs: 120_000 })).status).toBe(0);
});
