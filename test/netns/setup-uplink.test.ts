/** `qrun setup --uplink`: a network card of the host's becomes a port of the bridge, and is what it was again. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createNamespace, type Namespace } from '../harness/harness.ts';
import { createSetupHost, type SetupHost } from './a-setup-host.ts';

const uplink = ['--bridge', 'br0', '--uplink', 'eth1'];

/** eth1 with addresses and routes, and beyond it a gateway that answers. */
async function plug(host: SetupHost): Promise<Namespace> {
  const lan = await createNamespace();
  host.sh(
    [
      'ip link add eth1 address 52:54:00:00:00:07 type veth peer name lan1',
      `ip link set lan1 netns ${lan.pid}`,
      'ip link set eth1 up',
      'ip address add 192.0.2.7/24 brd + dev eth1',
      'ip address add 192.0.2.8/24 dev eth1',
      'ip address add 2001:db8::7/64 dev eth1 nodad',
    ].join('\n'),
  );
  const inLan = lan.run([
    'sh',
    '-ec',
    'ip address add 192.0.2.1/24 dev lan1; ip address add 2001:db8::1/64 dev lan1 nodad; ip link set lan1 up',
  ]);
  expect(inLan).toMatchObject({ status: 0 });
  host.sh(
    [
      'ip route add 198.51.100.0/24 via 192.0.2.1 src 192.0.2.8',
      'ip route add default via 192.0.2.1 metric 100',
      'ip -6 route add default via 2001:db8::1 metric 200',
    ].join('\n'),
  );
  return lan;
}

const reaches = (host: SetupHost, address: string): boolean =>
  host.namespace.run(['ping', '-c', '1', '-W', '5', address]).status === 0;

test('addresses and routes move to the bridge, and back', async (context) => {
  const host = await createSetupHost(context);
  await plug(host);
  const fresh = host.look();
  expect(reaches(host, '192.0.2.1')).toBe(true);
  const refused = await host.setup(...uplink);
  expect(refused).toMatchObject({ status: 2 });
  expect(refused.stderr).toContain("eth1 is this host's only way out");
  expect(host.look()).toEqual(fresh);
  const shown = await host.mustSetup(...uplink, '--dry-run');
  expect(shown.stderr).toMatch(/^note: eth1 is this host's only way out: .* without --yes$/m);
  expect(shown.stdout).toBe((await host.mustSetup(...uplink, '--yes', '--dry-run')).stdout);
  expect(shown.stdout).toContain('ip link set dev eth1 master br0');
  expect(host.look()).toEqual(fresh);
  await host.mustSetup(...uplink, '--yes');
  expect(host.must('ip', '-brief', 'link', 'show', 'br0')).toContain('52:54:00:00:00:07');
  expect(host.must('ip', '-brief', '-4', 'address', 'show', 'eth1')).toBe('');
  expect(host.must('ip', 'route')).toContain('198.51.100.0/24 via 192.0.2.1 dev br0 src 192.0.2.8');
  expect(host.must('ip', 'route')).toContain('default via 192.0.2.1 dev br0 metric 100');
  expect(host.must('ip', '-6', 'route')).toContain('default via 2001:db8::1 dev br0 metric 200');
  expect(reaches(host, '192.0.2.1')).toBe(true);
  expect(reaches(host, '2001:db8::1')).toBe(true);
  const moved = host.look();
  expect((await host.mustSetup(...uplink)).stderr).toBe('all of it is so already\n');
  expect(host.look()).toEqual(moved);
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
  expect(reaches(host, '192.0.2.1')).toBe(true);
  expect(reaches(host, '2001:db8::1')).toBe(true);
});

test('a way out through another card with the same metric stays, and so do metrics of addresses', async (context) => {
  const host = await createSetupHost(context);
  host.sh(
    [
      'for n in 1 2; do ip link add eth$n type veth peer name lan$n; ip link set lan$n up; ip link set eth$n up; done',
      'ip address add 192.0.2.7/24 brd + dev eth1 metric 1024; ip route add default via 192.0.2.1 metric 1024',
      'ip address add 203.0.113.7/24 brd + dev eth2; ip route append default via 203.0.113.1 metric 1024',
    ].join('\n'),
  );
  const fresh = host.look();
  await host.mustSetup(...uplink);
  const routes = host.must('ip', 'route');
  expect(routes).toContain('default via 203.0.113.1 dev eth2 metric 1024');
  expect(routes).toContain('default via 192.0.2.1 dev br0 metric 1024');
  expect(routes).toMatch(/^192\.0\.2\.0\/24 dev br0 .* metric 1024/m);
  const unit = host.must('cat', '/etc/systemd/system/qrun-bridge-br0.service');
  for (const [, may, command = ''] of unit.matchAll(/^ExecStart=(-?)(.*)$/gm))
    host.sh(may === '' ? command : `${command} || true`);
  expect(host.must('ip', 'route').match(/^default/gm)).toHaveLength(2);
  await host.mustSetup('--undo');
  expect(host.must('ip', 'route').split('\n').toSorted()).toEqual(
    (fresh['addresses'] ?? '')
      .split('\n')
      .filter((line) => /^(default|\d.* dev )/.test(line))
      .concat('')
      .toSorted(),
  );
});

test('at the next start of the host the unit makes all of it again', async (context) => {
  const host = await createSetupHost(context);
  await plug(host);
  await host.mustSetup(...uplink, '--yes');
  const moved = host.look();
  const unit = host.must('cat', '/etc/systemd/system/qrun-bridge-br0.service');
  host.sh('ip link delete br0; ip link set eth1 down; ip address flush dev eth1');
  for (const [, may, command = ''] of unit.matchAll(/^ExecStart=(-?)(.*)$/gm))
    host.sh(may === '' ? command : `${command} || true`);
  expect(host.look()['addresses']).toBe(moved['addresses']);
  expect(reaches(host, '192.0.2.1')).toBe(true);
});

test.for(['setup', 'undo'])(
  '64: kill -9 while the uplink moves (%s): it goes on, or back',
  { timeout: 300_000 },
  async (which, context) => {
    const host = await createSetupHost(context);
    await plug(host);
    const fresh = host.look();
    const list = path.join(host.home.dir, 'failpoints');
    const setup = ['setup', ...uplink, '--yes'];
    const env = { QRUN_FAILPOINT_LIST: list };
    expect((await host.home.qrun(setup, { env })).status).toBe(0);
    const moved = host.look();
    expect((await host.home.qrun(['setup', '--undo'], { env })).status).toBe(0);
    const names = readFileSync(list, 'utf8')
      .split('\n')
      .filter((name) => name.startsWith(`${which} uplink:`));
    expect(names.length).toBeGreaterThan(8);
    for (const [index, name] of names.entries()) {
      if (which === 'undo') await host.mustSetup(...setup.slice(1));
      const killed = await host.home.qrun(which === 'undo' ? ['setup', '--undo'] : setup, {
        env: { QRUN_FAILPOINT: `${name}:kill` },
      });
      expect({ name, status: killed.status }).toEqual({ name, status: 137 });
      if (which === 'setup' && index % 2 === 0) {
        await host.mustSetup(...setup.slice(1));
        expect({ name, addresses: host.look()['addresses'] }).toEqual({ name, addresses: moved['addresses'] });
      }
      await host.mustSetup('--undo');
      expect({ name, ...host.look() }).toEqual({ name, ...fresh });
    }
  },
);
