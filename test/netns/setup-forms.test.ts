/** What setup writes for the next start of the host, given to those who read it then. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { waitUntil } from '../harness/harness.ts';
import { createSetupHost, type SetupHost } from './a-setup-host.ts';

const bridge = ['--bridge', 'br0', '--address', '10.0.5.1/24'];
const networkd = '/lib/systemd/systemd-networkd';

const addressesOf = (host: SetupHost): string =>
  host.namespace.run(['ip', '-brief', '-4', 'address', 'show', 'br0']).stdout;

test('systemd finds no fault in the unit', async (context) => {
  const host = await createSetupHost(context);
  if (!existsSync('/usr/bin/systemd-analyze')) context.skip('no systemd-analyze');
  await host.mustSetup(...bridge);
  const result = host.namespace.run(['systemd-analyze', 'verify', '/etc/systemd/system/qrun-bridge-br0.service']);
  expect(result).toMatchObject({ status: 0, stderr: '' });
  expect(host.must('systemctl', 'is-enabled', 'qrun-bridge-br0.service')).toBe('enabled\n');
});

test('where systemd-networkd runs the host it makes the bridge, with its uplink, addresses and routes', async (context) => {
  const host = await createSetupHost(context);
  if (!existsSync(networkd)) context.skip('no systemd-networkd');
  host.sh(
    [
      'systemctl --quiet enable systemd-networkd.service 2>/dev/null',
      'ip link add eth1 address 52:54:00:00:00:07 type veth peer name lan1; ip link set lan1 up; ip link set eth1 up',
      'ip address add 192.0.2.7/24 brd + dev eth1; ip route add 198.51.100.0/24 via 192.0.2.1',
      'ip address add 10.1.1.1/32 peer 10.1.1.2 dev eth1',
      'ip route add 10.67.0.0/16 nexthop via 192.0.2.4 dev eth1 nexthop via 192.0.2.5 dev eth1 weight 3',
      'ip route add 172.16.0.0/12 via 192.0.2.9 dev eth1 table 100',
    ].join('\n'),
  );
  const fresh = host.look();
  await host.mustSetup(...bridge, '--uplink', 'eth1');
  expect(host.must('cat', '/etc/systemd/network/06-qrun.network')).toContain('Name=qr-*\n');
  const prepared = host.look();
  host.sh('ip link delete br0; ip link set eth1 down; ip address flush dev eth1');
  // as in a container: nobody is waited for who would name the interfaces
  host.sh(
    'mount -t tmpfs none /run; mount -o remount,ro /sys; mkdir -p /run/systemd/netif; chown systemd-network: /run/systemd/netif',
  );
  host.sh(
    'mkdir /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp; chown systemd-network: /run/systemd/netif/*',
  );
  const running = host.home.startProgram(['env', 'SYSTEMD_LOG_TARGET=console', networkd]);
  try {
    expect(await waitUntil(() => /192\.0\.2\.7\/24 10\.0\.5\.1\/24/.test(addressesOf(host)), 60_000)).toBe(true);
    expect(
      await waitUntil(() => host.must('ip', 'route').includes('198.51.100.0/24 via 192.0.2.1 dev br0'), 60_000),
    ).toBe(true);
    const all = (): string => host.must('ip', '-oneline', 'route', 'show', 'table', 'all').replaceAll(/[\s\\]+/g, ' ');
    for (const one of [
      'nexthop via 192.0.2.5 dev br0 weight 3',
      '172.16.0.0/12 via 192.0.2.9 dev br0 table 100',
      '10.1.1.2 dev br0 proto kernel',
    ])
      expect({ one, there: await waitUntil(() => all().includes(one), 60_000) }).toEqual({ one, there: true });
    expect(host.must('ip', '-brief', 'link', 'show', 'br0')).toContain('52:54:00:00:00:07');
    expect(host.must('ip', 'link', 'show', 'eth1')).toContain('master br0');
    expect(running.stderr).not.toMatch(/Unknown|Failed to parse/);
  } finally {
    running.kill('SIGKILL');
    await running.end;
  }
  expect(host.look()['etc']).toBe(prepared['etc']);
  await host.mustSetup('--undo');
  expect(host.look()['etc']).toBe(fresh['etc']);
});
