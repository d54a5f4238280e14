/** `qrun setup --uplink` on a LAN whose router announces IPv6: nothing of it stays with the card, and it comes back with the card. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createHome, createNamespace, waitUntil } from '../harness/harness.ts';
import { createSetupHost, type SetupHost } from './a-setup-host.ts';

const uplink = ['--bridge', 'br0', '--uplink', 'eth1', '--yes'];
const plugged = 'ip link add eth1 address 52:54:00:00:00:07 type veth peer name lan1; ip link set eth1 up';

const routesOf = (host: SetupHost, link: string): string[] =>
  host
    .must('ip', '-6', 'route', 'show', 'table', 'all', 'dev', link)
    .split('\n')
    .filter((line) => line !== '' && !/^(fe80|multicast|anycast fe80|local fe80)/.test(line));

test('what a router announces, with its routes, is the bridge’s, and the card’s again after --undo', async (context) => {
  const host = await createSetupHost(context);
  if (!existsSync('/usr/sbin/dnsmasq')) context.skip('no dnsmasq');
  const lan = await createNamespace();
  host.sh(`${plugged}; ip link set lan1 netns ${lan.pid}`);
  lan.run(['sh', '-ec', 'ip address add fd00:8::1/64 dev lan1 nodad; ip link set lan1 up']);
  const router = createHome({ as: 'root', namespace: lan }).startProgram([
    ...[
      'dnsmasq',
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--port=0',
      '--interface=lan1',
      '--bind-interfaces',
    ],
    ...['--enable-ra', '--dhcp-range=fd00:8::100,fd00:8::1ff,slaac,64,1d', '--user=root', '--leasefile-ro'],
    `--pid-file=${path.join(lan.dir, 'dnsmasq.pid')}`,
  ]);
  try {
    const isAnnounced = (link: string) => (): boolean => {
      const routes = routesOf(host, link).join('\n');
      return /^fd00:8::\/64 .*proto (kernel|ra) /m.test(routes) && /^default via fe80::.* proto ra /m.test(routes);
    };
    // the router must be there when it is asked
    host.sh('sleep 1; ip link set eth1 down; ip link set eth1 up');
    expect(await waitUntil(isAnnounced('eth1'), 60_000), routesOf(host, 'eth1').join('\n')).toBe(true);
    await host.mustSetup(...uplink);
    expect(routesOf(host, 'eth1')).toEqual([]);
    expect(await waitUntil(isAnnounced('br0'), 60_000), routesOf(host, 'br0').join('\n')).toBe(true);
    expect(host.must('ip', '-6', 'route', 'get', 'fd00:8::99')).toContain(' dev br0 ');
    await host.mustSetup('--undo');
    expect(await waitUntil(isAnnounced('eth1'), 60_000), routesOf(host, 'eth1').join('\n')).toBe(true);
  } finally {
    router.kill('SIGTERM');
    await router.end;
  }
});

test('the route of an address that runs out goes with it', async (context) => {
  const host = await createSetupHost(context);
  host.sh(`${plugged}; ip link set lan1 up; ip address add fd00:9::1/64 dev eth1 nodad`);
  host.sh('ip address add fd00:8::2/64 dev eth1 nodad valid_lft 3600 preferred_lft 1800');
  host.sh('ip -6 route add fd00:7::/64 via fd00:8::1 dev eth1 expires 600');
  await host.mustSetup(...uplink);
  expect(routesOf(host, 'eth1')).toEqual([]);
  const routes = routesOf(host, 'br0').join('\n');
  expect(routes).toMatch(/^fd00:8::\/64 proto kernel .* expires \d+sec/m);
  expect(routes).toMatch(/^fd00:7::\/64 via fd00:8::1 .* expires \d+sec/m);
  await host.mustSetup('--undo');
  expect(routesOf(host, 'eth1').join('\n')).toMatch(/^fd00:8::\/64 proto kernel .* expires \d+sec/m);
});
