/** `hostDns` with the real systemd-resolved and its bus, in namespaces of the test's own: what the host asks of whom, by resolvectl and by the C library. */
import { expect, onTestFinished, test, type TestContext } from 'vitest';
import { must, needsResolver, refused, waitUntil, type Running } from '../harness/harness.ts';
import { detach, still } from '../cli/a-vm.ts';
import { everything, everythingAgain } from './a-bridged-host.ts';
import { createLeaseHost, type LeaseHost } from './a-lease-host.ts';

const mac = '52:54:00:00:01:01';
const lan0 = `
addresses: [10.10.120.1/24, "fd00:120::1/64"]
hostDns: true
dhcp: { hosts: [{ mac: "${mac}", ip: 10.10.120.51 }] }
dns: { domain: lan0.test, hosts: [{ ip: 10.10.120.7, names: [box] }] }
`;
/** What who is outside says of every name. */
const elsewhere = '198.51.100.7';

/** The packages as if they were installed, in the namespace alone. @param settings of who resolves, besides whom it asks */
const install = (unpacked: string, dir: string, settings: readonly string[]): string =>
  [
    `mkdir ${dir}/layers && mount -t tmpfs none ${dir}/layers && cd ${dir}/layers && mkdir usr usr.w etc etc.w`,
    `cp -a ${unpacked}/usr/. usr && cp -a ${unpacked}/lib ${unpacked}/sbin usr && cp -a ${unpacked}/etc/. etc`,
    ...['usr', 'etc'].map(
      (name) =>
        `mount -t overlay none -o lowerdir=/${name},upperdir=${dir}/layers/${name},workdir=${dir}/layers/${name}.w /${name}`,
    ),
    'mount -t tmpfs none /run && mkdir /run/dbus /run/systemd',
    'number=64800; for user in messagebus systemd-resolve; do number=$((number + 1)); grep -q "^$user:" /etc/passwd || {',
    '  echo "$user:x:$number:$number::/:/usr/sbin/nologin" >>/etc/passwd; echo "$user:x:$number:" >>/etc/group; }; done',
    'rm -f /etc/resolv.conf && ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf',
    'echo "hosts: files dns" >/etc/nsswitch.conf',
    `printf '%s\\n' '[Resolve]' DNS=192.0.2.2 ${settings.join(' ')} >/etc/systemd/resolved.conf`,
    // what the host asks of a name server of a network's
    'nft "add table inet asked; add chain inet asked out { type filter hook output priority 0; }"',
    'nft "add rule inet asked out ip daddr 10.10.120.1 th dport 53 counter"',
    'nft "add rule inet asked out ip6 daddr fd00:120::1 th dport 53 counter"',
  ].join('\n');

interface ResolvedHost extends LeaseHost {
  /** The addresses of a name and, after @, the link that was asked; `none` where nobody has it. */
  readonly query: (name: string) => string;
  /** The same by the C library, without the link. */
  readonly lookUp: (name: string) => Promise<string>;
  /** How many packets with questions a network's name server has had from the host. */
  readonly asked: () => number;
  /** What systemd-resolved was told of links. */
  readonly told: () => string;
  readonly stop: () => Promise<void>;
  readonly restart: () => Promise<void>;
}

async function createResolvedHost(context: TestContext, ...settings: string[]): Promise<ResolvedHost> {
  const unpacked = needsResolver(context, 'systemd-resolved');
  const lease = await createLeaseHost(context);
  const { root, host } = lease;
  const { namespace } = host;
  expect(namespace.run(['sh', '-ec', install(unpacked, namespace.dir, settings)])).toMatchObject({ status: 0 });
  const running: Running[] = [];
  onTestFinished(async () => {
    for (const one of running.toReversed()) one.kill();
    await Promise.all(running.map(({ end }) => end));
  });
  const start = (...argv: string[]): Running => {
    const started = root.startProgram(argv, { timeoutMs: 600_000 });
    running.push(started);
    return started;
  };
  const bus = start('dbus-daemon', '--system', '--nofork', '--nopidfile', '--nosyslog', '--print-address=1');
  await bus.waitFor(/unix:/);
  const resolve = async (): Promise<void> => {
    start('/usr/lib/systemd/systemd-resolved');
    expect(await waitUntil(() => namespace.run(['resolvectl', 'dns']).status === 0, 30_000)).toBe(true);
  };
  await resolve();
  const stop = async (): Promise<void> => {
    const last = running.pop();
    last?.kill('SIGKILL');
    await last?.end;
  };
  return {
    ...lease,
    query: (name) => {
      const { stdout } = namespace.run(['resolvectl', '--legend=no', 'query', name]);
      const found = [...stdout.matchAll(/^(?:\S+:)? +(\S+)(?: +-- link: (\S+))?$/gm)];
      return found.map(([, address, link]) => `${address}${link === undefined ? '' : `@${link}`}`).join(' ') || 'none';
    },
    lookUp: async (name) => {
      const program = `require('node:dns').lookup('${name}', (error, address) => console.log(error?.code ?? address))`;
      return (await root.run([process.execPath, '-e', program])).stdout.trim();
    },
    asked: () =>
      [...host.must('nft list table inet asked').matchAll(/packets (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0),
    told: () => ['dns', 'domain', 'default-route'].map((what) => host.must(`resolvectl ${what}`)).join(''),
    stop,
    restart: async () => {
      await stop();
      await resolve();
    },
  };
}

test('the host resolves guests’ names and asks the network nothing else; restarted too; net down takes it away', async (context) => {
  const host = await createResolvedHost(context);
  const { root, query, lookUp, asked, told, out } = host;
  root.network('lan0', lan0);
  const before = everything(host);
  await must(root, 'net', 'up', 'lan0');
  expect(told()).toContain('lan0.test');
  const guest = await host.join('qr-lan0', ['10.10.120.51/24']);
  expect(await guest.address(mac, { hostName: 'web1' })).toBe('10.10.120.51');
  const resolves = async (): Promise<void> => {
    // a link is asked when it has a carrier, and resolved hears of that in a moment
    expect(await waitUntil(() => query('box.lan0.test') === '10.10.120.7@qr-lan0', 30_000)).toBe(true);
    const outside = await out.asked();
    expect(query('web1.lan0.test')).toBe('10.10.120.51@qr-lan0');
    expect(await lookUp('web1.lan0.test')).toBe('10.10.120.51');
    expect(await lookUp('box.lan0.test')).toBe('10.10.120.7');
    expect(query('none.lan0.test')).toBe('none');
    expect(await lookUp('none.lan0.test')).toBe('ENOTFOUND');
    expect(await out.asked()).toBe(outside);
  };
  await resolves();
  const inside = asked();
  expect(inside).toBeGreaterThan(0);
  expect(query('out.example')).toBe(`${elsewhere}@up0`);
  expect(await lookUp('out.example')).toBe(elsewhere);
  // what the network's name server does not know it asks of the host's, which is resolved
  expect(await guest.resolve('10.10.120.1', 'far.example')).toBe(elsewhere);
  expect(await guest.resolve('10.10.120.1', 'none.lan0.test')).toBe('code 3');
  expect(asked()).toBe(inside);
  await host.restart();
  await resolves();
  await must(root, 'net', 'down', 'lan0');
  expect(told()).not.toContain('lan0');
  expect(query('web1.lan0.test')).toBe(`${elsewhere}@up0`);
  host.host.must('ip link del g1');
  expect(await everythingAgain(host, before)).toEqual([]);
});

test('a host that wants signatures and TLS of others resolves guests’ names; short of resolved, the error says what to start', async (context) => {
  const host = await createResolvedHost(context, 'DNSSEC=yes', 'DNSOverTLS=yes');
  const { root, query } = host;
  // no reserved name, for which nobody wants signatures
  root.network('lan0', lan0.replaceAll('lan0.test', 'lan0.example.com'));
  root.profile('web9', `${still}nics: ["network:lan0"]\n`);
  await must(root, 'net', 'up', 'lan0');
  await detach(root, 'web9');
  expect(await waitUntil(() => query('box.lan0.example.com') === '10.10.120.7@qr-lan0', 30_000)).toBe(true);
  await must(root, 'kill', 'web9');
  await must(root, 'net', 'down', 'lan0');
  await host.stop();
  expect(await refused(root, 'net', 'up', 'lan0')).toEqual({
    status: 3,
    stderr: expect.stringMatching(/hostDns: systemd-resolved does not run\nhint: sudo systemctl .*systemd-resolved/),
  });
});

test('kill -9 of qrun before and after it was told, and of the VM that the network was for: nothing of it stays', async (context) => {
  const host = await createResolvedHost(context);
  const { root, told } = host;
  root.network('lan0', lan0);
  root.profile('web9', `${still}nics: ["network:lan0"]\n`);
  const before = everything(host);
  for (const [point, isTold] of [
    ['acquire:resolver', false],
    ['acquired:resolver', true],
  ] as const) {
    const { status } = await root.qrun(['net', 'up', 'lan0'], { env: { QRUN_FAILPOINT: `${point}:kill` } });
    expect({ point, status, told: told().includes('~lan0.test') }).toEqual({ point, status: 137, told: isTold });
    await must(root, 'gc');
    expect({ point, told: told().includes('lan0') }).toEqual({ point, told: false });
    expect(await everythingAgain(host, before)).toEqual([]);
  }
  const { pid } = await detach(root, 'web9');
  expect(told()).toContain('~lan0.test');
  process.kill(pid, 'SIGKILL');
  expect(await everythingAgain(host, before)).toEqual([]);
  expect(told()).not.toContain('lan0');
});
