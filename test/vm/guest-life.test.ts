/** A real guest through a whole life: DHCP, forwards, the console, the power button, every exit status. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  bothQemus,
  createHome,
  isAlive,
  needsEitherQemu,
  needsGuest,
  needsQemu,
  pidBehindPty,
  readChildren,
  testFacts,
  waitUntil,
  type GuestFiles,
  type Home,
  type WhichQemu,
} from '../harness/harness.ts';
import { eventually } from '../cli/a-vm.ts';
import { fetchText } from './fetch-text.ts';

const profile = ({ vmlinuz, initrd }: GuestFiles, more = '', append = ''): string => `accel: tcg
memory: 160
kernel: ${vmlinuz}
initrd: ${initrd}
append: console=ttyS0 quiet ${append}
nics:
  - kind: user
    forwards: ["auto:80", "auto:7/udp"]
${more}`;

interface Row {
  readonly pid: number;
  readonly state: string;
  readonly nics: readonly {
    readonly mac: string;
    readonly ips: readonly string[];
    readonly forwards: readonly { readonly hostPort: number; readonly guestPort: number }[];
  }[];
}

async function only(home: Home): Promise<Row> {
  const [row] = JSON.parse((await home.qrun(['ps', '--json'])).stdout) as Row[];
  if (row === undefined) throw new Error('no VM runs');
  return row;
}

const portOf = (row: Row, guestPort: number): number =>
  row.nics[0]?.forwards.find((one) => one.guestPort === guestPort)?.hostPort ?? 0;

describe.each(bothQemus)('with QEMU %s', (which: WhichQemu) => {
  test('a guest boots detached, has its MAC and lease, answers through a forward, and obeys stop', async (context) => {
    const qemu = needsEitherQemu(context, which);
    const home = createHome({ qemu });
    home.profile('web1', profile(needsGuest(context), '', 'qrun.name=web1'));
    expect((await home.qrun(['web1', '-d'])).status).toBe(0);
    expect((await home.qrun(['wait', 'web1', '--for', 'text:qrun-guest: up', '--timeout', '150'])).status).toBe(0);
    expect((await home.qrun(['wait', 'web1', '--for', 'port:80', '--timeout', '150'])).status).toBe(0);
    const row = await only(home);
    const mac = row.nics[0]?.mac ?? '';
    const page = await fetchText(portOf(row, 80));
    expect(page).toContain('web1');
    expect(page).toContain(`eth0 ${mac} 10.0.2.15/24`);
    expect((await home.qrun(['logs', 'web1'])).stdout).toContain(
      `mac=${mac} ip=10.0.2.15/24 gateway=10.0.2.2 dns=10.0.2.3`,
    );
    const stopped = await home.qrun(['stop', 'web1', '--timeout', '100']);
    expect(stopped.status).toBe(0);
    expect(isAlive(row.pid)).toBe(false);
    expect((await home.qrun(['logs', 'web1'])).stderr).toMatch(/powered off/);
  });
});

describe('in the foreground', () => {
  test('on a terminal: keys go to the guest, Ctrl-C too, Ctrl-] leaves and the VM lives', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', profile(needsGuest(context)));
    const terminal = home.pty(['web1']);
    await terminal.waitFor(/qrun-guest: up/, 150_000);
    terminal.type('\r');
    await terminal.waitFor(/guest# /);
    terminal.type('echo $((6*7))\r');
    await terminal.waitFor(/[\r\n]42[\r\n]/);
    // said by who is to be interrupted, and not by the shell, which would lose the key while it starts another; the echo of it has the word in two
    terminal.type(`sh -c "echo it''runs; exec sleep 100"\r`);
    await terminal.waitFor(/itruns/);
    terminal.type('\u0003echo alive$((1+1))\r');
    await terminal.waitFor(/alive2/);
    terminal.type('\u001d');
    expect((await terminal.end).status).toBe(0);
    expect(terminal.stdout).toMatch(/web1 runs on/);
    expect((await only(home)).state).toBe('running');
    const back = home.pty(['console', 'web1']);
    back.type('\recho back$((2+2))\r');
    await back.waitFor(/back4/);
    const second = await home.qrun(['console', 'web1']);
    expect(second.status).toBe(4);
    back.type('poweroff -f\r');
    expect((await back.end).status).toBe(0);
    await eventually(async () => (await home.qrun(['ps', '--json'])).stdout.trim() === '[]');
  });

  test('the terminal is as it was, whatever ends qrun', async (context) => {
    needsQemu(context);
    for (const end of ['SIGTERM', 'leave'] as const) {
      const home = createHome();
      home.profile('web1', profile(needsGuest(context), 'shutdown: { timeout: 0 }\n'));
      const script = `stty -a >before; "$@"; stty -a >after; cmp before after && echo terminal restored`;
      const terminal = home.ptyOf(['sh', '-c', script, 'sh', testFacts().node, testFacts().bin, 'web1']);
      await terminal.waitFor(/web1 runs, pid/);
      await terminal.waitFor(/SeaBIOS|iPXE|Linux|qrun-guest/);
      if (end === 'leave') terminal.type('\u001d');
      else process.kill(readChildren(await pidBehindPty(terminal)).at(-1) ?? 0, 'SIGTERM');
      await terminal.waitFor(/terminal restored/);
      await home.qrun(['kill', 'web1']);
      await terminal.end;
    }
  });

  test('ABUSE 63: a terminal that is closed powers the guest down, and qrun ends with 129', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', profile(needsGuest(context)));
    // the kernel tells only the leader of the session, as it does a shell, which then tells its jobs
    const script =
      'exec 3<&0; "$@" <&3 & job=$!; trap "kill -HUP $job" HUP; wait $job; wait $job; echo "status $?" >status';
    const terminal = home.ptyOf(['sh', '-c', script, 'sh', testFacts().node, testFacts().bin, 'web1']);
    await terminal.waitFor(/qrun-guest: up/, 150_000);
    terminal.kill('SIGKILL');
    expect(await waitUntil(() => existsSync(`${home.dir}/status`), 100_000)).toBe(true);
    await waitUntil(() => readFileSync(`${home.dir}/status`, 'utf8') !== '', 100_000);
    expect(readFileSync(`${home.dir}/status`, 'utf8')).toBe('status 129\n');
    expect((await home.qrun(['logs', 'web1'])).stderr).toMatch(/powered off/);
  });

  test('without a terminal the output is complete, the end of stdin is not the end of the VM, and a power-off is 0', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', profile(needsGuest(context), '', 'qrun.exec=poweroff'));
    const { status, stdout } = await home.qrun(['web1'], { timeoutMs: 150_000 });
    expect(status).toBe(0);
    expect(stdout).toMatch(/SeaBIOS|Linux version|qrun-guest: link/);
    expect(stdout).toMatch(/qrun-guest: up/);
    expect(stdout).toBe(await home.run(['cat', `${home.state}/vms/web1/console.log`]).then((log) => log.stdout));
  });

  test('ABUSE 62: SIGINT without a console is the power button: the guest powers itself off', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', profile(needsGuest(context), 'console: none\n'));
    const foreground = home.start(['web1']);
    await foreground.waitFor(/web1 runs/);
    expect((await home.qrun(['wait', 'web1', '--for', 'text:qrun-guest: up', '--timeout', '150'])).status).toBe(0);
    foreground.kill('SIGINT');
    expect((await foreground.end).status).toBe(0);
    expect((await home.qrun(['logs', 'web1'])).stdout).toMatch(/qrun-guest: button[\s\S]*poweroff/);
  });

  test('SIGTERM lets the guest power itself down first, then ends with 143', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', profile(needsGuest(context)));
    const foreground = home.start(['web1']);
    await foreground.waitFor(/qrun-guest: up/, 150_000);
    foreground.kill('SIGTERM');
    expect((await foreground.end).status).toBe(143);
    expect(foreground.stdout).toMatch(/qrun-guest: button/);
  });
});

test('a guest that is slow to power off gets its time; one that ignores the button does not get more', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.profile('slow', profile(needsGuest(context), '', 'qrun.power=slow:3'));
  home.profile('deaf', profile(needsGuest(context), '', 'qrun.power=ignore'));
  await home.qrun(['slow', 'deaf', '-d']);
  for (const name of ['slow', 'deaf'])
    await home.qrun(['wait', name, '--for', 'text:qrun-guest: up', '--timeout', '150']);
  expect((await home.qrun(['stop', 'slow', 'deaf', '--timeout', '8'])).status).toBe(0);
  expect((await home.qrun(['logs', 'slow'])).stderr).toMatch(/powered off/);
  expect((await home.qrun(['logs', 'deaf'])).stderr).toMatch(/ended by qrun/);
});

test('a paused guest is resumed to hear the button', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.profile('web1', profile(needsGuest(context)));
  await home.qrun(['web1', '-d']);
  await home.qrun(['wait', 'web1', '--for', 'text:qrun-guest: up', '--timeout', '150']);
  await home.qrun(['pause', 'web1']);
  expect((await only(home)).state).toBe('paused');
  expect((await home.qrun(['stop', 'web1', '--timeout', '100'])).status).toBe(0);
  expect((await home.qrun(['logs', 'web1'])).stderr).toMatch(/powered off/);
});

test('disks: what a guest writes is there in the next run, and is not after an ephemeral one', async (context) => {
  needsQemu(context);
  const home = createHome();
  const script = (text: string): string => Buffer.from(text).toString('base64');
  const disks = 'disks:\n  - file: data.qcow2\n    size: 4M\n';
  const read = 'dd if=/dev/vda bs=16 count=1 2>/dev/null | tr -d "\\0"; echo';
  const vm = async (cmd: string, ...flags: string[]): Promise<string> => {
    home.profile('web1', profile(needsGuest(context), disks, `qrun.cmd=${script(cmd)} qrun.exec=poweroff`));
    const { status, stdout } = await home.qrun(['run', 'web1', ...flags], { timeoutMs: 150_000 });
    expect(status).toBe(0);
    return stdout;
  };
  await vm('printf first-words >/dev/vda; sync');
  expect(await vm(read)).toMatch(/first-words/);
  expect(await vm(`printf other-words >/dev/vda; sync; ${read}`, '--ephemeral')).toMatch(/other-words/);
  expect(await vm(read)).toMatch(/first-words/);
  expect((await home.run(['ls', `${home.state}/vms/web1`])).stdout).not.toMatch(/ephemeral/);
});
