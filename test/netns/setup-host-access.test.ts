/** `qrun setup --host-access`: the host's way to macvtaps for good, in the form of whoever makes the host's interfaces. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createHome, needsQemu, waitUntil } from '../harness/harness.ts';
import { detach, still } from '../cli/a-vm.ts';
import { createSetupHost, type SetupHost } from './a-setup-host.ts';

const networkd = '/lib/systemd/systemd-networkd';

async function createCardHost(context: Parameters<typeof createSetupHost>[0]): Promise<SetupHost> {
  const host = await createSetupHost(context);
  host.sh(
    [
      'ip link add eth1 address 52:54:00:00:00:07 type veth peer name lan1; ip link set lan1 up; ip link set eth1 up',
      'ip address add 10.0.5.1/24 dev eth1; ip address add fd00:5::1/64 dev eth1 nodad',
    ].join('\n'),
  );
  return host;
}

const deviceTo = (host: SetupHost, address: string): string =>
  / dev (\S+)/.exec(host.must('ip', 'route', 'get', address))?.[1] ?? '';

test('told, made, made once, used by a run, taken back: the host is as it was', async (context) => {
  needsQemu(context);
  const host = await createCardHost(context);
  const fresh = host.look();
  const told = await host.mustSetup('--host-access', 'eth1', '--dry-run');
  expect(told.stdout).toContain('ip link add link eth1 name qrh-eth1 address 02:');
  expect(told.stdout).toContain('ip route replace fd00:5::/65 dev qrh-eth1 src fd00:5::1');
  expect(told.stdout).toContain('ExecStart=/');
  expect(host.look()).toEqual(fresh);
  await host.mustSetup('--host-access', 'eth1');
  for (const address of ['10.0.5.77', '10.0.5.200', 'fd00:5::77']) expect(deviceTo(host, address)).toBe('qrh-eth1');
  const prepared = host.look();
  expect((await host.mustSetup('--host-access', 'eth1')).stderr).toContain('all of it is so already');
  expect(host.look()).toEqual(prepared);
  // a run finds it, and makes none of its own
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [{ kind: macvtap, parent: eth1, hostAccess: true }]\n`);
  await detach(home, 'web1');
  expect(host.must('ip', '-brief', 'link')).not.toContain('qr-way');
  const kept = await host.setup('--undo');
  expect(kept).toMatchObject({ status: 5, stderr: expect.stringContaining('are reached by it') });
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
});

test('with an address of its own, changed by a second setup; what is gone is made again, and doctor tells how', async (context) => {
  const host = await createCardHost(context);
  await host.mustSetup('--host-access', 'eth1', '--address', '10.0.5.9/32');
  expect(host.must('ip', 'route', 'get', '10.0.5.77')).toContain('dev qrh-eth1 src 10.0.5.9');
  await host.mustSetup('--host-access', 'eth1', '--address', '10.0.5.193/26');
  expect(deviceTo(host, '10.0.5.77')).toBe('eth1');
  expect(host.must('ip', '-brief', 'address', 'show', 'dev', 'qrh-eth1')).not.toContain('10.0.5.9/');
  host.must('ip', 'link', 'delete', 'dev', 'qrh-eth1');
  const doctor = await host.home.qrun(['doctor', '--json']);
  const checks = JSON.parse(doctor.stdout) as { id: string; state: string; mend: string | null }[];
  expect(checks.find(({ id }) => id === 'setup')).toMatchObject({
    state: 'warn',
    mend: 'sudo qrun setup --host-access eth1 --address 10.0.5.193/26',
  });
  await host.mustSetup('--host-access', 'eth1');
  expect(host.must('ip', 'route', 'get', '10.0.5.200')).toContain('dev qrh-eth1 src 10.0.5.193');
});

test('cards on which it cannot be, each with the reason', async (context) => {
  const host = await createCardHost(context);
  const said = async (...args: string[]) => {
    const { status, stderr } = await host.setup(...args);
    return [status, stderr] as const;
  };
  expect(await said('--host-access', 'nope0')).toEqual([3, expect.stringContaining('no interface nope0')]);
  expect(await said('--host-access', 'lo')).toEqual([2, expect.stringContaining('lo means something else')]);
  expect(await said('--host-access', 'eth1', '--bridge', 'br0')).toEqual([
    2,
    expect.stringContaining('without a bridge'),
  ]);
  expect(await said('--host-access', 'eth1', '--address', '10.0.5.0/24')).toEqual([
    2,
    expect.stringContaining('network itself'),
  ]);
  host.sh('ip address flush dev eth1; ip address add 10.0.5.1/24 dev eth1 valid_lft 600 preferred_lft 600');
  expect(await said('--host-access', 'eth1')).toEqual([3, expect.stringContaining('--address A.B.C.D/32')]);
  host.sh('ip address flush dev eth1; ip link add br9 type bridge; ip link set eth1 master br9');
  expect(await said('--host-access', 'eth1')).toEqual([4, expect.stringContaining('a port of br9')]);
  host.sh('ip link set eth1 nomaster; ip link set eth1 down');
  expect(await said('--host-access', 'eth1')).toEqual([3, expect.stringContaining('ip link set dev eth1 up')]);
});

test('a way that somebody made anew, or whose alias they changed, is theirs: it is neither removed nor made again', async (context) => {
  const host = await createCardHost(context);
  for (const [change, said] of [
    [
      'ip link del qrh-eth1; ip link add link eth1 name qrh-eth1 address 02:00:00:00:00:99 type macvlan mode bridge; ip address add 10.9.9.9/24 dev qrh-eth1',
      "qrh-eth1 is somebody else's by now: its MAC is 02:00:00:00:00:99",
    ],
    ['ip link set dev qrh-eth1 alias mine', 'its alias is "mine"'],
  ] as const) {
    await host.mustSetup('--host-access', 'eth1');
    host.sh(change);
    const theirs = host.look();
    const refused = await host.setup('--host-access', 'eth1');
    expect(refused).toMatchObject({ status: 4, stderr: expect.stringContaining(said) });
    const undone = await host.setup('--undo');
    expect(undone).toMatchObject({ status: 5, stderr: expect.stringContaining(said) });
    expect(host.look()).toMatchObject({ links: theirs['links'], addresses: theirs['addresses'] });
    expect((await host.mustSetup('--undo')).stderr).toBe('setup has made nothing here\n');
    expect(await host.setup('--host-access', 'eth1')).toMatchObject({ status: 4 });
    host.must('ip', 'link', 'delete', 'dev', 'qrh-eth1');
  }
});

test('the unit, run as systemd would, makes it at the next start', async (context) => {
  const host = await createCardHost(context);
  await host.mustSetup('--host-access', 'eth1');
  const unit = '/etc/systemd/system/qrun-host-access-eth1.service';
  if (existsSync('/usr/bin/systemd-analyze'))
    expect(host.namespace.run(['systemd-analyze', 'verify', unit])).toMatchObject({ status: 0, stderr: '' });
  const look = host.must('ip', '-brief', 'address', 'show', 'dev', 'qrh-eth1');
  host.must('ip', 'link', 'delete', 'dev', 'qrh-eth1');
  host.sh(`sed -n 's/^ExecStart=\\(-\\{0,1\\}\\)\\(.*\\)/\\2 \\1/p' ${unit} | sed 's/ -$/ || true/' | sh -ec "$(cat)"`);
  expect(await waitUntil(() => host.must('ip', '-brief', 'address', 'show', 'dev', 'qrh-eth1') === look, 30_000)).toBe(
    true,
  );
  expect(deviceTo(host, 'fd00:5::77')).toBe('qrh-eth1');
});

test('where systemd-networkd configures the card it makes the way too', async (context) => {
  const host = await createCardHost(context);
  if (!existsSync(networkd)) context.skip('no systemd-networkd');
  host.sh(
    [
      'systemctl --quiet enable systemd-networkd.service 2>/dev/null',
      "printf '[Match]\\nName=eth1\\n[Network]\\nAddress=10.0.5.1/24\\nAddress=fd00:5::1/64\\nIPv6AcceptRA=no\\n' >/etc/systemd/network/50-card.network",
      'mount -t tmpfs none /run; mkdir -p /run/systemd/netif/links',
      'echo NETWORK_FILE=/etc/systemd/network/50-card.network >/run/systemd/netif/links/$(cat /sys/class/net/eth1/ifindex)',
    ].join('\n'),
  );
  await host.mustSetup('--host-access', 'eth1');
  expect(host.must('cat', '/etc/systemd/network/50-card.network.d/qrun-qrh-eth1.conf')).toContain('MACVLAN=qrh-eth1\n');
  host.sh(
    'ip link delete dev qrh-eth1; ip link set eth1 down; ip address flush dev eth1; rm -r /run/systemd; mount -o remount,ro /sys',
  );
  host.sh(
    'mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp; chown -R systemd-network: /run/systemd/netif',
  );
  const running = host.home.startProgram(['env', 'SYSTEMD_LOG_TARGET=console', networkd]);
  try {
    const isThere = (): boolean =>
      host.namespace.run(['ip', 'route', 'show', 'dev', 'qrh-eth1']).stdout.includes('10.0.5.128/25') &&
      host.namespace.run(['ip', '-6', 'route', 'show', 'dev', 'qrh-eth1']).stdout.includes('fd00:5::/65');
    expect(await waitUntil(isThere, 60_000)).toBe(true);
    expect(host.must('ip', 'route', 'get', '10.0.5.77')).toContain('dev qrh-eth1 src 10.0.5.1');
    expect(running.stderr).not.toMatch(/Unknown|Failed to parse|Invalid/);
  } finally {
    running.kill('SIGKILL');
    await running.end;
  }
});
