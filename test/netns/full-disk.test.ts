/** A state directory without room: nothing that runs stays for want of it, and nothing waits for ever. */
import { expect, test, type TestContext } from 'vitest';
import { createHome, createNamespace, needsQemu, needsRoot, ownerFor, type Home } from '../harness/harness.ts';

interface Full {
  readonly home: Home;
  readonly fill: (leaveKib: number) => void;
  readonly empty: () => void;
}

async function createFull(context: TestContext): Promise<Full> {
  needsRoot(context);
  needsQemu(context);
  const namespace = await createNamespace();
  const { uid, gid } = ownerFor('user');
  const must = (script: string): void =>
    expect({ script, ...namespace.run(['sh', '-c', script]) }).toMatchObject({ status: 0 });
  must(
    `mount -t tmpfs -o mode=0700,size=512k,uid=${uid},gid=${gid} none /mnt && mkdir -m 0700 /mnt/state && chown ${uid}:${gid} /mnt/state`,
  );
  const home = createHome({ namespace, env: { QRUN_STATE_DIR: '/mnt/state' } });
  return {
    home,
    fill: (leaveKib) =>
      must(
        `free=$(df --output=avail -k /mnt | tail -1); dd if=/dev/zero of=/mnt/fill bs=1k count=$((free - ${leaveKib})) 2>/dev/null`,
      ),
    empty: () => must('rm /mnt/fill'),
  };
}

const vm = 'accel: tcg\nmemory: 64\nargs: [-S]\n';

test.for([
  { word: 'kill', argv: ['kill', 'web1'] },
  { word: 'stop', argv: ['stop', 'web1', '--timeout', '1'] },
])('51: $word ends a VM when its state directory is full, and gives everything back', async ({ argv }, context) => {
  const { home, fill, empty } = await createFull(context);
  home.profile('web1', vm);
  expect(await home.qrun(['run', '-d', 'web1'])).toMatchObject({ status: 0 });
  fill(0);
  const ended = await home.qrun(argv);
  expect(ended).toMatchObject({ status: 0, stderr: expect.stringContaining('not noted') });
  expect((await home.qrun(['ps', '--json'])).stdout.trim()).toBe('[]');
  expect((await home.run(['ls', '/mnt/state/vms/web1'])).stdout).not.toMatch(/journal/);
  empty();
  expect(await home.qrun(['run', '-d', 'web1'])).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/^web1 runs, pid \d+\n$/),
  });
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});

test('51: a start whose QEMU has no room to answer ends, whatever room there was', async (context) => {
  const { home, fill, empty } = await createFull(context);
  home.profile('web1', vm);
  expect((await home.qrun(['show', 'web1'])).status).toBe(0);
  for (const left of [4, 12, 20, 24, 28, 36]) {
    fill(left);
    const { status, stderr } = await home.qrun(['run', '-d', 'web1'], { timeoutMs: 60_000 });
    expect({ left, status, stderr }).toMatchObject(
      status === 0
        ? { stderr: expect.stringMatching(/^web1 runs/) }
        : { status: 3, stderr: expect.stringMatching(/hint: df \/mnt/) },
    );
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    empty();
  }
});
