/** `qrun setup` on a fresh host, and the host as it was. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import { createHome } from '../harness/harness.ts';
import { rowOf, detach, still } from '../cli/a-vm.ts';
import { helperFile } from './a-bridge-host.ts';
import { createSetupHost, type SetupHost } from './a-setup-host.ts';

const bridge = ['--bridge', 'br0', '--address', '10.0.5.1/24'];
const confOf = (host: SetupHost): string => host.must('cat', '/etc/qemu/bridge.conf');

test('a fresh host is prepared, a second time changes nothing, and --undo leaves it as it was', async (context) => {
  const host = await createSetupHost(context);
  const fresh = host.look();
  await host.mustSetup(...bridge);
  const prepared = host.look();
  expect(prepared['links']).toMatch(/br0: <[^>]*UP[^>]*>[\s\S]*stp_state 0[\s\S]*alias qrun setup/);
  expect(prepared['addresses']).toContain('10.0.5.1/24');
  expect(prepared['getcap']).toContain('cap_net_admin=ep');
  expect(prepared['ping']).toBe('0\t2147483647\n');
  expect(confOf(host)).toBe('allow br0\n');
  expect(host.must('stat', '-c', '%a %U', '/etc/qemu/bridge.conf')).toBe('644 root\n');
  const again = await host.mustSetup(...bridge);
  expect(again.stderr).toBe('all of it is so already\n');
  expect(host.look()).toEqual(prepared);
  const undone = await host.mustSetup('--undo', '--json');
  expect(undone.stderr).toBe('');
  expect(parseDocument('setup', undone.stdout)).toMatchObject({ notes: [] });
  expect(host.look()).toEqual(fresh);
  expect((await host.mustSetup('--undo')).stderr).toBe('setup has made nothing here\n');
});

test('a bridge that a network manager made at the next start of the host, without its alias, is so already', async (context) => {
  const host = await createSetupHost(context);
  await host.mustSetup(...bridge);
  host.sh('ip link set dev br0 alias ""');
  expect((await host.mustSetup(...bridge)).stderr).toBe('all of it is so already\n');
});

test('--dry-run tells every command and file, needs no root, and changes nothing', async (context) => {
  const host = await createSetupHost(context);
  const fresh = host.look();
  const user = createHome({ namespace: host.namespace });
  const { status, stdout } = await user.qrun(['setup', ...bridge, '--dry-run']);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^ {4}ip link add name br0 address \S+ type bridge/m);
  expect(stdout).toContain('ExecStart=');
  expect(stdout).toContain('/etc/qemu/bridge.conf (made 0644 if there is none): allow br0');
  const json = await user.qrun(['setup', ...bridge, '--dry-run', '--json']);
  expect(parseDocument('setup', json.stdout)).toMatchObject({
    items: expect.arrayContaining([expect.objectContaining({ id: 'bridge:br0', state: 'would-change' })]),
  });
  expect(host.look()).toEqual(fresh);
  await host.mustSetup(...bridge);
  const prepared = host.look();
  expect((await host.mustSetup('--undo', '--dry-run')).stdout).toContain('ip link delete dev br0 type bridge');
  expect(host.look()).toEqual(prepared);
});

test('an ordinary user is told the command with sudo', async (context) => {
  const host = await createSetupHost(context);
  const user = createHome({ namespace: host.namespace });
  const result = await user.qrun(['setup', ...bridge]);
  expect(result).toMatchObject({ status: 3 });
  expect(result.stderr).toContain('hint: sudo qrun setup --bridge br0 --address 10.0.5.1/24');
});

test('then an ordinary user has a VM on the bridge', async (context) => {
  const host = await createSetupHost(context);
  const fresh = host.look();
  await host.mustSetup(...bridge);
  const hostDir = host.home.env['QRUN_HOST_DIR'] ?? '';
  const user = createHome({ namespace: host.namespace, env: { QRUN_HOST_DIR: hostDir } });
  user.profile('web1', `${still}nics: [bridge:br0]\n`);
  await detach(user, 'web1');
  expect(await rowOf(user, 'web1')).toMatchObject({ nics: [{ kind: 'bridge', source: 'br0', hostInterface: 'tap0' }] });
  expect(host.sh(`ls ${hostDir}/macs`)).not.toBe('');
  const early = await host.setup('--undo');
  expect(early).toMatchObject({ status: 5 });
  expect(early.stderr).toContain('br0 has ports: tap0');
  expect((await user.qrun(['kill', 'web1'])).status).toBe(0);
  const later = await host.setup('--undo');
  expect(later).toMatchObject({ status: 5, stderr: expect.stringContaining('qrun rm') });
  expect((await user.qrun(['rm', 'web1'])).status).toBe(0);
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
});

test('the unit makes the same bridge again at the next start of the host', async (context) => {
  const host = await createSetupHost(context);
  await host.mustSetup(...bridge);
  const before = host.look();
  const unit = host.must('cat', '/etc/systemd/system/qrun-bridge-br0.service');
  host.must('ip', 'link', 'delete', 'br0');
  for (const [, may, command = ''] of unit.matchAll(/^ExecStart=(-?)(.*)$/gm))
    host.sh(may === '' ? command : `${command} || true`);
  expect(host.look()).toEqual({ ...before, links: expect.any(String) });
  expect((await host.mustSetup(...bridge)).stderr).toBe('all of it is so already\n');
});

test('a helper that a package upgrade replaced is given its right again', async (context) => {
  const host = await createSetupHost(context);
  await host.mustSetup(...bridge);
  host.must('setcap', '-r', helperFile);
  const { stderr } = await host.mustSetup(...bridge);
  expect(stderr).toMatch(/setcap .*cap_net_admin=ep/);
  expect(host.must('getcap', helperFile)).toContain('cap_net_admin=ep');
});

test('60 61: foreign lines, mode and owner of bridge.conf are kept; a symlink and one that others can write are refused', async (context) => {
  const host = await createSetupHost(context);
  const conf = '/etc/qemu/bridge.conf';
  host.sh(
    `mkdir /etc/qemu; printf '# mine\\r\\nallow \\tvirbr0\\n\\nallow br9' >${conf}; chmod 640 ${conf}; chgrp kvm ${conf} || chgrp 4 ${conf}`,
  );
  const fresh = host.look();
  const text = confOf(host);
  const mode = host.must('stat', '-c', '%a %u %g', conf);
  await host.mustSetup(...bridge);
  expect(confOf(host)).toBe(`${text}\nallow br0\n`);
  expect(host.must('stat', '-c', '%a %u %g', conf)).toBe(mode);
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
  host.sh(`chmod 646 ${conf}`);
  const writable = host.look();
  const refused = await host.setup(...bridge);
  expect(refused).toMatchObject({ status: 3 });
  expect(refused.stderr).toContain('can be written by others (mode 0646)');
  expect(host.look()).toEqual(writable);
  host.sh(`chmod 644 ${conf}; mv ${conf} /etc/qemu/other.conf; ln -s other.conf ${conf}`);
  const linked = host.look();
  const link = (await host.setup(...bridge)).stderr;
  expect(link).toContain('is a symbolic link');
  expect(host.look()).toEqual(linked);
  // what is told mends it
  host.sh(mendOf(link));
  await host.mustSetup(...bridge);
  expect(confOf(host)).toBe(`${text}\nallow br0\n`);
  await host.mustSetup('--undo');
  host.sh('chmod 777 /etc/qemu');
  const open = await host.setup(...bridge);
  expect(open).toMatchObject({ status: 3, stderr: expect.stringContaining('/etc/qemu can be written by others') });
  host.sh(mendOf(open.stderr));
  await host.mustSetup(...bridge);
});

/** Its command, for whom is root already. */
const mendOf = (stderr: string): string => /hint: sudo (.*)/.exec(stderr)?.[1] ?? 'false';

test('a bridge.conf that denies the bridge, or that the helper cannot parse, is refused before anything is done', async (context) => {
  const host = await createSetupHost(context);
  for (const [text, said] of [
    ['deny br0', 'bridge.conf:1 denies br0'],
    ['permit br0', 'is no command of the helper'],
  ]) {
    host.sh(`mkdir -p /etc/qemu; echo '${text}' >/etc/qemu/bridge.conf`);
    const before = host.look();
    const result = await host.setup(...bridge);
    expect(result).toMatchObject({ status: 3 });
    expect(result.stderr).toContain(said);
    expect(host.look()).toEqual(before);
  }
});

test('with --group the rule is for the group alone, whether or not there is a bridge.conf', async (context) => {
  const host = await createSetupHost(context);
  const fresh = host.look();
  await host.mustSetup(...bridge, '--group', 'qemusers');
  expect(host.must('stat', '-c', '%a %U %G', '/etc/qemu/bridge.conf')).toBe('640 root qemusers\n');
  expect(host.must('id', '-nG', 'qrun')).toContain('qemusers');
  expect((await host.mustSetup(...bridge)).stderr).not.toContain('ip link');
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
  host.sh('mkdir /etc/qemu; echo allow br7 >/etc/qemu/bridge.conf');
  const other = host.look();
  await host.mustSetup(...bridge, '--group', 'qemusers');
  expect(confOf(host)).toBe('allow br7\ninclude /etc/qemu/qrun-br0.conf\n');
  expect(host.must('stat', '-c', '%a %U %G', '/etc/qemu/qrun-br0.conf')).toBe('640 root qemusers\n');
  const user = createHome({ namespace: host.namespace });
  user.profile('web1', `${still}nics: [bridge:br0]\n`);
  expect(await user.qrun(['-d', 'web1'])).toMatchObject({ status: 3 });
  host.must('usermod', '-aG', 'qemusers', 'qrun-test');
  await detach(user, 'web1');
  expect((await user.qrun(['kill', 'web1'])).status).toBe(0);
  host.must('gpasswd', '-d', 'qrun-test', 'qemusers');
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(other);
});

test('what people made of it since is theirs: a changed file stays and is told', async (context) => {
  const host = await createSetupHost(context);
  await host.mustSetup();
  host.sh('echo "# mine" >>/etc/sysctl.d/60-qrun.conf');
  const result = await host.setup('--undo');
  expect(result).toMatchObject({ status: 5 });
  expect(result.stderr).toContain('60-qrun.conf was changed since');
  expect(host.must('cat', '/etc/sysctl.d/60-qrun.conf')).toContain('# mine');
  expect((await host.mustSetup('--undo')).stderr).toBe('setup has made nothing here\n');
});

test('a step that fails is told with the way on; the same command goes on from there', async (context) => {
  const host = await createSetupHost(context);
  const fresh = host.look();
  const fail = { QRUN_FAILPOINT: 'setup bridge:br0 2:throw' };
  const failed = await host.home.qrun(['setup', ...bridge], { env: fail });
  expect(failed).toMatchObject({ status: 3 });
  expect(failed.stderr).toContain('bridge br0: failpoint');
  expect(failed.stderr).toContain('give the same command again');
  await host.mustSetup(...bridge);
  expect(host.look()['addresses']).toContain('10.0.5.1/24');
  await host.home.qrun(['setup', '--undo'], { env: { QRUN_FAILPOINT: 'undo bridge:br0 1:throw' } });
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
});

test('what a container refuses and nobody needs is said, and the rest is made', async (context) => {
  const host = await createSetupHost(context);
  const fresh = host.look();
  host.sh('mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys');
  const { stderr } = await host.mustSetup(...bridge);
  expect(stderr).toMatch(/^note: guests of `kind: user` may ping: sysctl .* failed/m);
  expect(host.look()['addresses']).toContain('10.0.5.1/24');
  host.sh('umount /proc/sys');
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
  await host.mustSetup(...bridge);
  expect(host.look()['ping']).toBe('0\t2147483647\n');
});

test('a record that another user could have written is not followed', async (context) => {
  const host = await createSetupHost(context);
  await host.mustSetup(...bridge);
  const record = path.join(host.home.dir, 'h/setup.json');
  host.sh(`chmod 666 ${record}`);
  const refused = await host.setup('--undo');
  expect(refused).toMatchObject({ status: 3 });
  expect(refused.stderr).toContain('can be written by others');
  host.sh(`chmod 644 ${record}; sed -i 's/"v": 1/"v": 2/' ${record}`);
  expect(await host.setup('--undo')).toMatchObject({ status: 3 });
  host.sh(`sed -i 's/"v": 2/"v": 1/' ${record}`);
  await host.mustSetup('--undo');
});

test('a bridge that was there stays as it was, but for what was asked', async (context) => {
  const host = await createSetupHost(context);
  host.must('ip', 'link', 'add', 'br0', 'address', '52:54:00:ff:00:01', 'type', 'bridge');
  const fresh = host.look();
  const { stderr } = await host.mustSetup(...bridge);
  expect(stderr).toContain('br0 was there before');
  expect(host.must('ip', 'link', 'show', 'br0')).toContain('52:54:00:ff:00:01');
  expect(host.namespace.run(['ls', '/etc/systemd/system/qrun-bridge-br0.service']).status).not.toBe(0);
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
});

test.each(['setup', 'undo'])(
  '64: kill -9 at every step of %s, then again, and the host is as it was',
  async (which) => {
    // the context is not given to test.each
    const host = await createSetupHost({ skip: (why: string) => expect.fail(why) } as never);
    const fresh = host.look();
    const list = path.join(host.home.dir, 'failpoints');
    const first = await host.home.qrun(['setup', ...bridge, '--group', 'qemusers'], {
      env: { QRUN_FAILPOINT_LIST: list },
    });
    expect(first.status).toBe(0);
    await host.home.qrun(['setup', '--undo'], { env: { QRUN_FAILPOINT_LIST: list } });
    expect(host.look()).toEqual(fresh);
    const names = readFileSync(list, 'utf8')
      .trim()
      .split('\n')
      .filter((name) => name.startsWith(`${which} `));
    expect(names.length).toBeGreaterThan(15);
    for (const [index, name] of names.entries()) {
      const kill = { QRUN_FAILPOINT: `${name}:kill` };
      const args = ['setup', ...bridge, '--group', 'qemusers'];
      if (which === 'undo') await host.mustSetup(...args.slice(1));
      const killed = await host.home.qrun(which === 'undo' ? ['setup', '--undo'] : args, { env: kill });
      expect({ name, status: killed.status }).toEqual({ name, status: 137 });
      // by turns: it goes on, or it is taken back at once
      if (index % 2 === 0) await host.mustSetup(...args.slice(1));
      await host.mustSetup('--undo');
      expect({ name, ...host.look() }).toEqual({ name, ...fresh });
    }
  },
);
