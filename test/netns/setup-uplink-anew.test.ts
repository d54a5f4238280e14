/** `qrun setup --uplink` of a card that has other addresses by the second time: those move, and the host is reached. */
import { expect, test } from 'vitest';
import { createSetupHost, type SetupHost } from './a-setup-host.ts';

const uplink = ['--bridge', 'br0', '--uplink', 'eth1', '--yes'];

async function createCardHost(context: Parameters<typeof createSetupHost>[0]): Promise<SetupHost> {
  const host = await createSetupHost(context);
  host.sh(
    'ip link add eth1 address 52:54:00:00:00:07 type veth peer name lan1; ip link set lan1 up; ip link set eth1 up',
  );
  host.sh('ip address add 192.0.2.2/24 dev eth1; ip route add default via 192.0.2.1');
  return host;
}

const addressesOf = (host: SetupHost, link: string): string[] =>
  (host.must('ip', '-brief', '-4', 'address', 'show', link).trim().split(/\s+/) ?? []).slice(2);

/** As after a start of the host without the unit, in another network. */
const elsewhere =
  'ip link del br0; ip address flush dev eth1; ip address add 203.0.113.2/24 dev eth1; ip route add default via 203.0.113.1';

test('the card is elsewhere by now: what doctor says moves what it has now, and --undo gives that back', async (context) => {
  const host = await createCardHost(context);
  await host.mustSetup(...uplink);
  host.sh(elsewhere);
  const present = host.look();
  const doctor = await host.home.qrun(['doctor', '--json']);
  const checks = JSON.parse(doctor.stdout) as { id: string; mend: string | null }[];
  expect(checks.find(({ id }) => id === 'setup')?.mend).toBe(`sudo qrun setup ${uplink.join(' ')}`);
  await host.mustSetup(...uplink);
  expect(addressesOf(host, 'br0')).toEqual(['203.0.113.2/24']);
  expect(addressesOf(host, 'eth1')).toEqual([]);
  expect(host.must('ip', 'route', 'show', 'default')).toBe('default via 203.0.113.1 dev br0 \n');
  const unit = host.must('cat', '/etc/systemd/system/qrun-bridge-br0.service');
  expect(unit).toContain('203.0.113.2/24');
  expect(unit).not.toContain('192.0.2.2');
  expect((await host.mustSetup(...uplink)).stderr).toContain('all of it is so already');
  await host.mustSetup('--undo');
  expect(host.look()['addresses']).toBe(present['addresses']);
});

test('a port that was given an address gives it to the bridge; a card that is elsewhere keeps what it has at --undo', async (context) => {
  const host = await createCardHost(context);
  await host.mustSetup(...uplink);
  host.sh('ip link set eth1 nomaster; ip address add 192.0.2.9/24 dev eth1');
  await host.mustSetup(...uplink);
  expect(addressesOf(host, 'br0')).toEqual(['192.0.2.2/24', '192.0.2.9/24']);
  expect(addressesOf(host, 'eth1')).toEqual([]);
  host.sh(elsewhere);
  const present = host.look();
  await host.mustSetup('--undo');
  expect(host.look()['addresses']).toBe(present['addresses']);
});

test('a card that was taken down since cannot have its routes: --undo says to take it up, and does it then', async (context) => {
  const host = await createCardHost(context);
  const fresh = host.look();
  await host.mustSetup(...uplink);
  host.sh('ip link set eth1 down');
  const kept = await host.setup('--undo');
  expect(kept).toMatchObject({ status: 5, stderr: expect.stringContaining('eth1 is down') });
  const [, mend = ''] = /\(sudo (ip link .*) first\)/.exec(kept.stderr) ?? [];
  host.sh(mend);
  await host.mustSetup('--undo');
  expect(host.look()).toEqual(fresh);
});
