/** The network `default` of the package, as root, beside libvirt's of that name. */

import path from 'node:path';
import { expect, test } from 'vitest';
import { stateOf } from '../cli/a-network.ts';
import { must, refused, waitUntil } from '../harness/harness.ts';
import { createBridgedHost, everythingAgain, everything, textOf } from './a-bridged-host.ts';

test('it comes up beside libvirt’s default network, which stays as it is', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  host.must('ip link add virbr0 type bridge');
  host.must('ip address add 192.168.122.1/24 dev virbr0');
  host.must('ip link set virbr0 up');
  host.must('nft add table ip libvirt_network');
  host.must('nft add chain ip libvirt_network guest_nat { type nat hook postrouting priority 100 ; }');
  host.must(
    'nft add rule ip libvirt_network guest_nat ip saddr 192.168.122.0/24 ip daddr != 192.168.122.0/24 masquerade',
  );
  const log = path.join(host.namespace.dir, 'theirs.log');
  const theirs = root.startProgram([
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--interface=virbr0', '--bind-dynamic'],
    ...['--except-interface=lo', '--dhcp-range=192.168.122.2,192.168.122.254', '--pid-file=', `--log-facility=${log}`],
    `--dhcp-leasefile=${path.join(host.namespace.dir, 'theirs.leases')}`,
  ]);
  expect(await waitUntil(() => textOf(log).includes('started'), 30_000)).toBe(true);
  const before = everything(bridged);
  await must(root, 'net', 'up', 'default');
  expect(await stateOf(root, 'default')).toBe('pinned');
  const info = JSON.parse(await must(root, 'net', 'info', 'default', '--json')) as Record<string, unknown>;
  expect(info).toMatchObject({ forward: 'nat', scope: 'system', missing: [], firewall: [] });
  expect(info['subnet']).toMatch(/^10\.\d+\.\d+\.0\/24$/);
  expect(info['subnet']).not.toContain('192.168.122');
  expect(host.must('ip route')).toContain('192.168.122.0/24 dev virbr0');
  await must(root, 'net', 'down', 'default');
  expect(await everythingAgain(bridged, before)).toEqual([]);
  expect(theirs.child.exitCode).toBeNull();
  theirs.kill('SIGTERM');
  await theirs.end;
});

test('a host that reaches all of 10.0.0.0/8 is told what to write, and where; written, it comes up', async (context) => {
  const { host, root } = await createBridgedHost(context);
  host.must('ip route add 10.0.0.0/8 dev v0');
  const { status, stderr } = await refused(root, 'net', 'up', 'default');
  expect({ status, stderr }).toEqual({
    status: 4,
    stderr: expect.stringMatching(
      /network default: 10\.\d+\.\d+\.0\/24 \(it follows from the name\) overlaps with 10\.0\.0\.0\/8, which this host reaches through v0\n/,
    ),
  });
  const [, address = ''] = /qrun net edit default, and write addresses: \[(\S+)\]/.exec(stderr) ?? [];
  const env = { VISUAL: `sed -i '$ a addresses: [${address}]'` };
  expect(await root.qrun(['net', 'edit', 'default'], { env })).toMatchObject({ status: 0 });
  expect(await must(root, 'net', 'up', 'default')).toContain(`default is up: ${address.replace(/\.1\//, '.0/')}`);
  await must(root, 'net', 'down', 'default');
});
