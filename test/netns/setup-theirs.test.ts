/** `qrun setup` beside things of other people's: what is not setup's stays as it is, and is said. */
import { writeFileSync } from 'node:fs';
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

test('61: dhcpcd.conf: the line stands above the parts that are of one interface, and is taken out from there', async (context) => {
  const host = await createSetupHost(context);
  const conf = '/etc/dhcpcd.conf';
  host.sh(`printf 'duid\\ninterface eth0\\nstatic ip_address=192.0.2.1/24\\n' >${conf}`);
  const fresh = host.look();
  await host.mustSetup();
  expect(host.must('cat', conf)).toBe('duid\ndenyinterfaces qr-*\ninterface eth0\nstatic ip_address=192.0.2.1/24\n');
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
});

test('dhcpcd.conf: a line that an earlier version put at its end is moved up, and one is taken out', async (context) => {
  const host = await createSetupHost(context);
  const conf = '/etc/dhcpcd.conf';
  host.sh(`printf 'duid\\ninterface eth0\\nstatic ip_address=192.0.2.1/24\\n' >${conf}`);
  const fresh = host.look();
  await host.mustSetup();
  // as that version left the file and its record
  const record = `${host.home.env['QRUN_HOST_DIR'] ?? ''}/setup.json`;
  const { entries, ...others } = JSON.parse(host.must('cat', record)) as { entries: { item: object }[] };
  const older = entries.map(({ item, ...entry }) => {
    const { above: _above, reload: _reload, ...rest } = item as { above?: unknown; reload?: unknown };
    return { ...entry, item: 'path' in item && item.path === conf ? rest : item };
  });
  writeFileSync(record, JSON.stringify({ ...others, entries: older }));
  host.sh(`sed -i '/^denyinterfaces/d' ${conf}; echo 'denyinterfaces qr-*' >>${conf}`);
  await host.mustSetup();
  expect(host.must('cat', conf)).toBe('duid\ndenyinterfaces qr-*\ninterface eth0\nstatic ip_address=192.0.2.1/24\n');
  expect((await host.mustSetup()).stderr).toContain('all of it is so already');
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
});

test('the registry of MACs is remembered until nobody has one in it; a setup for which there is no room leaves nothing', async (context) => {
  const host = await createSetupHost(context);
  const fresh = host.look();
  const registry = host.home.env['QRUN_HOST_DIR'] ?? '';
  await host.mustSetup();
  host.sh(`touch ${registry}/macs/52-54-00-12-ab-cd`);
  const early = await host.setup('--undo');
  expect(early).toMatchObject({
    status: 5,
    stderr: expect.stringContaining('an address of VMs or ports of root (qrun rm and qrun net rm free them)'),
  });
  host.sh(`ln -s /etc/shadow ${registry}/macs/52-54-00-12-ab-ce; chown -h daemon ${registry}/macs/52-54-00-12-ab-ce`);
  host.sh(`mkdir "${registry}/macs/it's"; chown daemon "${registry}/macs/it's"`);
  const rubbish = await host.setup('--undo');
  expect(rubbish).toMatchObject({ status: 5, stderr: expect.stringContaining("no address of a VM's, of daemon (") });
  const [, mend = ''] = /sudo (rm -r -- .*)\)/.exec(rubbish.stderr) ?? [];
  host.sh(mend);
  expect(host.must('ls', `${registry}/macs`)).toBe('52-54-00-12-ab-cd\n');
  host.sh(`rm ${registry}/macs/52-54-00-12-ab-cd`);
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
  const full = `${host.namespace.dir}/full`;
  host.sh(`mkdir ${full}; mount -t tmpfs -o nr_inodes=3,mode=755 none ${full}`);
  const failed = await host.home.qrun(['setup'], { env: { QRUN_HOST_DIR: `${full}/lib/host` } });
  expect(failed).toMatchObject({ status: 3 });
  expect(host.must('ls', '-A', full)).toBe('');
  expect(host.look()).toEqual(fresh);
});

test("an uplink that is a port of somebody else's bridge of the same name, and its addresses there, stay", async (context) => {
  const host = await createSetupHost(context);
  host.sh(
    [
      'ip link add eth1 address 52:54:00:00:00:07 type veth peer name lan1; ip link set lan1 up; ip link set eth1 up',
      'ip address add 192.0.2.7/24 brd + dev eth1',
    ].join('\n'),
  );
  await host.mustSetup('--bridge', 'br0', '--uplink', 'eth1');
  host.sh(
    'ip link del br0; ip link add br0 type bridge; ip link set eth1 master br0; ip link set br0 up; ip address add 192.0.2.7/24 brd + dev br0',
  );
  const theirs = host.look();
  const undone = await host.setup('--undo');
  expect(undone).toMatchObject({ status: 5, stderr: expect.stringContaining("br0 is somebody else's by now") });
  expect(host.look()).toMatchObject({ addresses: theirs['addresses'], links: theirs['links'] });
});
