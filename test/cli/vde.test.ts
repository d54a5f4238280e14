/** `kind: vde` with VMs that stand still: what is looked at before QEMU joins, and what is left after it. */
import { chmodSync, existsSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { describe, expect, test, type TestContext } from 'vitest';
import { createHome, isRoot, needsFile, needsQemu, waitUntil, type Home, type Running } from '../harness/harness.ts';
import { argvOf, detach, leftOf, nothingLeft, still } from './a-vm.ts';

function needsVde(context: TestContext): void {
  needsQemu(context);
  needsFile(context, '/usr/bin/vde_switch');
}

/** In the foreground it ends with its standard input, which the harness holds open. */
async function startSwitch(home: Home, directory: string, ...words: readonly string[]): Promise<Running> {
  const running = home.startProgram(['vde_switch', '-s', directory, '-m', '0600', ...words]);
  expect(await waitUntil(() => existsSync(`${directory}/ctl`), 30_000)).toBe(true);
  return running;
}

async function stopSwitch(running: Running): Promise<void> {
  running.kill('SIGTERM');
  await running.end;
}

const on = (keys: string): string => `${still}nics: [{ kind: vde, ${keys} }]\n`;

test('a VM joins, and leaves nothing in the switch’s directory: stopped, or killed', async (context) => {
  needsVde(context);
  const home = createHome();
  const directory = `${home.dir}/switch`;
  const running = await startSwitch(home, directory);
  home.profile('web1', on(`socket: ${directory}, port: 5, mode: "0660"`));
  const { pid } = await detach(home, 'web1');
  expect(argvOf(pid)).toContain(
    `{"type":"vde","id":"net0","sock":${JSON.stringify(directory)},"port":5,"mode":${0o660}}`,
  );
  expect(readdirSync(directory)).toEqual([expect.stringMatching(/^005\./), 'ctl']);
  expect((await home.qrun(['stop', 'web1'])).status).toBe(0);
  expect(await waitUntil(() => readdirSync(directory).join() === 'ctl', 30_000)).toBe(true);
  const again = await detach(home, 'web1');
  process.kill(again.pid, 'SIGKILL');
  expect(await waitUntil(() => readdirSync(directory).join() === 'ctl', 30_000)).toBe(true);
  expect(await nothingLeft(home, 'web1')).toBe(true);
  await stopSwitch(running);
});

describe('what is wrong is said before QEMU starts', () => {
  async function refused(home: Home, directory: string): Promise<{ status: number; stderr: string }> {
    home.profile('web1', on(`socket: ${directory}`));
    const { status, stderr } = await home.qrun(['web1', '-d']);
    expect(leftOf(home, 'web1')).toEqual([]);
    return { status, stderr };
  }

  test('no directory, no switch in it, one that has ended', async (context) => {
    needsVde(context);
    const home = createHome();
    const directory = `${home.dir}/switch`;
    const hint = `hint: vde_switch -s ${directory} -m 0600 -d\n`;
    expect(await refused(home, directory)).toEqual({ status: 3, stderr: expect.stringContaining(hint) });
    home.mkdir('switch');
    expect(await refused(home, directory)).toEqual({
      status: 3,
      stderr: expect.stringContaining('no VDE switch listens'),
    });
    rmSync(directory, { recursive: true });
    const running = await startSwitch(home, directory);
    running.kill('SIGKILL');
    await running.end;
    expect(existsSync(`${directory}/ctl`)).toBe(true);
    expect(await refused(home, directory)).toEqual({ status: 3, stderr: expect.stringMatching(/has ended\n.*hint/s) });
    // what the hint says mends it
    const mended = await startSwitch(home, directory);
    await detach(home, 'web1');
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    await stopSwitch(mended);
  });

  test('ABUSE 42: a link to a switch', async (context) => {
    needsVde(context);
    const home = createHome();
    const running = await startSwitch(home, `${home.dir}/real`);
    symlinkSync(`${home.dir}/real`, `${home.dir}/link`);
    expect(await refused(home, `${home.dir}/link`)).toEqual({
      status: 2,
      stderr: expect.stringContaining('symbolic link'),
    });
    await stopSwitch(running);
  });

  test('a switch of another user’s', async (context) => {
    needsVde(context);
    if (!isRoot()) return context.skip('needs a second user: root');
    const home = createHome();
    const others = createHome({ as: 'root' });
    const running = await startSwitch(others, `${others.dir}/switch`);
    chmodSync(`${others.dir}/switch`, 0o755);
    expect(await refused(home, `${others.dir}/switch`)).toEqual({
      status: 3,
      stderr: expect.stringMatching(/may not join the VDE switch .* \(it is that of uid 0\)/),
    });
    await stopSwitch(running);
  });

  test('a port that the switch has not got: QEMU says nothing that helps, qrun does', async (context) => {
    needsVde(context);
    const home = createHome();
    const directory = `${home.dir}/switch`;
    const running = await startSwitch(home, directory, '-n', '4');
    home.profile('web1', on(`socket: ${directory}, port: 500`));
    expect(await home.qrun(['web1', '-d'])).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/the VDE switch of .* does not answer QEMU\n.*vde_switch -n/s),
    });
    expect(await nothingLeft(home, 'web1')).toBe(true);
    await stopSwitch(running);
  });

  test('a script of show --shell looks as well', async (context) => {
    needsVde(context);
    const home = createHome();
    const directory = `${home.dir}/switch`;
    home.profile('web1', on(`socket: ${directory}`));
    const script = home.write('web1.sh', (await home.qrun(['show', 'web1', '--shell'])).stdout);
    expect(await home.run(['/bin/sh', script])).toMatchObject({
      status: 3,
      stderr: expect.stringContaining(`no VDE switch listens in ${directory}`),
    });
    expect(leftOf(home, 'web1')).toEqual([]);
  });
});
