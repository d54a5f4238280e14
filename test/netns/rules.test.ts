/** What the rules of a network let pass and what not, with real packets: by mode, sender, receiver and protocol. */
import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { RulesetInput } from '../../src/network/bridged/ruleset.ts';
import type { NetworkForward } from '../../src/network/network-plan.ts';
import { missingTables } from '../../src/resources/nft.ts';
import { isRoot, killAll, needsFile, needsRoot, readTree, Running } from '../harness/harness.ts';
import { createRulesHost, macOf, type Ask, type Party, type PartyName, type RulesHost } from './a-rules-host.ts';

let host: RulesHost;
beforeAll(async () => {
  if (isRoot()) host = await createRulesHost();
});
afterEach(async () => {
  if (isRoot()) await host.release();
});
afterAll(async () => {
  if (isRoot()) await host.dispose();
});

const lan0 = {
  table: 'qrun_lan0',
  bridge: 'qr-lan0',
  bridgeMac: '02:00:00:66:00:01',
  subnets: ['10.66.0.0/24', 'fd66::/64'],
  addresses: ['10.66.0.1', 'fd66::1'],
  forwards: [],
  asks: { dhcp: true, dns: true, tftp: false },
} satisfies Partial<RulesetInput>;
const lan1: RulesetInput = {
  ...lan0,
  table: 'qrun_lan1',
  bridge: 'qr-lan1',
  mode: 'nat',
  nat: { ipv6: true },
  subnets: ['10.67.0.0/24', 'fd67::/64'],
  addresses: ['10.67.0.1', 'fd67::1'],
};

const addresses = {
  g1: ['10.66.0.11', 'fd66::11'],
  g2: ['10.66.0.12', 'fd66::12'],
  o1: ['10.67.0.11', 'fd67::11'],
  out: ['192.0.2.2', '2001:db8::2'],
  far: ['198.51.100.2', '2001:db8:1::2'],
  'host, on the bridge': ['10.66.0.1', 'fd66::1'],
  'host, elsewhere': ['192.0.2.1', '2001:db8::1'],
} as const;
type Place = keyof typeof addresses;

const ways = ['tcp', 'udp', 'icmp'] as const;
const asksOf = (to: Place): Ask[] => addresses[to].flatMap((address) => ways.map((how) => ({ how, to: address })));

type Row = readonly [from: PartyName, to: Place, passes: 'pass' | 'stop', seenAs?: readonly [string, string]];

const always: readonly Row[] = [
  ['g1', 'g2', 'pass', ['10.66.0.11', 'fd66::11']],
  ['g1', 'host, on the bridge', 'pass', ['10.66.0.11', 'fd66::11']],
  ['host', 'g1', 'pass', ['10.66.0.1', 'fd66::1']],
  // lan1 is behind NAT: nobody's business
  ['g1', 'o1', 'stop'],
];
const matrix: Readonly<Record<RulesetInput['mode'], readonly Row[]>> = {
  nat: [
    ['g1', 'out', 'pass', ['192.0.2.1', '2001:db8::1']],
    ['g2', 'far', 'pass', ['198.51.100.1', '2001:db8:1::1']],
    ['g1', 'host, elsewhere', 'pass', ['10.66.0.11', 'fd66::11']],
    ['out', 'g1', 'stop'],
    ['o1', 'g1', 'stop'],
  ],
  route: [
    ['g1', 'out', 'pass', ['10.66.0.11', 'fd66::11']],
    ['g1', 'host, elsewhere', 'pass', ['10.66.0.11', 'fd66::11']],
    ['out', 'g1', 'pass', ['192.0.2.2', '2001:db8::2']],
    ['o1', 'g1', 'pass'],
  ],
  open: [
    ['g1', 'out', 'pass', ['10.66.0.11', 'fd66::11']],
    ['g1', 'host, elsewhere', 'pass', ['10.66.0.11', 'fd66::11']],
    ['out', 'g1', 'pass', ['192.0.2.2', '2001:db8::2']],
    ['o1', 'g1', 'pass'],
  ],
  isolated: [
    ['g1', 'out', 'stop'],
    ['g1', 'host, elsewhere', 'stop'],
    ['out', 'g1', 'stop'],
    ['o1', 'g1', 'stop'],
  ],
};

async function expectRows(rows: readonly Row[]): Promise<void> {
  const found = await Promise.all(
    rows.map(async ([from, to, passes]) => [from, to, await host.parties[from].ask(asksOf(to), passes)] as const),
  );
  const name = (to: Place) => to.split(',')[0] ?? '';
  const wanted = rows.map(([from, to, passes, seen]) => [
    from,
    to,
    asksOf(to).map(({ how, to: address }) => {
      if (passes === 'stop') return expect.stringMatching(/^no: /);
      if (how === 'icmp') return 'pong';
      const as = seen?.[address.includes(':') ? 1 : 0];
      return as === undefined ? expect.stringContaining(`${name(to)} sees `) : `${name(to)} sees ${as}`;
    }),
  ]);
  expect(found).toEqual(wanted);
}

describe('who reaches whom, by TCP, UDP and ICMP, in IPv4 and IPv6', () => {
  test.for(['nat', 'route', 'open', 'isolated'] as const)('%s', async (mode, context) => {
    needsRoot(context);
    needsFile(context, '/usr/sbin/nft');
    await host.take(lan1);
    await host.take({ ...lan0, mode, ...(mode === 'nat' && { nat: { ipv6: true } }) });
    await expectRows([...always, ...matrix[mode]]);
  });
});

const forward = (hostAddress: string, hostPort: number, guestAddress: string): NetworkForward[] =>
  (['tcp', 'udp'] as const).map((protocol) => ({
    protocol,
    hostAddress,
    hostPort,
    guest: guestAddress,
    guestAddress,
    guestPort: 7000,
  }));

/** By whom it is asked, where, and who answers, and what he sees; nobody: it does not get through. */
type Asked = readonly [from: PartyName, to: string, port: number, answer: string | undefined];

async function expectForwards(rows: readonly Asked[]): Promise<void> {
  const found = await Promise.all(
    rows.map(async ([from, to, port, answer]) => {
      const asks = (['tcp', 'udp'] as const).map((how) => ({ how, to, port }));
      return [from, to, port, ...(await host.parties[from].ask(asks, answer === undefined ? 'stop' : 'pass'))];
    }),
  );
  const wanted = rows.map(([from, to, port, answer]) => {
    const one = answer ?? expect.stringMatching(/^no: /);
    return [from, to, port, one, one];
  });
  expect(found).toEqual(wanted);
}

const forwards = [
  ...forward('0.0.0.0', 8080, '10.66.0.11'),
  ...forward('192.0.2.1', 8081, '10.66.0.12'),
  ...forward('127.0.0.1', 8082, '10.66.0.11'),
  ...forward('::', 8083, 'fd66::11'),
  ...forward('2001:db8::1', 8084, 'fd66::12'),
];

describe('forwards', () => {
  test.for(['nat', 'route', 'open', 'isolated'] as const)('into %s', async (mode, context) => {
    needsRoot(context);
    await host.take({ ...lan0, mode, forwards });
    // guests of an isolated network know the way to the host alone
    const isolated = mode === 'isolated';
    const seen = (address: string): string => (isolated ? (address.includes(':') ? 'fd66::1' : '10.66.0.1') : address);
    await expectForwards([
      ['out', '192.0.2.1', 8080, `g1 sees ${seen('192.0.2.2')}`],
      ['far', '198.51.100.1', 8080, `g1 sees ${seen('198.51.100.2')}`],
      ['out', '192.0.2.1', 8081, `g2 sees ${seen('192.0.2.2')}`],
      ['far', '198.51.100.1', 8081, undefined],
      ['out', '192.0.2.1', 8082, undefined],
      ['out', '2001:db8::1', 8083, `g1 sees ${seen('2001:db8::2')}`],
      ['out', '2001:db8::1', 8084, `g2 sees ${seen('2001:db8::2')}`],
      ['far', '2001:db8:1::1', 8084, undefined],
      // the host itself
      ['host', '127.0.0.1', 8080, 'g1 sees 10.66.0.1'],
      ['host', '127.0.0.1', 8082, 'g1 sees 10.66.0.1'],
      ['host', '127.0.0.2', 8082, undefined],
      ['host', '192.0.2.1', 8081, 'g2 sees 10.66.0.1'],
      ['host', '::1', 8083, undefined],
      ['host', '2001:db8::1', 8083, 'g1 sees fd66::1'],
      ['host', '2001:db8::1', 8084, 'g2 sees fd66::1'],
      // guests, of their own network and of another
      ['g2', '192.0.2.1', 8080, 'g1 sees 10.66.0.1'],
      ['g1', '192.0.2.1', 8081, 'g2 sees 10.66.0.1'],
      ['g2', '2001:db8::1', 8083, 'g1 sees fd66::1'],
      ['o1', '10.67.0.1', 8080, `g1 sees ${seen('10.67.0.11')}`],
    ]);
  });

  // br_netfilter bridges what is translated to a guest of the same bridge, and a bridge sends nothing back by the port that it came from
  test('a guest comes back to itself where br_netfilter does not look at what is bridged', async (context) => {
    needsRoot(context);
    if (existsSync('/proc/sys/net/bridge')) {
      const off = 'sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0';
      host.parties.host.must(off);
      onTestFinished(() => void host.parties.host.must(off.replaceAll('=0', '=1')));
    }
    await host.take({ ...lan0, mode: 'nat', forwards });
    await expectForwards([
      ['g1', '10.66.0.1', 8080, 'g1 sees 10.66.0.1'],
      ['g1', '2001:db8::1', 8083, 'g1 sees fd66::1'],
      ['g2', '192.0.2.1', 8080, 'g1 sees 10.66.0.1'],
      ['host', '127.0.0.1', 8082, 'g1 sees 10.66.0.1'],
    ]);
  });
});

/** One question by each of these ways. */
async function expectAsked(
  from: PartyName,
  asks: readonly Ask[],
  { passes, answer = expect.not.stringMatching(/^no: /) }: { passes: 'pass' | 'stop'; answer?: unknown },
): Promise<void> {
  const wanted = passes === 'stop' ? expect.stringMatching(/^no: /) : answer;
  const found = await host.parties[from].ask(asks, passes);
  expect({ from, asks, passes, found }).toEqual({ from, asks, passes, found: asks.map(() => wanted) });
}

const both = (to: string, more: Partial<Ask> = {}): Ask[] =>
  (['tcp', 'udp'] as const).map((how) => ({ how, to, ...more }));

describe('what a network may narrow', () => {
  test('nat: by one interface alone, and by a range of ports', async (context) => {
    needsRoot(context);
    const nat = { dev: 'up0', ports: { from: 40_000, to: 40_009 } };
    await host.take({ ...lan0, mode: 'nat', nat, forwards: forward('0.0.0.0', 8080, '10.66.0.11') });
    await Promise.all([
      expectAsked('g1', both('192.0.2.2', { port: 7001 }), {
        passes: 'pass',
        answer: expect.stringMatching(/^out sees 192\.0\.2\.1 at 4000[0-9]$/),
      }),
      expectAsked('g1', [{ how: 'icmp', to: '192.0.2.2' }], { passes: 'pass' }),
      expectRows([
        ['g1', 'far', 'stop'],
        ['g1', 'o1', 'stop'],
      ]),
      // a forward is answered where it came from
      expectForwards([['far', '198.51.100.1', 8080, 'g1 sees 198.51.100.2']]),
    ]);
  });

  test('route: by one interface alone, both ways', async (context) => {
    needsRoot(context);
    await host.take({ ...lan0, mode: 'route', dev: 'up0' });
    await expectRows([
      ['g1', 'out', 'pass', ['10.66.0.11', 'fd66::11']],
      ['out', 'g1', 'pass', ['192.0.2.2', '2001:db8::2']],
      ['g1', 'far', 'stop'],
      ['far', 'g1', 'stop'],
      ['o1', 'g1', 'stop'],
    ]);
  });

  test.for(['nat', 'route'] as const)('%s: with addresses of its own alone', async (mode, context) => {
    needsRoot(context);
    const { g1 } = host.parties;
    const others = ['203.0.113.5/32', '2001:db8:ff::5/128'];
    for (const one of others) {
      g1.must(`ip address add ${one} dev eth0${one.includes(':') ? ' nodad' : ''}`);
      host.parties.host.must(`ip route replace ${one} dev qr-lan0`);
    }
    onTestFinished(() => {
      for (const one of others) {
        g1.must(`ip address del ${one} dev eth0`);
        host.parties.host.must(`ip route del ${one} dev qr-lan0`);
      }
    });
    const spoofed = [...both('192.0.2.2', { from: '203.0.113.5' }), ...both('2001:db8::2', { from: '2001:db8:ff::5' })];
    // without rules it goes
    await expectAsked('g1', spoofed, { passes: 'pass' });
    await host.take({ ...lan0, mode });
    await expectAsked('g1', spoofed, { passes: 'stop' });
  });

  test('nat: IPv6 without NAT of it: unique local addresses stay, global ones are routed, nothing unasked comes in', async (context) => {
    needsRoot(context);
    const { g1 } = host.parties;
    const ofHost = host.parties.host;
    await host.take({ ...lan0, mode: 'nat', subnets: [...lan0.subnets, '2001:db8:66::/64'] });
    await Promise.all([
      expectAsked('g1', both('2001:db8::2'), { passes: 'stop' }),
      expectAsked('out', both('fd66::11'), { passes: 'stop' }),
      // the other network's are unique local too
      expectAsked('g1', both('fd67::11'), { passes: 'pass', answer: 'o1 sees fd66::11' }),
    ]);
    ofHost.must('ip address add 2001:db8:66::1/64 dev qr-lan0 nodad');
    g1.must('ip address add 2001:db8:66::11/64 dev eth0 nodad');
    onTestFinished(() => {
      ofHost.must('ip address del 2001:db8:66::1/64 dev qr-lan0');
      g1.must('ip address del 2001:db8:66::11/64 dev eth0');
    });
    await Promise.all([
      expectAsked('g1', both('2001:db8::2'), { passes: 'pass', answer: 'out sees 2001:db8:66::11' }),
      expectAsked('out', both('2001:db8:66::11'), { passes: 'stop' }),
    ]);
  });

  test('isolated ports: not by way of the host either, but by a forward', async (context) => {
    needsRoot(context);
    const { g1 } = host.parties;
    g1.must('ip route add 10.66.0.12/32 via 10.66.0.1');
    onTestFinished(() => void g1.must('ip route del 10.66.0.12/32 via 10.66.0.1'));
    const forwarded = forward('192.0.2.1', 8081, '10.66.0.12');
    await host.take({ ...lan0, mode: 'nat', forwards: forwarded });
    await expectAsked('g1', both('10.66.0.12'), { passes: 'pass' });
    await host.release();
    await host.take({ ...lan0, mode: 'nat', isolatedPorts: true, forwards: forwarded });
    await expectAsked('g1', both('10.66.0.12'), { passes: 'stop' });
    await expectForwards([['g1', '192.0.2.1', 8081, 'g2 sees 10.66.0.1']]);
  });

  test('isolated: the host answers nobody else in its name, nor to a broadcast of another link', async (context) => {
    needsRoot(context);
    const { g1 } = host.parties;
    g1.must('ip address add 203.0.113.5/32 dev eth0');
    host.parties.host.must('ip route replace 203.0.113.5/32 dev qr-lan0');
    onTestFinished(() => {
      g1.must('ip address del 203.0.113.5/32 dev eth0');
      host.parties.host.must('ip route del 203.0.113.5/32 dev qr-lan0');
    });
    const asked: Ask[] = [...both('10.66.0.1', { from: '203.0.113.5' }), { how: 'udp', to: '192.0.2.255' }];
    await expectAsked('g1', asked, { passes: 'pass' });
    await host.take({ ...lan0, mode: 'isolated' });
    await expectAsked('g1', asked, { passes: 'stop' });
  });
});

test("what guests send to the host's 127.0.0.1 does not get there, though the bridge lets the host out by it", async (context) => {
  needsRoot(context);
  const { g1 } = host.parties;
  g1.must('ip address del 127.0.0.1/8 dev lo');
  g1.must('ip route add 127.0.0.0/8 via 10.66.0.1');
  g1.must('sysctl -qw net.ipv4.conf.eth0.route_localnet=1');
  onTestFinished(() => {
    g1.must('ip route del 127.0.0.0/8 via 10.66.0.1');
    g1.must('ip address add 127.0.0.1/8 dev lo');
  });
  await expectAsked('g1', both('127.0.0.1'), { passes: 'pass', answer: 'host sees 10.66.0.11' });
  await host.take({ ...lan0, mode: 'open', forwards: forward('127.0.0.1', 8082, '10.66.0.12') });
  await expectAsked('g1', [...both('127.0.0.1'), ...both('127.0.0.1', { port: 8082 })], { passes: 'stop' });
});

const ports: NonNullable<RulesetInput['ports']> = [
  { device: 'qr-g1', mac: macOf('g1'), ips: ['10.66.0.11', 'fd66::11'] },
  { device: 'qr-g2', mac: macOf('g2'), ips: ['10.66.0.12', 'fd66::12'] },
];

describe('ports of guests', () => {
  test('ABUSE 41: no router advertisements and no answers of DHCP come from them', async (context) => {
    needsRoot(context);
    needsFile(context, '/usr/bin/socat');
    const { g1, g2 } = host.parties;
    g2.must('sysctl -qw net.ipv6.conf.eth0.accept_ra=2');
    const advertise = (): void => {
      const message = String.raw`\206\0\0\0\100\0\7\10\0\0\0\0\0\0\0\0`;
      const target = 'IP6-SENDTO:[ff02::1%eth0]:58,setsockopt=41:18:255';
      const { status, stderr } = g1.namespace.run(['sh', '-c', `printf '${message}' | socat -u - '${target}'`]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    };
    const routers = (): string => g2.must('ip -6 route show default proto ra');
    advertise();
    await expect.poll(routers, { timeout: 60_000 }).toMatch(/via fe80:/);
    g2.must('ip -6 route flush proto ra');
    const answers = [
      { how: 'udp', to: '10.66.0.12', port: 68 },
      { how: 'udp', to: 'fd66::12', port: 546 },
    ] as const;
    await expectAsked('g1', answers, { passes: 'pass' });
    await host.take({ ...lan0, mode: 'nat', ports: ports.map(({ device }) => ({ device })) });
    advertise();
    await expectAsked('g1', answers, { passes: 'stop' });
    await expectAsked('host', answers, { passes: 'pass' });
    expect(routers()).toBe('');
  });

  test('antiSpoof: from each comes what has its own MAC and its own addresses', async (context) => {
    needsRoot(context);
    const { g1 } = host.parties;
    g1.must('ip address add 10.66.0.99/24 dev eth0');
    // not what it would send from by itself
    g1.must('ip address add fd66::99/64 dev eth0 nodad preferred_lft 0');
    onTestFinished(() => {
      g1.must('ip address del 10.66.0.99/24 dev eth0');
      g1.must('ip address del fd66::99/64 dev eth0');
    });
    const spoofed = (to: readonly [string, string]): Ask[] => [
      ...both(to[0], { from: '10.66.0.99' }),
      ...both(to[1], { from: 'fd66::99' }),
    ];
    const toGuest = spoofed(['10.66.0.12', 'fd66::12']);
    const toHost = spoofed(['10.66.0.1', 'fd66::1']);
    const found = [...both('10.66.0.99'), ...both('fd66::99')];
    await Promise.all([
      expectAsked('g1', [...toGuest, ...toHost], { passes: 'pass' }),
      expectAsked('g2', found, { passes: 'pass' }),
    ]);
    for (const party of ['g2', 'host'] as const) host.parties[party].must('ip neighbour flush all');
    await host.take({ ...lan0, mode: 'nat', nat: { ipv6: true }, ports });
    await Promise.all([
      expectAsked('g1', [...toGuest, ...toHost], { passes: 'stop' }),
      // neither ARP nor neighbour discovery tells of it
      expectAsked('g2', found, { passes: 'stop' }),
    ]);
    await expectRows([...always.slice(0, 3), ['g1', 'out', 'pass', ['192.0.2.1', '2001:db8::1']]]);
    g1.must('ip link set eth0 address 52:54:00:00:00:77');
    onTestFinished(() => void g1.must(`ip link set eth0 address ${macOf('g1')}`));
    await expectAsked('g1', [...both('10.66.0.12'), ...both('10.66.0.1')], { passes: 'stop' });
  });
});

describe('tables', () => {
  const foreign = `
    table ip filter {
      chain DOCKER-USER {
      }
      chain FORWARD {
        type filter hook forward priority filter; policy accept;
        jump DOCKER-USER
        iifname "docker0" accept
      }
    }
    table ip nat {
      chain POSTROUTING {
        type nat hook postrouting priority srcnat;
        ip saddr 172.17.0.0/16 oifname != "docker0" masquerade
      }
    }
    table inet firewalld {
      chain filter_INPUT {
        type filter hook input priority filter + 10;
        ct state invalid drop
      }
    }
    table inet qrun_other {
      chain theirs {
        udp dport 9 drop
      }
    }
    table bridge filter {
      chain FORWARD {
        type filter hook forward priority filter;
      }
    }
  `;
  const own: RulesetInput = { ...lan0, mode: 'nat', forwards, ports };
  const write = (text: string, options = ''): void => {
    const { status, stderr } = host.parties.host.namespace.run(['sh', '-c', `cat | nft ${options} -f -`], text);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  };
  const withoutOwn = (): string => {
    const { nftables } = JSON.parse(host.ruleset()) as { nftables: Record<string, Record<string, unknown>>[] };
    return JSON.stringify(
      nftables.filter((item) => Object.values(item).every(({ name, table }) => ![name, table].includes('qrun_lan0'))),
    );
  };

  beforeEach((context) => {
    needsRoot(context);
    write(foreign);
  });
  afterEach(() => {
    if (isRoot()) write('flush ruleset');
  });

  test("ABUSE 38: nobody else's rules are changed: not when it comes up, when its forwards change, when it goes", async () => {
    const before = host.ruleset();
    await host.take(own);
    expect(withoutOwn()).toBe(JSON.stringify(JSON.parse(before).nftables));
    await host.take({ ...own, forwards: forwards.slice(0, 1) });
    expect(withoutOwn()).toBe(JSON.stringify(JSON.parse(before).nftables));
    expect(host.ruleset()).not.toBe(before);
    await host.release();
    expect(host.ruleset()).toBe(before);
  });

  test("a table of somebody else's that has our name is refused, and stays as it is", async () => {
    write(
      'add table inet qrun_lan0\nadd chain inet qrun_lan0 theirs\nadd rule inet qrun_lan0 theirs udp dport 9 drop\n',
    );
    const before = host.ruleset();
    await expect(host.take(own)).rejects.toMatchObject({
      code: 'in-use',
      message: expect.stringContaining('inet qrun_lan0'),
      hint: 'sudo nft list table inet qrun_lan0',
    });
    await host.release();
    expect(host.ruleset()).toBe(before);
    // made by another qrun
    write('delete table inet qrun_lan0');
    await host.take({ ...own, owner: 'qrun:lan0/theirs' });
    const theirs = host.ruleset();
    await expect(host.take(own)).rejects.toMatchObject({ code: 'in-use' });
    expect(host.ruleset()).toBe(theirs);
  });

  test('connections outlive rules that are replaced', async (context) => {
    needsFile(context, '/usr/bin/socat');
    const { out, g1 } = host.parties;
    const env = { PATH: '/usr/bin:/bin' };
    const far = new Running(out.namespace.wrap(['socat', 'TCP-LISTEN:9000,reuseaddr', 'EXEC:cat']), { env, cwd: '/' });
    const near = new Running(g1.namespace.wrap(['socat', '-', 'TCP:192.0.2.2:9000,retry=50,interval=0.1']), {
      env,
      cwd: '/',
      interactive: true,
    });
    onTestFinished(() => [far, near].forEach((one) => killAll(readTree(one.pid))));
    await host.take(own);
    near.type('before\n');
    await near.waitFor(/before\n/);
    await host.take({ ...own, forwards: [] });
    near.type('after\n');
    await near.waitFor(/after\n/);
    expect(near.stdout).toBe('before\nafter\n');
  });

  test('connections by a forward that is taken away end, from outside, from the host and from a guest; others go on', async (context) => {
    needsFile(context, '/usr/bin/socat');
    const { out, g1, g2, host: own } = host.parties;
    const env = { PATH: '/usr/bin:/bin' };
    const kept = forward('0.0.0.0', 8090, '10.66.0.11');
    const forwards = [...forward('0.0.0.0', 8080, '10.66.0.11'), ...kept];
    const base = { ...lan0, mode: 'nat' as const, isolatedPorts: false };
    const echo = new Running(g1.namespace.wrap(['socat', 'TCP-LISTEN:9100,reuseaddr,fork', 'EXEC:cat']), {
      env,
      cwd: '/',
    });
    const to = forwards.map((one) => ({ ...one, guestPort: 9100 }));
    await host.take({ ...base, forwards: to });
    const talk = (party: Party, address: string): Running =>
      new Running(party.namespace.wrap(['socat', '-', `TCP:${address},retry=50,interval=0.1`]), {
        env,
        cwd: '/',
        interactive: true,
      });
    const gone = [talk(out, '192.0.2.1:8080'), talk(own, '127.0.0.1:8080')];
    // where br_netfilter is loaded, the kernel tells it to the wrong one of two guests: it hears nothing any more
    const dumb = talk(g2, '10.66.0.1:8080');
    const stay = [talk(out, '192.0.2.1:8090'), talk(own, '127.0.0.1:8090'), talk(g2, '10.66.0.1:8090')];
    // who hears nothing any more ends by nothing else
    onTestFinished(() => [echo, dumb, ...gone, ...stay].forEach((one) => killAll(readTree(one.pid))));
    for (const one of [...gone, dumb, ...stay]) {
      one.type('before\n');
      await one.waitFor(/before\n/);
    }
    await host.take({ ...base, forwards: to.slice(2), withdrawn: to.slice(0, 2) });
    for (const one of [...gone, dumb, ...stay]) one.type('after\n');
    for (const one of stay) await one.waitFor(/after\n/);
    for (const one of gone) expect((await one.end).stdout).toBe('before\n');
    expect(dumb.stdout).toBe('before\n');
    await expectForwards([['out', '192.0.2.1', 8080, undefined]]);
    // taken away altogether, and there again
    await host.take({ ...base, forwards: [], withdrawn: to });
    stay[0]?.type('more\n');
    expect((await stay[0]?.end)?.stdout).toBe('before\nafter\n');
    await host.take({ ...base, forwards: to });
    const again = talk(out, '192.0.2.1:8080');
    onTestFinished(() => again.kill('SIGKILL'));
    again.type('again\n');
    await again.waitFor(/again\n/);
  });

  test('what a killed run left is replaced, whole', async () => {
    await host.take({ ...own, forwards: [] });
    const step = await host.take(own);
    expect(missingTables(step, host.system)).toEqual([]);
    expect(JSON.parse(host.parties.host.must('nft -j list tables')).nftables).toHaveLength(8);
    await host.take({ ...own, ports: [] });
    expect(host.parties.host.must('nft list table bridge qrun_lan0')).not.toContain('hook');
  });

  test("somebody's flush is noticed, and mended by taking them again", async () => {
    const step = await host.take(own);
    expect(missingTables(step, host.system)).toEqual([]);
    write('flush chain inet qrun_lan0 filter_forward');
    expect(missingTables(step, host.system)).toEqual([{ family: 'inet', name: 'qrun_lan0', why: 'emptied' }]);
    write('flush table bridge qrun_lan0');
    expect(missingTables(step, host.system)).toMatchObject([{ why: 'emptied' }, { family: 'bridge', why: 'emptied' }]);
    await host.take(own);
    expect(missingTables(step, host.system)).toEqual([]);
    write('flush ruleset');
    expect(missingTables(step, host.system)).toEqual([
      { family: 'inet', name: 'qrun_lan0', why: 'gone' },
      { family: 'bridge', name: 'qrun_lan0', why: 'gone' },
    ]);
    await host.take(own);
    expect(missingTables(step, host.system)).toEqual([]);
  });

  test('what somebody changes is noticed, in every mode; what nft lists of them otherwise than it was written is not', async () => {
    const gone = { protocol: 'tcp', hostAddress: '0.0.0.0', guest: 'web1', guestPort: 80 } as const;
    const withdrawn: readonly NetworkForward[] = [
      { ...gone, hostPort: 8080, guestAddress: '10.66.0.11' },
      { ...gone, hostPort: 8081, guestAddress: '10.66.0.11', protocol: 'udp' },
      { ...gone, hostAddress: '::', hostPort: 8080, guestAddress: 'fd66::11' },
    ];
    const guarded = [52, 54].map((first) => ({ device: `tap${first}`, mac: `${first}:54:00:00:00:01`, ips: [] }));
    for (const mode of ['nat', 'route', 'open', 'isolated'] as const) {
      const step = await host.take({ ...own, mode, isolatedPorts: true, withdrawn, ports: guarded });
      expect({ mode, missing: missingTables(step, host.system) }).toEqual({ mode, missing: [] });
    }
    const step = await host.take(own);
    const [, last = ''] =
      /jump to_guests # handle (\d+)$/m.exec(host.parties.host.must('nft -a list table inet qrun_lan0')) ?? [];
    for (const line of [
      'add table inet qrun_lan0 { flags dormant; }',
      'delete element inet qrun_lan0 own4 { 10.66.0.0/24 }',
      'add element inet qrun_lan0 own4 { 10.10.121.0/24 }',
      'add rule inet qrun_lan0 filter_forward accept',
      'add set inet qrun_lan0 more { type ipv4_addr; }',
      `delete rule inet qrun_lan0 filter_forward handle ${last}; add rule inet qrun_lan0 filter_forward accept`,
      'add chain inet qrun_lan0 filter_forward { policy drop; }',
    ]) {
      write(line);
      expect({ line, missing: missingTables(step, host.system) }).toEqual({
        line,
        missing: [{ family: 'inet', name: 'qrun_lan0', why: 'changed' }],
      });
      await host.take(own);
      expect({ line, missing: missingTables(step, host.system) }).toEqual({ line, missing: [] });
    }
  });

  test('what nft lists of them nft reads again', async () => {
    await host.take({ ...own, mode: 'isolated' });
    await host.take({ ...lan1, nat: { ipv6: true, dev: 'up0', ports: { from: 1024, to: 2048 } } });
    const listed = host.parties.host.must('nft list ruleset');
    write(`flush ruleset\n${listed}`, '-c');
    expect(listed).toContain('comment "qrun:qrun_lan1"');
  });
});
