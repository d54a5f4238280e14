/** Real guests behind passt: out to a server beyond an uplink of the test's own, names, and in through forwards. */
import { expect, test, type TestContext } from 'vitest';
import {
  bothQemus,
  createHome,
  needsEitherQemu,
  needsFile,
  needsGuest,
  needsQemu,
  needsRoot,
  testFacts,
  type Home,
} from '../harness/harness.ts';
import { nothingLeft, rowOf } from '../cli/a-vm.ts';
import { echoFromHost, fetchFromHost, get, guestProfile, kill, openAll, ownAddress6, start } from './a-lan.ts';
import { GuestShell } from './guest-shell.ts';
import { createUplink, hostAddress, outsideAddress, type Uplink } from './uplink.ts';

function needsPasst(context: TestContext): void {
  needsRoot(context);
  needsFile(context, '/usr/bin/passt');
}

/** passt takes IPv6 where there is a default route for it; nobody is at its end. */
function addIpv6({ host }: Uplink): void {
  for (const words of ['addr add fd92::1/64 dev up0 nodad', '-6 route add default via fd92::2 dev up0'])
    expect(host.run(['ip', ...words.split(' ')])).toMatchObject({ status: 0, stderr: '' });
}

async function portTo(home: Home, vm: string, guest: { port: number; address?: string }): Promise<number> {
  const forwards = (await rowOf(home, vm)).nics.flatMap(({ forwards: list = [] }) => list);
  const { port, address = '127.0.0.1' } = guest;
  return forwards.find((one) => one.guestPort === port && one.hostAddress === address)?.hostPort ?? 0;
}

const curl = async (home: Home, url: string): Promise<string> =>
  (await home.run(['curl', '-s', '-m', '30', url])).stdout;

test.for(bothQemus)('out and in, by TCP and UDP, with the %s QEMU', async (which, context) => {
  needsPasst(context);
  const qemu = needsEitherQemu(context, which);
  const files = needsGuest(context);
  const uplink = await createUplink();
  addIpv6(uplink);
  const home = createHome({ qemu, namespace: uplink.host });
  const passtWith = (...forwards: string[]): string => `[{ kind: passt, forwards: ${JSON.stringify(forwards)} }]`;
  home.profile('web1', guestProfile(files, 'web1', passtWith('auto:80', '%up0:18080:80', '[::1]:auto:80')));
  home.profile('web2', guestProfile(files, 'web2', passtWith('auto:7/udp')));
  await start(home, 'web1', 'web2');
  const [shell, other] = (await openAll(home, ['web1', 'web2'])) as [GuestShell, GuestShell];

  // out: it is the host, as others see it
  expect(await shell.run("ip -4 -o addr show eth0 | awk '{ print $4 }'")).toBe(`${hostAddress}/24`);
  expect(await shell.run(get(`${outsideAddress}:8000`))).toBe(`${outsideAddress} sees ${hostAddress}`);
  expect(uplink.outside.stdout).toContain(`http from ${hostAddress}`);
  expect(await shell.run(get('www.example.test:8000'))).toBe(`${outsideAddress} sees ${hostAddress}`);
  expect(uplink.outside.stdout).toContain('dns www.example.test');
  expect(await shell.run(`ping -c 1 -W 30 ${outsideAddress} >/dev/null && echo it answers`)).toBe('it answers');
  // what listens on the host's loopback alone is not for the guest
  expect(await shell.run(`${get('127.0.0.1:8000')} 2>&1`)).toMatch(/refused/);
  expect(uplink.local.stdout).not.toContain('http');

  // in
  expect(await fetchFromHost(home, await portTo(home, 'web1', { port: 80 }))).toContain('qrun-guest web1');
  expect(await curl(home, `http://${hostAddress}:18080/`)).toContain('qrun-guest web1');
  expect(await echoFromHost(home, await portTo(home, 'web2', { port: 7 }), 'from the host')).toBe('from the host');
  expect((await home.qrun(['wait', 'web1', '--for', 'port:80', '--timeout', '150'])).status).toBe(0);
  // IPv6: passt sends to the address that it has seen the guest use
  expect(await ownAddress6(shell)).toMatch(/^fd92::/);
  await shell.run('ping -6 -c 1 -W 1 fd92::2 >/dev/null');
  const ipv6 = await portTo(home, 'web1', { port: 80, address: '::1' });
  expect(await curl(home, `http://[::1]:${ipv6}/`)).toContain('qrun-guest web1');
  for (const one of [shell, other]) one.close();
  expect((await home.qrun(['stop', 'web1', 'web2', '--timeout', '100'])).status).toBe(0);
  for (const name of ['web1', 'web2']) expect(await nothingLeft(home, name)).toBe(true);
});

test('a host whose name server is on its loopback', async (context) => {
  needsPasst(context);
  needsQemu(context);
  const files = needsGuest(context);
  const { host } = await createUplink();
  // what systemd-resolved is to most: a server on the loopback that asks others
  const resolver = `const d = require('node:dgram'); const s = d.createSocket('udp4');
    s.on('message', (m, from) => { const c = d.createSocket('udp4'); c.send(m, 53, '${outsideAddress}');
      c.on('message', (a) => { s.send(a, from.port, from.address); c.close(); }); });
    s.bind(53, '127.0.0.53');`;
  const home = createHome({ namespace: host });
  const server = home.startProgram([testFacts().node, '-e', resolver], { as: 'root' });
  expect(host.run(['sh', '-c', `echo nameserver 127.0.0.53 > /etc/resolv.conf`])).toMatchObject({ status: 0 });
  home.profile('web1', guestProfile(files, 'web1', '[passt]'));
  const { stdout } = await home.qrun(['show', 'web1']);
  await start(home, 'web1');
  const shell = await GuestShell.open(home, 'web1');
  expect(await shell.run('nslookup -type=a www.example.test 2>&1')).toContain(`Address: ${outsideAddress}`);
  // an old passt can do that only by showing the loopback in the gateway's place, and says so
  const shown = stdout.includes("loopback at the gateway's address");
  expect(await shell.run(get(`${outsideAddress}:8000`))).toBe(
    shown ? '127.0.0.1 sees 127.0.0.1' : `${outsideAddress} sees ${hostAddress}`,
  );
  shell.close();
  await kill(home, 'web1');
  server.kill('SIGKILL');
  await server.end;
});
