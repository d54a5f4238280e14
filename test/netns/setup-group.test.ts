/** `qrun setup --group`: members alone are let on the bridge, whatever was there before; and who is not to be let in is refused. */
import { expect, test } from 'vitest';
import { createHome } from '../harness/harness.ts';
import { still } from '../cli/a-vm.ts';
import { createSetupHost, type SetupHost } from './a-setup-host.ts';

const bridge = ['--bridge', 'br0'];
const group = ['--group', 'qemusers'];
const conf = '/etc/qemu/bridge.conf';

/** What a user who is no member is told. */
async function tried(host: SetupHost): Promise<number> {
  const user = createHome({ namespace: host.namespace });
  user.profile('web1', `${still}nics: [bridge:br0]\n`);
  const { status } = await user.qrun(['doctor', 'web1']);
  return status;
}

test('what everybody was let in by is narrowed to the group by a second setup, and the group is another one by a third', async (context) => {
  const host = await createSetupHost(context);
  const fresh = host.look();
  await host.mustSetup(...bridge);
  expect(await tried(host)).toBe(0);
  await host.mustSetup(...bridge, ...group);
  expect(host.must('stat', '-c', '%a %G', conf)).toBe('640 qemusers\n');
  expect(await tried(host)).toBe(3);
  const again = await host.mustSetup(...bridge);
  expect(again.stderr).toContain('note: br0 is for the group qemusers alone, as an earlier setup had it');
  const third = await host.mustSetup(...bridge, '--group', 'others');
  expect(third.stderr).not.toContain('may read /etc/qemu/bridge.conf');
  expect(host.must('id', '-nG', 'qrun')).toBe('qrun others\n');
  expect(host.must('stat', '-c', '%a %G', conf)).toBe('640 others\n');
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
  // beside lines of somebody else's
  host.sh(`mkdir /etc/qemu; echo allow br7 >${conf}`);
  const other = host.look();
  await host.mustSetup(...bridge);
  expect((await host.setup(...bridge, ...group, '--dry-run')).stdout).toContain(`take out of ${conf}: allow br0`);
  // killed between the two it lets nobody on the bridge
  const kill = { QRUN_FAILPOINT: 'setup line:/etc/qemu/bridge.conf:allow br0 replaced:kill' };
  expect((await host.home.qrun(['setup', ...bridge, ...group], { env: kill })).status).toBe(137);
  expect(host.must('cat', conf)).toBe('allow br7\n');
  await host.mustSetup(...bridge, ...group);
  expect(host.must('cat', conf)).toBe('allow br7\ninclude /etc/qemu/qrun-br0.conf\n');
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(other);
});

test('bridge.conf that setup made goes, whichever of its lines was the first', async (context) => {
  const host = await createSetupHost(context);
  const fresh = host.look();
  await host.mustSetup(...bridge);
  await host.mustSetup('--bridge', 'br1', ...group);
  await host.mustSetup(...bridge, ...group);
  await host.mustSetup(...bridge, '--group', 'others');
  // br1 is still for the first
  expect(host.must('id', '-nG', 'qrun').trim().split(' ').toSorted()).toEqual(['others', 'qemusers', 'qrun']);
  await host.mustSetup('--bridge', 'br1', '--group', 'others');
  expect(host.must('id', '-nG', 'qrun')).toBe('qrun others\n');
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
});

test('a rule of somebody else that lets everybody on the bridge, and a file that not all can read', async (context) => {
  const host = await createSetupHost(context);
  for (const [script, said] of [
    [`echo allow br0 >${conf}`, `${conf}:1 lets everybody on br0 already`],
    [`printf '# x\\nallow all\\n' >${conf}`, `${conf}:2 lets everybody on br0 already`],
    [
      `echo allow br0 >/etc/qemu/more.conf; echo include /etc/qemu/more.conf >${conf}`,
      '/etc/qemu/more.conf:1 lets everybody on br0 already',
    ],
    [`echo allow br7 >${conf}; chgrp audio ${conf}; chmod 640 ${conf}`, `the group audio alone may read ${conf}`],
    [`echo allow br7 >${conf}; chgrp root ${conf}; chmod 640 ${conf}`, `root alone may read ${conf}`],
  ]) {
    host.sh(`mkdir -p /etc/qemu; rm -f ${conf}; ${script}`);
    const before = host.look();
    const { status, stderr } = await host.setup(...bridge, ...group);
    expect({ script, status }).toEqual({ script, status: said?.startsWith('root') === true ? 3 : 4 });
    expect(stderr).toContain(said);
    expect(host.look()).toEqual(before);
  }
  const plain = await host.setup(...bridge);
  expect(plain).toMatchObject({ status: 3, stderr: expect.stringContaining(`hint: sudo chmod a+r ${conf}`) });
  host.sh(`chgrp audio ${conf}`);
  expect((await host.mustSetup(...bridge)).stderr).toContain(`note: the group audio alone may read ${conf}`);
});

test('a person named qrun, and a group that may do more than use a bridge, are refused', async (context) => {
  const host = await createSetupHost(context);
  for (const name of ['root', 'sudo', 'disk', 'shadow']) {
    const { status, stderr } = await host.setup(...bridge, '--group', name);
    expect({ name, status }).toEqual({ name, status: 2 });
    expect(stderr).toContain('may do far more than use a bridge');
  }
  host.sh('echo toor:x:0: >>/etc/group');
  expect(await host.setup(...bridge, '--group', 'toor')).toMatchObject({ status: 2 });
  host.sh('useradd --no-create-home --shell /bin/bash qrun');
  const before = host.look();
  const refused = await host.setup(...bridge);
  expect(refused).toMatchObject({ status: 4, stderr: expect.stringContaining('there is a user qrun already') });
  expect(host.look()).toEqual(before);
  host.sh('userdel qrun; useradd --system --no-create-home --shell /usr/sbin/nologin qrun');
  await host.mustSetup(...bridge);
  await host.mustSetup('--undo');
  expect(host.must('id', '-un', 'qrun')).toBe('qrun\n');
});

test('a helper that is setuid and has capabilities as well', async (context) => {
  const host = await createSetupHost(context);
  host.sh('chmod u+s /usr/lib/qemu/qemu-bridge-helper; setcap cap_net_admin=ep /usr/lib/qemu/qemu-bridge-helper');
  const before = host.look();
  const refused = await host.setup(...bridge);
  expect(refused).toMatchObject({ status: 3, stderr: expect.stringContaining('hint: sudo chmod u-s ') });
  expect(host.look()).toEqual(before);
});
