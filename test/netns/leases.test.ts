/** What is known of guests' addresses, in IPv6 too, who is told when guests come, and who is not. In networks of the test's own. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import {
  createNamespace,
  isAlive,
  must,
  refused,
  Running,
  waitUntil,
  type Home,
  type Namespace,
} from '../harness/harness.ts';
import { infoOf, killAll, networkProcesses } from '../cli/a-network.ts';
import { argvOf, detach, still } from '../cli/a-vm.ts';
import { createLeaseHost, silent } from './a-lease-host.ts';

const macOf = (number: number): string => `52:54:00:00:03:0${number}`;
/** Of a client that makes its name from something else than its MAC, as systemd does. */
const duidOf = (number: number): string => `00:04:${'ab:'.repeat(15)}0${number}`;
const onLan0 = (mac: string): string => `${still}nics: [{ kind: network, network: lan0, mac: "${mac}" }]\n`;

interface Row {
  readonly mac: string | null;
  readonly ip: string;
  readonly vm: string | null;
}

const leasesOf = async (root: Home): Promise<Row[]> =>
  JSON.parse(await must(root, 'net', 'leases', 'lan0', '--json')) as Row[];

async function ipsOf(root: Home, vm: string): Promise<readonly string[]> {
  const [nic] = JSON.parse(await must(root, 'nics', vm, '--json')) as { ips: string[] }[];
  return nic?.ips ?? [];
}

test('IPv6: leases are whose they are, where that can be told; addresses that the host has met; ssh goes there', async (context) => {
  const { root, host, join } = await createLeaseHost(context);
  root.network(
    'lan0',
    `
addresses: [10.10.120.1/24, "fd00:120::1/64"]
dhcp:
  ranges: [10.10.120.50-10.10.120.60, "fd00:120::100-fd00:120::102"]
  lease: 5m
  maxLease: 10m
  hosts: [{ vm: web2, ip: "fd00:120::9" }, { vm: web9, ip: "fd00:120::101" }]
dns: { domain: lan0.test, search: [example.test] }
`,
  );
  root.profile('web1', onLan0(macOf(1)));
  root.profile('web2', onLan0(macOf(2)));
  await must(root, 'net', 'up', 'lan0');
  await detach(root, 'web1');
  await detach(root, 'web2');
  const one = await join('qr-lan0', [], macOf(1));
  const two = await join('qr-lan0', [], macOf(2));
  const other = await join('qr-lan0', [], macOf(7));
  // by its DUID; by an address that is web2's alone; by nothing
  const first = await one.address6(macOf(1));
  expect(first).toMatch(/^fd00:120::10[02]$/);
  expect(await two.address6(macOf(2), { duid: duidOf(2), iaid: 77 })).toBe('fd00:120::9');
  const strange = await other.address6(macOf(7), { duid: duidOf(7), iaid: 78 });
  expect(new Set([first, strange])).toEqual(new Set(['fd00:120::100', 'fd00:120::102']));
  // the third of the range is kept for a VM that does not run
  expect(await other.address6(macOf(8), { duid: duidOf(8), iaid: 79, ...silent })).toBe('none');
  const fixed = { nic: 'net0', fixed: false, expires: expect.stringMatching(/Z$/) };
  expect(await leasesOf(root)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ mac: macOf(1), ip: first, vm: 'web1', duid: `00:03:00:01:${macOf(1)}`, ...fixed }),
      expect.objectContaining({ mac: macOf(2), ip: 'fd00:120::9', vm: 'web2', duid: duidOf(2), ...fixed }),
      expect.objectContaining({ mac: null, ip: strange, vm: null, nic: null, duid: duidOf(7) }),
    ]),
  );
  expect(await must(root, 'net', 'leases', 'lan0')).toMatch(new RegExp(`${macOf(1)} +${first} +web1 net0`));
  // once it uses the address the host has met it
  other.must(`ip address add ${strange}/64 dev eth0 nodad`);
  expect(await other.resolve('fd00:120::1', 'web2.lan0.test', 'AAAA')).toBe('fd000120000000000000000000000009');
  expect((await leasesOf(root)).find(({ ip }) => ip === strange)).toMatchObject({ mac: macOf(7), vm: null });
  one.must('ip address add fd00:120::77/64 dev eth0 nodad');
  one.must('ping -c 1 -W 30 -I fd00:120::77 fd00:120::1');
  expect(new Set(await ipsOf(root, 'web1'))).toEqual(new Set([first, 'fd00:120::77']));
  const rows = JSON.parse(await must(root, 'ps', '--json')) as { vm: string; nics: { ips: string[] }[] }[];
  expect(rows.find(({ vm }) => vm === 'web2')?.nics[0]?.ips).toContain('fd00:120::9');
  // it never took the address that is kept for it
  const { stderr } = await root.qrun(['-v', 'ssh', 'web1', 'true']);
  expect(stderr).toContain(`HostName=${first}`);
  // it is known by all its names and searches all domains
  const told = await one.dhcp6({ mac: macOf(1), addresses: false });
  const label = (name: string): string => `0${name.length}${Buffer.from(name).toString('hex')}`;
  expect(told?.options[24]).toBe(`${label('lan0')}${label('test')}00${label('example')}${label('test')}00`);
  // nobody is asked first whether he has the address, which takes dnsmasq 3 s: the host would have looked for a neighbour there
  const offered = (await one.dhcp({ mac: macOf(5), discoverOnly: true }))?.ip ?? 'none';
  expect(offered).toMatch(/^10\.10\.120\.\d+$/);
  expect(host.must(`ip neigh show to ${offered}`)).toBe('');
  // who asks for a time gets it, up to the longest; who does not gets what is usual
  const timeOf = async (leaseS?: number): Promise<number> =>
    Number.parseInt(
      (await one.dhcp({ mac: macOf(1), ...(leaseS !== undefined && { leaseS }) }))?.options[51] ?? '',
      16,
    );
  expect([await timeOf(), await timeOf(400), await timeOf(86_400), await timeOf()]).toEqual([300, 400, 600, 300]);
  const [four = ''] = await ipsOf(root, 'web1');
  expect(four).toMatch(/^10\.10\.120\.5\d$/);
  expect((await root.qrun(['-v', 'ssh', 'web1', 'true'])).stderr).toContain(`HostName=${four}`);
  await must(root, 'kill', 'web1', 'web2');
  await must(root, 'net', 'down', 'lan0');
});

/** With the arguments of the network's dnsmasq, and its mark, if there is one. */
async function dnsmasqOf(namespace: Namespace, argv: readonly string[], env: Record<string, string>): Promise<Running> {
  const running = new Running(namespace.wrap(argv), { env: { PATH: '/usr/sbin:/usr/bin:/bin', ...env }, cwd: '/' });
  await running.waitFor(/read \S+\.hosts/);
  return running;
}

test('dnsmasq alone is told of guests, and ended: no other of its arguments, its mark or the number in its file', async (context) => {
  const { host, root } = await createLeaseHost(context);
  const bystander = await createNamespace();
  root.network('lan0', 'addresses: [10.10.120.1/24]\n');
  root.profile('web1', onLan0(macOf(1)));
  await must(root, 'net', 'up', 'lan0');
  const pid = networkProcesses(root).find(({ program, keeper }) => program === 'dnsmasq' && !keeper)?.pid ?? 0;
  const argv = argvOf(pid);
  const config = readFileSync(argv[1]?.replace('--conf-file=', '') ?? '', 'utf8');
  const pidFile = /^pid-file=(.*)$/m.exec(config)?.[1] ?? '';
  const hosts = /^dhcp-hostsfile=(.*)$/m.exec(config)?.[1] ?? '';
  const mark = /QRUN_SERVICE=[^\0]*/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[0].split('=')[1] ?? '';
  const marked = { QRUN_SERVICE: mark, QRUN_SERVICE_PROGRAM: 'dnsmasq' };
  // of the same arguments elsewhere: the number in the file is its own by now
  const twin = await dnsmasqOf(bystander, argv, {});
  expect(Number(readFileSync(pidFile, 'utf8'))).not.toBe(pid);
  // of the same mark, here: SIGHUP would end it
  const bearer = new Running(host.namespace.wrap(['sleep', '600']), {
    env: { PATH: '/usr/bin:/bin', ...marked },
    cwd: '/',
  });
  const timesRead = ({ stderr }: Running): number => stderr.split(`read ${hosts}`).length;
  const before = timesRead(twin);
  expect(before).toBe(2);
  await detach(root, 'web1');
  expect(readFileSync(path.join(hosts), 'utf8')).toContain(`${macOf(1)},`);
  const log = path.join(root.state, 'networks/lan0/log');
  expect(await waitUntil(() => readFileSync(log, 'utf8').split(`read ${hosts}`).length >= 3, 60_000)).toBe(true);
  await must(root, 'kill', 'web1');
  // one that is gone with who would have started it again is noticed, and up mends it; then all is ended
  const killed = networkProcesses(root).filter((one) => ![twin.pid, bearer.pid].includes(one.pid));
  await killAll(killed.map((one) => one.pid));
  expect(await infoOf(root, 'lan0')).toMatchObject({
    state: 'broken',
    missing: ['dnsmasq'],
    mend: 'sudo qrun net up lan0',
  });
  // what it left behind does not make it look ready
  const taken = new Running(host.namespace.wrap(['socat', 'UDP4-RECV:53,bind=10.10.120.1', 'STDOUT']), {
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
  });
  expect(await waitUntil(() => host.must('ss -Hlnu sport = :53').includes('10.10.120.1:53'), 60_000)).toBe(true);
  expect(await refused(root, 'net', 'up', 'lan0')).toEqual({
    status: 4,
    stderr: expect.stringMatching(/did not come up: udp port 53 on 10\.10\.120\.1 is in use by socat \(pid \d+\)/),
  });
  taken.kill('SIGKILL');
  await taken.end;
  // its keeper lives by now, and brings it up
  await must(root, 'net', 'up', 'lan0');
  expect(await infoOf(root, 'lan0')).toMatchObject({ state: 'pinned', missing: [] });
  await must(root, 'net', 'down', 'lan0');
  expect(networkProcesses(root).filter(({ pid: one }) => ![twin.pid, bearer.pid].includes(one))).toEqual([]);
  expect([isAlive(twin.pid), isAlive(bearer.pid), timesRead(twin)]).toEqual([true, true, before]);
  twin.kill('SIGKILL');
  bearer.kill('SIGKILL');
  await Promise.all([twin.end, bearer.end]);
});

test('one that has all but its network is not signalled; where nothing else tells which was started, it is told of', async (context) => {
  const { root } = await createLeaseHost(context);
  const bystander = await createNamespace();
  root.network('lan0', 'addresses: [10.10.120.1/24]\n');
  root.profile('web1', onLan0(macOf(1)));
  await detach(root, 'web1');
  const pid = networkProcesses(root).find(({ program, keeper }) => program === 'dnsmasq' && !keeper)?.pid ?? 0;
  const mark = /QRUN_SERVICE=[^\0]*/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[0].split('=')[1] ?? '';
  const twin = await dnsmasqOf(bystander, argvOf(pid), { QRUN_SERVICE: mark, QRUN_SERVICE_PROGRAM: 'dnsmasq' });
  // the last VM ends the network
  const { status, stderr } = await refused(root, 'kill', 'web1');
  expect({ status, stderr }).toEqual({
    status: 5,
    stderr: expect.stringContaining('network lan0: one thing could not be given back'),
  });
  expect(await waitUntil(() => !isAlive(pid), 60_000)).toBe(true);
  expect(isAlive(twin.pid)).toBe(true);
  twin.kill('SIGKILL');
  await twin.end;
  await must(root, 'net', 'down', 'lan0');
});
