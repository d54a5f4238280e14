/** Forwards into a network, while it is up. Nobody answers behind them: what listens on the host is looked at. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import {
  createHome,
  createNamespace,
  needsQemu,
  needsRoot,
  ownerFor,
  testFacts,
  waitUntil,
  type Home,
  type Running,
} from '../harness/harness.ts';
import { hub, networkProcesses, noNetworkLeft, onLab } from './a-network.ts';
import { detach, eventually } from './a-vm.ts';
import { freePort } from './free-port.ts';

interface Forward {
  readonly protocol: string;
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly guest: string;
  readonly guestAddress: string;
  readonly guestPort: number;
}

/** A network that is up, and two profiles of VMs that never ran. */
async function aLab(definition = hub): Promise<Home> {
  const home = createHome();
  home.network('lab', definition);
  home.profile('web1', onLab);
  home.profile('web2', onLab);
  const { status, stderr } = await home.qrun(['net', 'up', 'lab']);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  return home;
}

async function endLab(home: Home): Promise<void> {
  expect((await home.qrun(['net', 'down', 'lab'])).status).toBe(0);
  expect(await noNetworkLeft(home)).toBe(true);
}

async function forwardsOf(home: Home, ...words: readonly string[]): Promise<Forward[]> {
  const { status, stdout, stderr } = await home.qrun(['net', 'forward', 'lab', ...words, '--json']);
  expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: '' });
  return parseDocument('net-forward', stdout) as Forward[];
}

const shortOf = ({ protocol, hostAddress, hostPort, guest, guestAddress, guestPort }: Forward): string =>
  `${hostAddress}:${hostPort}:${guest}=${guestAddress}:${guestPort}/${protocol}`;

/** What the gateway has bound on the host, as `tcp 127.0.0.1:8080`. */
async function boundByGateway(home: Home): Promise<string[]> {
  const gateway = networkProcesses(home).find(({ program, keeper }) => program === 'gateway' && !keeper);
  const { stdout } = await home.run(['ss', '-H', '-lntup']);
  return stdout
    .split('\n')
    .filter((line) => line.includes(`pid=${gateway?.pid},`))
    .map((line) => line.split(/\s+/))
    .map((words) => `${words[0]} ${words[4]}`)
    .toSorted();
}

/** A free port, for a moment. */

describe('net forward', () => {
  test('ABUSE 31: adds, lists and takes away; on 127.0.0.1 unless an address is said', async (context) => {
    needsQemu(context);
    const home = await aLab();
    const [one, two] = [await freePort(), await freePort()];
    expect(await forwardsOf(home)).toEqual([]);
    const added = await home.qrun(['net', 'forward', 'lab', `${one}:web1:80`, `127.0.0.2:${two}:10.44.0.99:53/udp`]);
    expect(added).toMatchObject({ status: 0, stdout: '' });
    expect(added.stderr).toBe(`127.0.0.1:${one} → web1:80 (10.44.0.50)\n127.0.0.2:${two} → 10.44.0.99:53/udp\n`);
    const both = [`127.0.0.1:${one}:web1=10.44.0.50:80/tcp`, `127.0.0.2:${two}:10.44.0.99=10.44.0.99:53/udp`];
    expect((await forwardsOf(home)).map(shortOf)).toEqual(both);
    expect(await boundByGateway(home)).toEqual([`tcp 127.0.0.1:${one}`, `udp 127.0.0.2:${two}`]);
    expect((await home.qrun(['net', 'forward', 'lab'])).stdout).toContain(`127.0.0.1:${one}`);
    // once more is as good as once
    expect((await forwardsOf(home, `${one}:web1:80`)).map(shortOf)).toEqual(both);
    expect((await forwardsOf(home, String(one), '--remove')).map(shortOf)).toEqual(both.slice(1));
    expect(await boundByGateway(home)).toEqual([`udp 127.0.0.2:${two}`]);
    expect(await forwardsOf(home, `127.0.0.2:${two}:10.44.0.99:53/udp`, '--remove')).toEqual([]);
    expect(await boundByGateway(home)).toEqual([]);
    await endLab(home);
  });

  test('auto is a free port, and 0.0.0.0 is everywhere', async (context) => {
    needsQemu(context);
    const home = await aLab();
    const [auto] = await forwardsOf(home, 'auto:web2:22');
    expect(auto).toMatchObject({ hostAddress: '127.0.0.1', guest: 'web2', guestPort: 22 });
    expect(await boundByGateway(home)).toEqual([`tcp 127.0.0.1:${auto?.hostPort}`]);
    const port = await freePort();
    await forwardsOf(home, `0.0.0.0:${port}:web2:22`);
    expect(await boundByGateway(home)).toContain(`tcp 0.0.0.0:${port}`);
    expect(await home.qrun(['net', 'forward', 'lab', `127.0.0.1:${port}:web1:22`])).toMatchObject({ status: 4 });
    await forwardsOf(home, '%lo:auto:web2:23');
    await endLab(home);
  });

  test('survives the gateway, and ends with the network', async (context) => {
    needsQemu(context);
    const home = await aLab(`${hub}forwards: ["auto:web1:80"]\n`);
    const [defined] = await forwardsOf(home);
    const all = (await forwardsOf(home, 'auto:web2:22')).map(({ hostPort }) => `tcp 127.0.0.1:${hostPort}`).toSorted();
    expect(all).toHaveLength(2);
    const gateway = networkProcesses(home).find(({ program, keeper }) => program === 'gateway' && !keeper);
    process.kill(gateway?.pid ?? 0, 'SIGKILL');
    await eventually(async () => (await boundByGateway(home)).join() === all.join());
    // at once after its end, too
    const another = networkProcesses(home).find(({ program, keeper }) => program === 'gateway' && !keeper);
    process.kill(another?.pid ?? 0, 'SIGKILL');
    expect(await forwardsOf(home, 'auto:web2:23')).toHaveLength(3);
    await eventually(async () => (await boundByGateway(home)).length === 3);
    await forwardsOf(home, String(defined?.hostPort), '--remove');
    await endLab(home);
    expect((await home.qrun(['net', 'up', 'lab'])).status).toBe(0);
    expect((await forwardsOf(home)).map(({ guest }) => guest)).toEqual(['web1']);
    await endLab(home);
  });

  test('a VM has the address that was reserved for it', async (context) => {
    needsQemu(context);
    const home = await aLab();
    const [forward] = await forwardsOf(home, 'auto:web2:80');
    const config = JSON.parse(readFileSync(path.join(home.state, 'networks/lab/switch.json'), 'utf8')) as {
      dhcp: { reserved: string[] };
    };
    expect(config.dhcp.reserved).toContain(forward?.guestAddress);
    const log = (): string => readFileSync(path.join(home.state, 'networks/lab/log'), 'utf8');
    expect(await waitUntil(() => log().includes('configuration read again'), 30_000)).toBe(true);
    await detach(home, 'web1');
    await detach(home, 'web2');
    const info = JSON.parse((await home.qrun(['net', 'info', 'lab', '--json'])).stdout) as {
      members: { vm: string; ip: string }[];
    };
    expect(info.members.find(({ vm }) => vm === 'web2')?.ip).toBe(forward?.guestAddress);
    expect(info.members.find(({ vm }) => vm === 'web1')?.ip).not.toBe(forward?.guestAddress);
    await home.qrun(['kill', 'web1', 'web2']);
    await endLab(home);
  });

  test('ABUSE 35: a port that is taken is 4, names who has it, and nothing is changed', async (context) => {
    needsQemu(context);
    const home = await aLab();
    const holder: Running = home.startProgram([
      testFacts().node,
      '-e',
      "const s = require('node:net').createServer(); s.listen(0, '127.0.0.1', () => console.log('port', s.address().port))",
    ]);
    await holder.waitFor(/port (\d+)/);
    const port = /port (\d+)/.exec(holder.stdout)?.[1] ?? '';
    const free = await freePort();
    const taken = await home.qrun(['net', 'forward', 'lab', `${free}:web2:22`, `${port}:web1:80`]);
    expect(taken).toMatchObject({ status: 4, stdout: '' });
    expect(taken.stderr).toMatch(new RegExp(`port ${port} on 127.0.0.1 is in use by .*\\(pid \\d+\\)`));
    // all or nothing
    expect(await forwardsOf(home)).toEqual([]);
    expect(await boundByGateway(home)).toEqual([]);
    await forwardsOf(home, `${free}:web2:22`);
    const own = await home.qrun(['net', 'forward', 'lab', `${free}:web1:80`]);
    expect(own).toMatchObject({ status: 4, stderr: expect.stringMatching(/leads to web2:22 already \(pid \d+\)/) });
    expect(own.stderr).toContain(`hint: qrun net forward lab ${free} --remove`);
    holder.kill('SIGKILL');
    await holder.end;
    await endLab(home);
  });

  test('wrong rules change nothing', async (context) => {
    needsQemu(context);
    const home = await aLab();
    const wrong: readonly (readonly [readonly string[], number, string])[] = [
      [['8080:80'], 2, 'says no guest'],
      [['8080'], 2, 'is no forward'],
      [['8080:nobody:80'], 2, 'there is no VM nobody'],
      [['8080:wob1:80'], 2, 'did you mean web1?'],
      [['8080:10.99.0.1:80'], 2, '10.99.0.1 is not in network lab'],
      [['0:web1:80'], 2, 'port'],
      [['70000:web1:80'], 2, 'port'],
      [['8080:web1:80/sctp'], 2, 'no protocol'],
      [['[::1]:8080:web1:80'], 2, 'IPv4 alone'],
      [['8080:[fd00::1]:80'], 2, 'IPv4 alone'],
      [['%nosuch0:8080:web1:80'], 3, 'there is no interface nosuch0'],
      [['203.0.113.7:8080:web1:80'], 3, 'this host has no such address'],
      [['38080:web1:80', '38080:web2:80'], 2, 'two rules want tcp port 38080'],
      [['auto:web1:80', '8080:web1:80/x'], 2, 'no protocol'],
      [['8080:web1:80,hostfwd=tcp::1-:1'], 2, ''],
      [['8080:$(id):80'], 2, ''],
      [['--remove'], 2, '--remove needs a RULE'],
      [['8080', '--remove'], 2, 'network lab has no forward 8080'],
      [['8080:web1:80', '--remove'], 2, 'network lab has no forward 8080:web1:80'],
      [['x', '--remove'], 2, 'is no forward'],
    ];
    for (const [words, status, message] of wrong) {
      const ended = await home.qrun(['net', 'forward', 'lab', ...words]);
      expect({ words, ...ended }).toMatchObject({ words, status, stdout: '' });
      expect(ended.stderr).toContain(message);
    }
    expect(await forwardsOf(home)).toEqual([]);
    expect(await boundByGateway(home)).toEqual([]);
    await endLab(home);
  });

  test('killed in the middle: what is in force is known, and can be taken away', async (context) => {
    needsQemu(context);
    const home = await aLab();
    const port = await freePort();
    const env = { QRUN_FAILPOINT: 'forward:lab:kill' };
    const killed = await home.qrun(['net', 'forward', 'lab', `${port}:web1:80`], { env });
    expect(killed.status).toBe(137);
    expect((await forwardsOf(home)).map(({ hostPort }) => hostPort)).toEqual([port]);
    expect(await forwardsOf(home, String(port), '--remove')).toEqual([]);
    await forwardsOf(home, `${port}:web1:80`);
    expect((await home.qrun(['net', 'forward', 'lab', String(port), '--remove'], { env })).status).toBe(137);
    expect(await boundByGateway(home)).toEqual([]);
    expect(await forwardsOf(home, String(port), '--remove')).toEqual([]);
    await endLab(home);
  });

  test('ABUSE 51: no space for the record of a forward: the gateway’s command does not get it either', async (context) => {
    needsRoot(context);
    needsQemu(context);
    const namespace = await createNamespace();
    const home = createHome({ namespace });
    const { uid } = ownerFor('user');
    const many = Array.from({ length: 8 }, (_, index) => `"auto:web1:${index + 1}"`).join(', ');
    const mount = ['mount', '-t', 'tmpfs', '-o', `size=1m,mode=700,uid=${uid}`, 'tmpfs', home.state];
    expect(namespace.run(mount).status).toBe(0);
    // the record takes more pages than the command
    home.network('lab', `${hub}description: ${'x'.repeat(250)}\nforwards: [${many}]\n`);
    home.profile('web1', onLab);
    expect((await home.qrun(['net', 'up', 'lab'])).status).toBe(0);
    expect((await home.qrun(['net', 'forward', 'lab', 'auto:web1:80'])).status).toBe(0);
    const written = (): string[] =>
      ['switch.json', 'gateway.sh', 'network.json'].map(
        (name) => namespace.run(['cat', path.join(home.state, 'networks/lab', name)]).stdout,
      );
    const before = written();
    const leave = (bytes: number): void => {
      const filler = path.join(home.state, 'filler');
      namespace.run(['sh', '-c', `cat /dev/zero >${filler}; truncate -s -${bytes} ${filler}`]);
    };
    for (const pages of [1, 2, 3]) {
      leave(pages * 4096);
      const full = await home.qrun(['net', 'forward', 'lab', 'auto:web1:81']);
      namespace.run(['rm', path.join(home.state, 'filler')]);
      if (pages > 1 && full.status === 0) break;
      expect(full).toMatchObject({ status: 3, stderr: expect.stringContaining('no space left') });
      expect(written()).toEqual(before);
    }
    expect((await home.qrun(['net', 'forward', 'lab', 'auto:web1:82'])).status).toBe(0);
    expect(written().filter((text, index) => text === before[index])).toEqual([before[0]]);
    await endLab(home);
  });

  test('several at once, each of which counts', async (context) => {
    needsQemu(context);
    const home = await aLab();
    const ports = ['21', '22', '23', '24'];
    const ended = await Promise.all(ports.map((port) => home.qrun(['net', 'forward', 'lab', `auto:web1:${port}`])));
    expect(ended.map(({ status }) => status)).toEqual(ports.map(() => 0));
    expect((await forwardsOf(home)).map(({ guestPort }) => String(guestPort)).toSorted()).toEqual(ports);
    expect(await boundByGateway(home)).toHaveLength(4);
    await endLab(home);
  });
});

test('net leases: whose they are, also of a VM that is gone', async (context) => {
  needsQemu(context);
  const home = await aLab();
  await detach(home, 'web1');
  const info = JSON.parse((await home.qrun(['net', 'info', 'lab', '--json'])).stdout) as {
    members: { mac: string; ip: string }[];
  };
  const { mac = '', ip = '' } = info.members[0] ?? {};
  const expires = Math.floor(Date.now() / 1000) + 3600;
  const stranger = { mac: '52:54:00:00:00:99', ip: '10.44.0.9', hostName: 'a\u001b[31m', expires };
  const over = { mac: '52:54:00:00:00:98', ip: '10.44.0.8', expires: 1 };
  // as the switch writes it
  writeFileSync(
    path.join(home.state, 'networks/lab/leases.json'),
    JSON.stringify({ v: 1, leases: [{ mac, ip, expires }, stranger, over] }),
  );
  const leases = async (): Promise<unknown> => {
    const { stdout, stderr } = await home.qrun(['net', 'leases', 'lab', '--json']);
    expect(stderr).toBe('');
    return parseDocument('net-leases', stdout);
  };
  const end = new Date(expires * 1000).toISOString();
  const lent = { duid: null, expires: end, fixed: false };
  const others = { ...lent, mac: stranger.mac, ip: '10.44.0.9', vm: null, nic: null, hostName: stranger.hostName };
  expect(await leases()).toEqual([others, { ...lent, mac, ip, vm: 'web1', nic: 'net0', hostName: 'web1' }]);
  const table = (await home.qrun(['net', 'leases', 'lab'])).stdout;
  expect(table).toContain('a\\e[31m');
  expect(table).not.toContain('\u001b');
  await home.qrun(['kill', 'web1']);
  expect(await leases()).toEqual([others, { ...lent, mac, ip, vm: 'web1', nic: null, hostName: null }]);
  await endLab(home);
});
