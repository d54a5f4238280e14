/** What keeps a network with a bridge of its own from coming up, and forwards from being added: each is told with what is in the way. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { must, needsQemu, needsRoot, refused, waitUntil, type Home, type Running } from '../harness/harness.ts';
import { parseDocument } from '../harness/document.ts';
import { createBridgedHost, everything, settingOf, textOf } from './a-bridged-host.ts';

const lan0 = 'forward: nat\naddresses: [10.10.120.1/24, "fd00:120::1/64"]\n';

async function listen(home: Home, port: number, address: string): Promise<Running> {
  const program = `require('node:net').createServer().listen(${port}, '${address}', () => console.log('listens'))`;
  const running = home.startProgram([process.execPath, '-e', program]);
  await running.waitFor(/listens/);
  return running;
}

test('addresses that others have: a route of the host’s, IPv6 too, another network that is up or defined', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  root.network('lan0', lan0);
  const before = everything(bridged);
  const refusal = async (why: string): Promise<void> => {
    expect(await refused(root, 'net', 'up', 'lan0')).toEqual({ status: 4, stderr: expect.stringContaining(why) });
  };
  for (const [route, of] of [
    ['10.10.120.128/25', '10.10.120.0/24'],
    ['10.10.0.0/16', '10.10.120.0/24'],
    ['fd00:120::/48', 'fd00:120::/64'],
  ] as const) {
    host.must(`ip route add ${route} dev v0`);
    await refusal(`${of} overlaps with ${route}, which this host reaches through v0`);
    host.must(`ip route del ${route} dev v0`);
  }
  expect(everything(bridged)).toEqual(before);
  // broken ones, those of a user's and those of no bridge have none
  root.network('bad', 'forward: nat\naddresses: [nonsense]\n');
  root.network('own', 'forward: nat\nscope: user\ntransport: hub\naddresses: [10.10.120.1/24]\n');
  root.network('lan1', 'forward: isolated\naddresses: [10.10.120.201/29]\n');
  await refusal(`10.10.120.0/24 overlaps with the addresses of network lan1 (${path.join(root.config, 'networks')}`);
  await must(root, 'net', 'rm', 'lan1');
  root.network('lan1', 'forward: route\naddresses: [10.10.121.1/24, "fd00:120:0:0:1::1/64"]\n');
  await refusal('fd00:120::/64 overlaps with the addresses of network lan1');
  root.network('lan1', 'forward: route\naddresses: [10.10.121.1/24]\n');
  await must(root, 'net', 'up', 'lan0');
  // the definition is another by now: what counts is what is up
  root.network('lan0', lan0.replace('120.1', '99.1').replace('fd00:120', 'fd00:99'));
  root.network('lan1', 'forward: route\naddresses: [10.10.120.1/24]\n');
  expect(await refused(root, 'net', 'up', 'lan1')).toEqual({
    status: 4,
    stderr: expect.stringContaining('10.10.120.0/24 overlaps with the addresses of network lan0, which is up'),
  });
  await must(root, 'net', 'down', 'lan0');
  expect(everything(bridged).filter((line) => !before.includes(line))).toEqual([]);
});

test('net define and net edit refuse what overlaps, as net up would, of root and without root; what is replaced is not in the way', async (context) => {
  const { host, root, home } = await createBridgedHost(context);
  const file = home.write('lan0.yaml', `scope: system\n${lan0}`);
  const theirs = root.write('lan0.yaml', lan0);
  const kept = path.join(root.config, 'networks', 'lan0.yaml');
  for (const [route, of] of [
    ['10.10.120.128/25', '10.10.120.0/24'],
    ['10.10.0.0/16', '10.10.120.0/24'],
    ['fd00:120::/48', 'fd00:120::/64'],
    ['fd00:120:0:0:8::/80', 'fd00:120::/64'],
  ] as const) {
    host.must(`ip route add ${route} dev v0`);
    for (const [one, definition] of [
      [home, file],
      [root, theirs],
    ] as const) {
      const { status, stderr } = await refused(one, 'net', 'define', definition);
      expect({ status, stderr }).toEqual({
        status: 4,
        stderr: expect.stringContaining(`${of} overlaps with ${route}, which this host reaches through v0`),
      });
      expect(stderr).toContain(`write other addresses in ${definition}`);
    }
    host.must(`ip route del ${route} dev v0`);
  }
  expect(textOf(kept)).toBe('');
  await must(home, 'net', 'define', file);
  for (const verb of ['forward', 'leases'])
    expect(await refused(home, 'net', verb, 'lan0')).toEqual({
      status: 3,
      stderr: expect.stringMatching(/network lan0 is not up, and root takes it up\n.* sudo qrun net up lan0\n$/),
    });
  await must(home, 'net', 'rm', 'lan0');
  // again, and over itself, up or not, though its bridge is another now
  const changed = root.write('other.yaml', `${lan0}bridge: { name: br-lan0 }\n`);
  for (let again = 0; again < 2; again += 1) await must(root, 'net', 'define', theirs);
  const { stderr } = await refused(root, 'net', 'forward', 'lan0');
  expect(stderr).toMatch(/network lan0 is not up\n.*qrun net up lan0\n$/);
  expect(stderr).not.toContain('sudo');
  await must(root, 'net', 'up', 'lan0');
  expect(await refused(home, 'net', 'leases', 'lan0')).toEqual({
    status: 3,
    stderr: expect.stringMatching(/network lan0 is root's\n.* sudo qrun net leases lan0\n$/),
  });
  await must(root, 'net', 'define', '--force', '--name', 'lan0', changed);
  await must(root, 'net', 'define', '--force', theirs);
  // another one: that is up, for who is not root too, and that is only defined
  const lan1 = 'scope: system\nforward: isolated\naddresses: [10.10.120.201/29]\n';
  const isUp = expect.stringContaining('10.10.120.200/29 overlaps with the addresses of network lan0, which is up');
  for (const one of [root, home]) {
    const other = one.write('lan1.yaml', lan1);
    expect(await refused(one, 'net', 'define', other)).toEqual({ status: 4, stderr: isUp });
  }
  await must(root, 'net', 'down', 'lan0');
  expect(await refused(root, 'net', 'define', root.write('lan1.yaml', lan1))).toEqual({
    status: 4,
    stderr: expect.stringContaining(`overlaps with the addresses of network lan0 (${kept})`),
  });
  // a network on a bridge of its own that the world outside is on has addresses too, and none where none are written
  const joined = 'forward: bridge\naddresses: [10.10.120.9/28]\n';
  expect(await refused(root, 'net', 'define', root.write('lan2.yaml', joined))).toMatchObject({ status: 4 });
  await must(root, 'net', 'define', root.write('lan2.yaml', 'forward: bridge\n'));
  // an edit keeps what was there, and the new text aside; --force keeps it, and says so
  root.network('lan3', 'forward: isolated\naddresses: [10.10.123.1/24]\n');
  const VISUAL = `sed -i 's/10.10.123.1/10.10.120.65/'`;
  const edited = await root.qrun(['net', 'edit', 'lan3'], { env: { VISUAL } });
  expect(edited).toMatchObject({
    status: 4,
    stderr: expect.stringMatching(/of network lan0 .*; .*lan3\.yaml is as it was/),
  });
  expect(textOf(path.join(root.config, 'networks', 'lan3.yaml'))).toContain('10.10.123.1');
  const forced = await root.qrun(['net', 'edit', '--force', 'lan3'], { env: { VISUAL } });
  expect(forced).toMatchObject({ status: 0, stderr: expect.stringContaining('is kept although it could not come up') });
});

test('what another firewall drops is told by net info and doctor with the rule that lets it pass; and the route that the router outside needs', async (context) => {
  needsQemu(context);
  const { host, root, home } = await createBridgedHost(context);
  root.network('lan0', 'forward: route\ndhcp: true\naddresses: [10.10.120.1/24, "fd00:120::1/64"]\n');
  await must(root, 'net', 'up', 'lan0');
  type Info = { firewall: { chain: string; drops: string[]; mend: string }[]; routes: string[] };
  const infoOf = async (one: Home): Promise<Info> =>
    parseDocument('net-info', await must(one, 'net', 'info', 'lan0', '--json')) as Info;
  const doctor = async (): Promise<unknown> => {
    const { stdout } = await root.qrun(['doctor', '--json']);
    return (parseDocument('doctor', stdout) as { id: string }[]).find(({ id }) => id === 'network-firewall');
  };
  expect(await infoOf(root)).toMatchObject({ firewall: [] });
  expect(await doctor()).toMatchObject({ state: 'ok', evidence: 'none drops what lan0 lets pass', mend: null });
  host.must('nft add table inet guard');
  for (const hook of ['forward', 'input'])
    host.must(`nft add chain inet guard ${hook} { type filter hook ${hook} priority 0 ; policy drop ; }`);
  const before = host.must('nft list table inet guard');
  const { firewall } = await infoOf(root);
  expect(firewall).toMatchObject([
    {
      chain: expect.stringContaining('inet guard input'),
      drops: ['what guests ask of DHCP', 'names that guests ask for'],
    },
    { chain: expect.stringContaining('inet guard forward'), drops: expect.arrayContaining(['what guests send out']) },
  ]);
  expect(await must(root, 'net', 'info', 'lan0')).toContain(firewall[0]?.mend);
  expect(await doctor()).toMatchObject({ state: 'warn', mend: firewall[0]?.mend });
  // who is not root may not look
  expect(await infoOf(home)).toMatchObject({ firewall: [] });
  expect(host.must('nft list table inet guard')).toBe(before);
  for (const { mend } of firewall)
    expect(host.namespace.run(['sh', '-c', mend.replaceAll('sudo ', '')])).toMatchObject({ status: 0 });
  expect(await infoOf(root)).toMatchObject({ firewall: [] });
  expect(await doctor()).toMatchObject({ state: 'ok' });
  // by address alone: in a set, and one after the other
  host.must('nft flush ruleset');
  await must(root, 'net', 'up', 'lan0');
  host.must('nft add table ip guard');
  host.must('nft add chain ip guard f { type filter hook forward priority 0 ; }');
  host.must(
    'nft add set ip guard blocked { type ipv4_addr ; flags interval ; elements = { 192.0.2.1, 10.10.0.0/16 } ; }',
  );
  host.must('nft add rule ip guard f ip saddr @blocked counter drop');
  host.must('nft add rule ip guard f ip daddr { 10.10.120.0/25, 10.10.120.128/25 } reject');
  const { firewall: byAddress } = await infoOf(root);
  const drops = ['what guests send out', 'the answers to them', 'what comes to guests from outside'];
  expect(byAddress).toMatchObject([{ chain: 'nft chain ip guard f (hook forward)', drops }]);
  for (const { mend } of byAddress)
    expect(host.namespace.run(['sh', '-c', mend.replaceAll('sudo ', '')])).toMatchObject({ status: 0 });
  expect(await infoOf(root)).toMatchObject({ firewall: [] });
  host.must('nft delete table ip guard');
  // by its default route it is reached, or by the card that is written
  host.must('ip route add default dev v0');
  const address = host.must('ip -4 -brief address show dev v0').trim().split(/\s+/)[2]?.split('/')[0];
  const routes = [
    `ip route add 10.10.120.0/24 via ${address}`,
    'ip -6 route add fd00:120::/64 via ADDRESS-OF-THIS-HOST',
  ];
  for (const one of [root, home]) expect(await infoOf(one)).toMatchObject({ routes });
  expect(await must(root, 'net', 'info', 'lan0')).toContain(`What the router outside must be told\n  ${routes[0]}\n`);
  await must(root, 'net', 'down', 'lan0');
  expect(await infoOf(root)).toMatchObject({ routes });
});

test('a bridge or a table that is somebody else’s, a key of another mode, an interface that is not there', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  host.must('ip link add qr-lan0 type bridge');
  host.must('nft add table inet qrun_lan1');
  root.network('lan0', lan0);
  root.network('lan1', 'forward: nat\naddresses: [10.10.121.1/24]\n');
  root.network('lan2', 'forward: nat\naddresses: [10.10.122.1/24]\nbridge: { uplink: v0 }\n');
  root.network('lan3', 'forward: nat\naddresses: [10.10.123.1/24]\nbridge: { name: br0 }\n');
  root.network('lan4', 'forward: nat\naddresses: [10.10.124.1/24]\nforwards: ["%eth7:80:10.10.124.60:80"]\n');
  const before = everything(bridged);
  for (const [name, status, why] of [
    ['lan0', 4, /an interface qr-lan0 already, and it is not this network's\n[^]*forward: bridge/],
    ['lan1', 4, /a table inet qrun_lan1 already, and it is not this network's/],
    ['lan2', 2, /uplink belongs to forward: bridge/],
    ['lan3', 4, /an interface br0 already, and it is not this network's/],
    ['lan4', 3, /there is no interface eth7/],
  ] as const)
    expect(await refused(root, 'net', 'up', name)).toEqual({ status, stderr: expect.stringMatching(why) });
  expect(everything(bridged)).toEqual(before);
});

test('an interface to get out by that is not there, or has gone: said, and the network is up for when it comes', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  for (const [mode, why] of [
    ['nat', 'there is no interface eth7'],
    ['route', 'eth7 is down'],
  ] as const) {
    root.network('lan0', `forward: ${mode}\naddresses: [10.10.120.1/24]\n${mode}: { dev: eth7 }\n`);
    const told = `network lan0: ${why}: its guests get out by it alone, when it is there`;
    if (mode === 'route') host.must('ip link add eth7 type veth peer name eth8');
    expect(await must(root, 'net', 'up', 'lan0')).toContain(told);
    expect(await must(root, 'net', 'info', 'lan0')).toContain(told);
    if (mode === 'nat') host.must('ip link add eth7 type veth peer name eth8');
    host.must('ip link set eth7 up');
    expect(await must(root, 'net', 'up', 'lan0')).not.toContain('eth7');
    expect(await must(root, 'net', 'info', 'lan0')).not.toContain('eth7');
    host.must('ip link delete dev eth7');
    expect(await must(root, 'net', 'info', 'lan0')).toContain('there is no interface eth7');
    await must(root, 'net', 'down', 'lan0');
  }
});

test('without nft, or without dnsmasq: which is missing, and the package; without both, open needs neither', async (context) => {
  needsRoot(context);
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  root.network('lan0', lan0);
  root.network('lan1', 'forward: open\naddresses: [10.10.121.1/24]\n');
  const before = everything(bridged);
  const nothing = root.write('nothing', '');
  for (const [tool, debian] of [
    ['dnsmasq', 'dnsmasq-base'],
    ['nft', 'nftables'],
  ] as const) {
    host.must(`mount --bind ${nothing} /usr/sbin/${tool}`);
    expect(await refused(root, 'net', 'up', 'lan0')).toEqual({
      status: 3,
      stderr: expect.stringMatching(new RegExp(`${tool} is not installed\\n.*apt-get install ${debian}`)),
    });
    if (tool === 'dnsmasq') {
      await must(root, 'net', 'up', 'lan1');
      await must(root, 'net', 'down', 'lan1');
      host.must('umount /usr/sbin/dnsmasq');
    }
  }
  host.must('umount /usr/sbin/nft');
  expect(everything(bridged)).toEqual(before);
});

test('dnsmasq’s ports are taken, of names and of DHCP: who has them, and what it said, is told, soon, and all is given back', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  root.network('lan0', lan0);
  const before = everything(bridged);
  const takers = [
    ["require('node:net').createServer().listen(53, '0.0.0.0', ready)", 'tcp port 53 on 10.10.120.1'],
    ["require('node:dgram').createSocket('udp4').bind(67, '0.0.0.0', ready)", 'udp port 67 on 0.0.0.0'],
    ["require('node:dgram').createSocket('udp6').bind(547, '::', ready)", 'udp port 547 on ::'],
  ] as const;
  for (const [taker, what] of takers) {
    const other = root.startProgram([process.execPath, '-e', `const ready = () => console.log('taken');${taker}`]);
    await other.waitFor(/taken/);
    const { status, stderr } = await refused(root, 'net', 'up', 'lan0');
    expect({ status, stderr }).toEqual({
      status: 4,
      stderr: expect.stringContaining(`did not come up: ${what} is in use by node (pid ${other.pid})`),
    });
    expect(stderr).toMatch(/hint: sudo ss -lntup sport = \d+\n/);
    expect(stderr).toMatch(/dnsmasq: failed to .*Address already in use/);
    expect(everything(bridged)).toEqual(before);
    other.kill();
    await other.end;
  }
});

test('net up of one that is up, whose definition has faults by now: it is mended, and the faults are told', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const before = everything(bridged);
  root.network('lan0', lan0);
  await must(root, 'net', 'up', 'lan0');
  const file = path.join(root.config, 'networks/lan0.yaml');
  const hosts = ['  hosts:', '    - { mac: "52:54:00:00:00:1g", ip: 10.10.120.60 }', '    - { ip: 10.99.0.1 }', ''];
  root.network('lan0', `${lan0}dhcp:\n${hosts.join('\n')}`);
  host.must('ip link set dev qr-lan0 down');
  const { status, stderr } = await root.qrun(['net', 'up', 'lan0']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('qr-lan0 (down)') });
  expect(stderr).toContain(`network lan0 is up as it was; what ${file} says has faults: ${file}:5:`);
  expect(stderr).toMatch(/\d+ faults?: qrun net show \S+lan0\.yaml\)\n/);
  expect((await refused(root, 'net', 'show', file)).status).toBe(2);
  root.network('lan0', lan0);
  expect((await root.qrun(['net', 'up', 'lan0'])).stderr).not.toMatch(/fault|as it was/);
  await must(root, 'net', 'down', 'lan0');
  expect(everything(bridged)).toEqual(before);
});

test('ports of forwards: of a listener, of another network, twice; added and removed at run time, and after a kill', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const before = everything(bridged);
  root.network('lan0', `${lan0}forwards: ["80:10.10.120.60:80", "auto:10.10.120.60:81"]\n`);
  root.network('lan1', 'forward: isolated\naddresses: [10.10.121.1/24]\n');
  const other = await listen(root, 7000, '127.0.0.1');
  await must(root, 'net', 'up', 'lan0');
  await must(root, 'net', 'up', 'lan1');
  const setting = (): string => settingOf(host, 'net.ipv4.conf.qr-lan1.route_localnet');
  expect(setting()).toBe('0');
  for (const [rule, status, why] of [
    ['0.0.0.0:7000:10.10.121.60:80', 4, /tcp port 7000 on 0\.0\.0\.0 is in use by node \(pid \d+\)/],
    ['80:10.10.121.60:80', 4, /tcp port 80 on 127\.0\.0\.1 belongs to network lan0, and leads to 10\.10\.120\.60:80/],
    ['0.0.0.0:80:10.10.121.60:80', 4, /belongs to network lan0/],
    ['192.0.2.77:80:10.10.121.60:80', 3, /this host has no such address/],
    ['8080:10.10.120.60:80', 2, /10\.10\.120\.60 is not in network lan1/],
    ['[::1]:8080:10.10.121.60:80', 2, /::1/],
  ] as const)
    expect(await refused(root, 'net', 'forward', 'lan1', rule)).toEqual({ status, stderr: expect.stringMatching(why) });
  const rules = host.must('nft -s list ruleset');
  // udp is another port, and another address of the host's another end
  await must(
    root,
    'net',
    'forward',
    'lan1',
    '80:10.10.121.60:80/udp',
    '127.0.0.9:80:10.10.121.60:80',
    'auto:10.10.121.60:22',
  );
  expect(setting()).toBe('1');
  const listed = parseDocument('net-forward', await must(root, 'net', 'forward', 'lan1', '--json')) as {
    hostAddress: string;
    hostPort: number;
  }[];
  expect(listed.map(({ hostAddress }) => hostAddress)).toEqual(['127.0.0.1', '127.0.0.9', '127.0.0.1']);
  for (const { hostPort } of listed)
    expect(host.must('nft list table inet qrun_lan1')).toContain(`dport ${hostPort} dnat`);
  expect(await refused(root, 'net', 'forward', 'lan1', '127.0.0.9:80:10.10.121.61:80')).toEqual({
    status: 4,
    stderr: expect.stringContaining('leads to 10.10.121.60:80 already'),
  });
  expect(await must(root, 'net', 'info', 'lan1')).toContain('pinned');
  // killed between the rules and the record: the next change sets both right
  await root.qrun(['net', 'forward', 'lan1', '9000:10.10.121.60:90'], { env: { QRUN_FAILPOINT: 'rules:lan1:kill' } });
  expect(host.must('nft list table inet qrun_lan1')).toContain('dport 9000 dnat');
  const selectors = listed.map(
    ({ hostAddress, hostPort }, at) => `${hostAddress}:${hostPort}/${at === 0 ? 'udp' : 'tcp'}`,
  );
  await must(root, 'net', 'forward', 'lan1', '--remove', ...selectors);
  // as before, but for what ends connections by those that were taken away
  const ended = /\n\t(set|chain) withdrawn\w+ \{\n[^]*?\n\t\}\n/g;
  const after = host.must('nft -s list ruleset');
  expect(after.replaceAll(ended, '')).toBe(rules);
  expect(after.match(ended)).toHaveLength(3);
  for (const { hostPort } of listed.slice(0, 2))
    expect(after).toMatch(new RegExp(`10\\.10\\.121\\.60 \\. \\w+ \\. 80 \\. ${hostPort}\\b`));
  expect(setting()).toBe('0');
  await must(root, 'net', 'down', 'lan0');
  await must(root, 'net', 'down', 'lan1');
  expect(everything(bridged)).toEqual(before);
  other.kill();
  await other.end;
});

test('IPv6 of the host’s own comes by router announcements: to forward would cut it off, and is refused until it would not', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  root.network('lan0', lan0);
  root.network('lan1', 'forward: nat\naddresses: [10.10.121.1/24]\n');
  // v1 is the router, in the same kernel
  host.must('sysctl -qw net.ipv6.conf.v0.accept_ra_from_local=1 net.ipv6.conf.v0.accept_ra=1');
  host.must('ip address add 2001:db8:7::1/64 dev v1 nodad');
  const router = root.startProgram([
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--interface=v1', '--bind-interfaces'],
    ...['--enable-ra', '--dhcp-range=::,constructor:v1,ra-only', '--pid-file='],
  ]);
  const announced = (): boolean =>
    / default .* proto ra |^default .* proto ra /m.test(host.must('ip -6 route show dev v0'));
  const isThere = await waitUntil(() => {
    if (announced()) return true;
    host.must('ip link set v0 down');
    host.must('ip link set v0 up');
    return false;
  }, 1);
  expect({ isThere: isThere || (await waitUntil(announced, 30_000)), router: router.stderr }).toMatchObject({
    isThere: true,
  });
  expect(await refused(root, 'net', 'up', 'lan0')).toEqual({
    status: 3,
    stderr: expect.stringMatching(
      /would lose the routes that other routers tell it by v0\n.*sudo sysctl -w net\.ipv6\.conf\.v0\.accept_ra=2/,
    ),
  });
  expect(settingOf(host, 'net.ipv6.conf.all.forwarding')).toBe('0');
  // without IPv6 of its own a network forwards none
  await must(root, 'net', 'up', 'lan1');
  expect(settingOf(host, 'net.ipv6.conf.all.forwarding')).toBe('0');
  await must(root, 'net', 'down', 'lan1');
  host.must('sysctl -qw net.ipv6.conf.v0.accept_ra=2');
  await must(root, 'net', 'up', 'lan0');
  expect(announced()).toBe(true);
  await must(root, 'net', 'down', 'lan0');
  router.kill('SIGTERM');
  await router.end;
});

test('setup --undo switches back what networks switched on, and not while one of them is up', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const forwarding = (): string[] =>
    ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'].map((key) => settingOf(host, key));
  host.must('sysctl -qw net.ipv6.conf.all.forwarding=1');
  root.network('lan0', lan0);
  await must(root, 'net', 'up', 'lan0');
  expect(forwarding()).toEqual(['1', '1']);
  expect(await refused(root, 'setup', '--undo')).toEqual({ status: 5, stderr: expect.stringContaining('lan0') });
  expect(forwarding()).toEqual(['1', '1']);
  await must(root, 'net', 'down', 'lan0');
  expect(await must(root, 'setup', '--undo', '--dry-run')).toContain('net.ipv4.ip_forward=0');
  expect(forwarding()).toEqual(['1', '1']);
  await must(root, 'setup', '--undo');
  expect(forwarding()).toEqual(['0', '1']);
  expect(textOf(path.join(root.env['QRUN_HOST_DIR'] ?? '', 'switched-on.json'))).toBe('');
  expect(await must(root, 'setup', '--undo')).toContain('setup has made nothing here');
});
