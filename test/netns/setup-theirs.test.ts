/** `qrun setup` beside things of other people's: what is not setup's stays as it is, and is said. */
import { expect, test } from 'vitest';
import { createSetupHost } from './a-setup-host.ts';

const bridge = ['--bridge', 'br0', '--address', '10.0.5.1/24'];

test('a bridge that somebody made anew, or whose alias they changed, is theirs: --undo leaves it, and says why', async (context) => {
  const host = await createSetupHost(context);
  const fresh = host.look();
  for (const [change, said] of [
    [
      'ip link del br0; ip link add br0 address 02:00:00:00:00:77 type bridge; ip address add 10.44.0.1/24 dev br0; ip address add 10.0.5.1/24 dev br0',
      'br0 is another bridge by now: its MAC is 02:00:00:00:00:77',
    ],
    ['ip link set dev br0 alias mine', 'br0 is somebody else\'s by now: its alias is "mine"'],
  ] as const) {
    await host.mustSetup(...bridge);
    host.sh(change);
    const theirs = host.look();
    const refused = await host.setup(...bridge);
    expect(refused).toMatchObject({ status: 4, stderr: expect.stringContaining(said) });
    expect((await host.setup('--undo', '--dry-run')).stdout).not.toContain('ip link delete');
    expect(host.look()).toEqual(theirs);
    const undone = await host.setup('--undo');
    expect(undone).toMatchObject({ status: 5, stderr: expect.stringContaining(said) });
    expect(host.look()).toEqual({ ...fresh, links: theirs['links'], addresses: theirs['addresses'] });
    host.must('ip', 'link', 'delete', 'br0');
    expect((await host.mustSetup('--undo')).stderr).toBe('setup has made nothing here\n');
  }
});

test("a bridge of setup's with an address of somebody else's stays until that is gone", async (context) => {
  const host = await createSetupHost(context);
  const fresh = host.look();
  await host.mustSetup(...bridge);
  host.must('ip', 'address', 'add', '10.44.0.1/24', 'dev', 'br0');
  const kept = await host.setup('--undo');
  expect(kept).toMatchObject({ status: 5, stderr: expect.stringContaining("not setup's: 10.44.0.1/24") });
  expect(host.look()['addresses']).toContain('10.44.0.1/24');
  host.must('ip', 'address', 'delete', '10.44.0.1/24', 'dev', 'br0');
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
});
