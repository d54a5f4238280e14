/** Real guests with several NICs: two on a VDE switch, one with a NIC of each unprivileged kind, one with two user networks. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  bothQemus,
  createHome,
  needsEitherQemu,
  needsFile,
  needsGuest,
  needsQemu,
  needsRoot,
  waitUntil,
  type Home,
  type Running,
} from '../harness/harness.ts';
import { get, guestProfile, kill, openAll, ping, start } from './a-lan.ts';
import { GuestShell } from './guest-shell.ts';
import { createUplink, hostAddress, outsideAddress } from './uplink.ts';

async function startSwitch(home: Home): Promise<{ directory: string; running: Running }> {
  const directory = `${home.dir}/switch`;
  const running = home.startProgram(['vde_switch', '-s', directory, '-m', '0600'], { timeoutMs: 600_000 });
  expect(await waitUntil(() => existsSync(`${directory}/ctl`), 30_000)).toBe(true);
  return { directory, running };
}

const withAddresses = (profile: string, addresses: string): string =>
  profile.replace(/^(append: .*)$/m, `$1 ${addresses}`);

test.for(bothQemus)('two guests on a VDE switch reach one another, with the %s QEMU', async (which, context) => {
  const qemu = needsEitherQemu(context, which);
  needsFile(context, '/usr/bin/vde_switch');
  const files = needsGuest(context);
  const home = createHome({ qemu });
  const { directory, running } = await startSwitch(home);
  const profile = (name: string, last: number, nic: string): string =>
    withAddresses(guestProfile(files, name, `[${nic}]`), `qrun.ip=eth0=10.88.0.${last}/24`);
  home.profile('web1', profile('web1', 1, `"vde:${directory}"`));
  home.profile('web2', profile('web2', 2, `{ kind: vde, socket: ${directory}, port: 7, mode: "0600" }`));
  await start(home, 'web1', 'web2');
  const [web1, web2] = (await openAll(home, ['web1', 'web2'])) as [GuestShell, GuestShell];
  expect(await web1.run(ping('10.88.0.2'))).toBe('10.88.0.2 answers');
  expect(await web2.run(get('10.88.0.1'))).toContain('qrun-guest web1');
  expect(await web1.run(get('10.88.0.2'))).toContain('qrun-guest web2');

  // a switch that ends is not joined again
  running.kill('SIGKILL');
  await running.end;
  expect(await web1.run(`${ping('10.88.0.2', 2)} || echo lost`)).toBe('lost');
  for (const shell of [web1, web2]) shell.close();
  await kill(home, 'web1', 'web2');
});

test('a NIC of each kind on one guest: all are there, and lead where they should', async (context) => {
  needsRoot(context);
  needsQemu(context);
  for (const file of ['/usr/bin/vde_switch', '/usr/bin/passt']) needsFile(context, file);
  const files = needsGuest(context);
  const { host, local } = await createUplink();
  const home = createHome({ namespace: host });
  const { directory, running } = await startSwitch(home);
  const group = '"mcast:230.0.0.1:5544"';
  const mac = (last: number): string => `52:54:00:88:00:0${last}`;
  const nics = `[{ kind: user, mac: "${mac(1)}", forwards: ["auto:80"] }, { kind: mcast, group: "230.0.0.1:5544", mac: "${mac(2)}" },
    { kind: vde, socket: ${directory}, mac: "${mac(3)}" }, { kind: passt, mac: "${mac(4)}", forwards: ["auto:80"] }]`;
  home.profile(
    'web1',
    withAddresses(guestProfile(files, 'web1', nics), `qrun.ip=${mac(2)}=10.88.2.1/24 qrun.ip=${mac(3)}=10.88.3.1/24`),
  );
  home.profile(
    'web2',
    withAddresses(
      guestProfile(files, 'web2', `[${group}, "vde:${directory}"]`),
      'qrun.ip=eth0=10.88.2.2/24 qrun.ip=eth1=10.88.3.2/24',
    ),
  );
  await start(home, 'web1', 'web2');
  const [web1, web2] = (await openAll(home, ['web1', 'web2'])) as [GuestShell, GuestShell];
  // in the order of the profile
  expect(await web1.run('ip -4 -o addr show | awk \'$2 != "lo" { print $2, $4 }\'')).toBe(
    ['eth0 10.0.2.15/24', 'eth1 10.88.2.1/24', 'eth2 10.88.3.1/24', `eth3 ${hostAddress}/24`].join('\n'),
  );
  for (const address of ['10.88.2.2', '10.88.3.2']) expect(await web1.run(ping(address))).toBe(`${address} answers`);
  expect(await web2.run(get('10.88.3.1'))).toContain('qrun-guest web1');
  // by user networking to the host's loopback, by passt to what is beyond
  expect(await web1.run(get('10.0.2.2:8000'))).toBe('127.0.0.1 sees 127.0.0.1');
  expect(local.stdout).toContain('http from 127.0.0.1');
  expect(await web1.run(`ip route replace ${outsideAddress} dev eth3; ${get(`${outsideAddress}:8000`)}`)).toBe(
    `${outsideAddress} sees ${hostAddress}`,
  );
  // a forward of each
  const { stdout } = await home.qrun(['nics', 'web1', '--json']);
  const ports = (JSON.parse(stdout) as { forwards?: { hostPort: number }[] }[]).flatMap(({ forwards = [] }) =>
    forwards.map(({ hostPort }) => hostPort),
  );
  expect(ports).toHaveLength(2);
  for (const port of ports) {
    const answer = await home.run(['curl', '-s', '-m', '30', `http://127.0.0.1:${port}/`]);
    expect(answer.stdout).toContain('qrun-guest web1');
  }
  for (const shell of [web1, web2]) shell.close();
  await kill(home, 'web1', 'web2');
  running.kill('SIGTERM');
  await running.end;
});

test('two user networks on one guest are two networks', async (context) => {
  needsQemu(context);
  const files = needsGuest(context);
  const home = createHome();
  home.profile('web1', guestProfile(files, 'web1', '[user, { kind: user, forwards: ["auto:80"] }]'));
  expect((await home.qrun(['show', 'web1'])).stdout).toContain('user 10.0.3.0/24');
  await start(home, 'web1');
  const shell = await GuestShell.open(home, 'web1');
  expect(await shell.run('ip -4 -o addr show | awk \'$2 != "lo" { print $2, $4 }\'')).toBe(
    'eth0 10.0.2.15/24\neth1 10.0.3.15/24',
  );
  for (const gateway of ['10.0.2.2', '10.0.3.2'])
    expect(
      await shell.run(
        `arping -c 1 -w 30 -I ${gateway === '10.0.2.2' ? 'eth0' : 'eth1'} ${gateway} >/dev/null && echo ${gateway}`,
      ),
    ).toBe(gateway);
  // each has IPv6 of its own as well, by the gateways' advertisements
  const prefixes = "ip -6 addr | sed -n 's/.*inet6 \\(fec0[^/]*\\)\\/.*/\\1/p' | sed 's/:5[0-9a-f]*:[0-9a-f]*:fe.*//'";
  const both = `for i in $(seq 50); do [ "$(${prefixes} | wc -l)" -ge 2 ] && break; sleep 1; done; ${prefixes}`;
  expect((await shell.run(both)).split('\n').toSorted()).toEqual(['fec0:', 'fec0::1']);
  shell.close();
  await kill(home, 'web1');
});
