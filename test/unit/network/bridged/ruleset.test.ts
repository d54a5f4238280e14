import { describe, expect, test } from 'vitest';
import { faultOfForwardRule, needsRouteLocalnet } from '../../../../src/network/bridged/forward-rules.ts';
import { linkLocalOf } from '../../../../src/network/bridged/port-rules.ts';
import { buildRuleset, rulePriorities, type RulesetInput } from '../../../../src/network/bridged/ruleset.ts';
import type { NetworkForward } from '../../../../src/network/network-plan.ts';
import { addOwner, faultOfRuleDevice, ownerChainOf } from '../../../../src/plan/nft-commands.ts';
import { chainsOf, commentsOf, hooksOf, setsOf } from './a-ruleset.ts';

const input = {
  table: 'qrun_lan0',
  bridge: 'qr-lan0',
  mode: 'nat',
  subnets: ['10.66.0.0/24'],
  addresses: ['10.66.0.1'],
  forwards: [],
  asks: { dhcp: true, dns: true, tftp: false },
} satisfies RulesetInput;
const ownerChain = ownerChainOf('qrun:qrun_lan0');
const both = { subnets: ['10.66.0.0/24', 'fd66::/64'], addresses: ['10.66.0.1', 'fd66::1'] };

const forward = (hostAddress: string, guestAddress: string): NetworkForward => ({
  protocol: 'tcp',
  hostAddress,
  hostPort: 8080,
  guest: 'web1',
  guestAddress,
  guestPort: 80,
});

const chains = (more: Partial<RulesetInput> = {}, family?: string) =>
  chainsOf(buildRuleset({ ...input, ...more }).commands, family);

describe('tables', () => {
  test('open: none, but for forwards and guarded ports', () => {
    expect(buildRuleset({ ...input, mode: 'open' })).toMatchObject({ tables: [], commands: [] });
    expect(buildRuleset({ ...input, mode: 'open', ports: [{ device: 'tap0' }] }).tables).toEqual([]);
    const forwards = [forward('0.0.0.0', '10.66.0.5')];
    expect(Object.keys(chains({ mode: 'open', forwards }))).toEqual([
      ownerChain,
      'raw_prerouting',
      'forwards',
      'nat_prerouting',
      'nat_output',
      'nat_postrouting',
    ]);
    const ports = [{ device: 'tap0', mac: '52:54:00:00:00:01', ips: ['10.66.0.5'] }];
    expect(Object.keys(chains({ mode: 'open', ports }))).toEqual([ownerChain]);
    expect(Object.keys(chains({ mode: 'open', ports }, 'bridge'))).toEqual([
      ownerChain,
      'announced_link',
      'from_port',
      'port_0',
      'guest_ports',
    ]);
  });

  test('both families or neither: other rules of the network replace all that there were', () => {
    const tables = [
      { family: 'inet', name: 'qrun_lan0' },
      { family: 'bridge', name: 'qrun_lan0' },
    ];
    expect(buildRuleset(input).tables).toEqual(tables);
    expect(buildRuleset({ ...input, ports: [{ device: 'tap0' }] }).tables).toEqual(tables);
  });

  test('each says in a comment whose it is', () => {
    const { owner, tables, commands } = buildRuleset({ ...input, owner: 'qrun:net/lan0', ports: [{ device: 'tap0' }] });
    expect({ owner, tables }).toEqual({
      owner: 'qrun:net/lan0',
      tables: [
        { family: 'inet', name: 'qrun_lan0' },
        { family: 'bridge', name: 'qrun_lan0' },
      ],
    });
    expect(commentsOf(commands)).toEqual([
      ['inet', owner],
      ['bridge', owner],
    ]);
  });

  test('chains stand at numbers of their own, beside those of others', () => {
    const { commands } = buildRuleset({
      ...input,
      forwards: [forward('0.0.0.0', '10.66.0.5')],
      ports: [{ device: 'tap0' }],
    });
    expect(hooksOf(commands)).toEqual({
      raw_prerouting: ['filter', 'prerouting', -300],
      filter_forward: ['filter', 'forward', -5],
      filter_input: ['filter', 'input', -5],
      nat_prerouting: ['nat', 'prerouting', -95],
      nat_output: ['nat', 'output', -95],
      nat_postrouting: ['nat', 'postrouting', 105],
      guest_ports: ['filter', 'prerouting', -300],
    });
    expect(rulePriorities).toEqual({ raw: -300, dstnat: -95, filter: -5, srcnat: 105, bridge: -300 });
  });

  test('they are values that JSON keeps as they are', () => {
    const ruleset = buildRuleset({
      ...input,
      ...both,
      forwards: [forward('::', 'fd66::5')],
      ports: [{ device: 'tap0' }],
    });
    expect(JSON.parse(JSON.stringify(ruleset))).toEqual(ruleset);
  });
});

describe('nat', () => {
  test('guests go elsewhere, by the address of the host; answers come in', () => {
    expect(chains()).toMatchObject({
      filter_forward: [
        'iifname qr-lan0 oifname qr-lan0 accept',
        'iifname qr-lan0 jump from_guests',
        'oifname qr-lan0 jump to_guests',
      ],
      from_guests: [
        'ct direction reply ct state established,related accept',
        'ip saddr @own4 accept',
        expect.stringContaining('reject'),
      ],
      to_guests: ['ct state established,related accept', expect.stringContaining('reject')],
      nat_postrouting: [
        'ip saddr @own4 ip daddr != @own4 ip daddr != { 224.0.0.0/4 255.255.255.255 } oifname != { qr-lan0 lo } masquerade',
      ],
    });
  });

  test('by one interface, by a range of ports', () => {
    const found = chains({ nat: { dev: 'eth0', ports: { from: 1024, to: 2047 } } });
    expect(found['from_guests']?.[1]).toMatch(/^oifname != eth0 reject/);
    expect(found['nat_postrouting']).toEqual([
      expect.stringMatching(/^l4proto \{ tcp udp \} .* oifname eth0 masquerade \{"range":\[1024,2047\]\}$/),
      expect.stringMatching(/ oifname eth0 masquerade$/),
    ]);
  });

  test('IPv6 is translated where that is asked, else it is routed, but for what nobody could answer', () => {
    const routed = chains(both);
    expect(routed['nat_postrouting']).toHaveLength(1);
    expect(routed['from_guests']?.slice(1, 4)).toEqual([
      expect.stringMatching(/^ip6 saddr fc00::\/7 ip6 daddr != fc00::\/7 reject/),
      'ip saddr @own4 accept',
      'ip6 saddr @own6 accept',
    ]);
    const translated = chains({ ...both, nat: { ipv6: true } });
    expect(translated['nat_postrouting']?.[1]).toBe(
      'ip6 saddr @own6 ip6 daddr != @own6 ip6 daddr != { ff00::/8 } oifname != { qr-lan0 lo } masquerade',
    );
    expect(translated['from_guests']?.some((rule) => rule.includes('fc00::/7'))).toBe(false);
  });

  test('networks that lie in one another are one', () => {
    const subnets = ['10.66.0.0/24', '10.66.0.0/16', '10.66.7.0/24', '10.67.0.0/24', '10.66.0.0/16'];
    expect(setsOf(buildRuleset({ ...input, subnets }).commands)).toEqual([
      [{ prefix: { addr: '10.66.0.0', len: 16 } }, { prefix: { addr: '10.67.0.0', len: 24 } }],
    ]);
  });
});

test('route: own addresses alone, both ways, by one interface; nothing is translated', () => {
  const found = chains({ ...both, mode: 'route', dev: 'eth0' });
  expect(found['nat_postrouting']).toBeUndefined();
  expect(found['from_guests']?.slice(1, -1)).toEqual([
    expect.stringMatching(/^oifname != eth0 reject/),
    'ip saddr @own4 accept',
    'ip6 saddr @own6 accept',
  ]);
  expect(found['to_guests']?.slice(1, -1)).toEqual([
    'iifname eth0 ip saddr != @own4 ip daddr @own4 accept',
    'iifname eth0 ip6 saddr != @own6 ip6 daddr @own6 accept',
  ]);
});

describe('isolated', () => {
  test('neither out nor in', () => {
    const found = chains({ mode: 'isolated' });
    expect(found['from_guests']).toEqual([expect.stringContaining('reject')]);
    expect(found['to_guests']).toEqual([expect.stringContaining('reject')]);
    expect(found['nat_postrouting']).toBeUndefined();
  });

  test("of the host the bridge's own addresses alone", () => {
    expect(chains({ ...both, mode: 'isolated' })['ask_host']).toEqual([
      'icmpv6 type { nd-router-advert nd-redirect } drop',
      'icmp type redirect drop',
      'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp dport 67 accept',
      'nfproto ipv4 ip saddr != @own4 drop',
      'ip6 saddr != { fe80::/10 :: fd66::/64 } drop',
      'ct state established,related accept',
      'ip daddr { 10.66.0.1 } accept',
      'ip daddr { 224.0.0.0/4 255.255.255.255 10.66.0.255 } accept',
      'ip6 daddr { fe80::/10 ff00::/8 fd66::1 } accept',
      expect.stringContaining('reject'),
    ]);
    const without = chains({ mode: 'isolated', asks: { ...input.asks, dhcp: false } })['ask_host'];
    expect(without?.some((rule) => rule.includes('67'))).toBe(false);
  });
});

describe('forwards', () => {
  test('by where they may come from', () => {
    const forwards = [
      forward('0.0.0.0', '10.66.0.5'),
      forward('192.0.2.1', '10.66.0.5'),
      { ...forward('127.0.0.1', '10.66.0.5'), protocol: 'udp' as const },
      forward('::', 'fd66::5'),
      forward('2001:db8::1', 'fd66::5'),
    ];
    expect(chains({ ...both, forwards })).toMatchObject({
      raw_prerouting: ['iifname qr-lan0 ip saddr 127.0.0.0/8 drop', 'iifname qr-lan0 ip daddr 127.0.0.0/8 drop'],
      forwards: [
        'nfproto ipv4 fib daddr type local tcp dport 8080 dnat to 10.66.0.5 port 80',
        'ip daddr 192.0.2.1 tcp dport 8080 dnat to 10.66.0.5 port 80',
        'ip6 daddr != ::1 fib daddr type local tcp dport 8080 dnat to fd66::5 port 80',
        'ip6 daddr 2001:db8::1 tcp dport 8080 dnat to fd66::5 port 80',
      ],
      forwards_of_host: ['ip daddr 127.0.0.1 udp dport 8080 dnat to 10.66.0.5 port 80'],
      nat_prerouting: ['jump forwards'],
      nat_output: ['jump forwards', 'jump forwards_of_host'],
    });
  });

  test('of this host alone they let nobody in', () => {
    const forwards = [forward('127.0.0.1', '10.66.0.5')];
    for (const mode of ['nat', 'route', 'isolated'] as const) {
      const found = chains({ mode, forwards });
      expect(found['to_guests']?.some((rule) => rule.includes('dnat'))).toBe(false);
      expect(found['nat_prerouting']).toBeUndefined();
      expect(found['nat_postrouting']?.[0]).toMatch(/^oifname qr-lan0 ct status dnat .*masquerade$/);
    }
  });

  test('guests see who asks, but where they have no way to him', () => {
    const forwards = [forward('0.0.0.0', '10.66.0.5')];
    expect(chains({ mode: 'route', forwards })['nat_postrouting']).toEqual([
      'oifname qr-lan0 ct status dnat ip saddr @own4 masquerade',
      'oifname qr-lan0 ct status dnat fib saddr type local masquerade',
    ]);
    expect(chains({ mode: 'isolated', forwards })).toMatchObject({
      from_guests: ['ct direction reply ct state established,related accept', expect.stringContaining('reject')],
      to_guests: ['ct status dnat accept', expect.stringContaining('reject')],
      nat_postrouting: ['oifname qr-lan0 ct status dnat masquerade'],
    });
  });

  test('what no rule can do is refused', () => {
    const subnets = both.subnets;
    const fault = (host: string, guest: string) =>
      faultOfForwardRule({ hostAddress: host, guestAddress: guest }, subnets);
    expect(fault('0.0.0.0', '10.66.0.5')).toBeUndefined();
    expect(fault('::', 'fd66::5')).toBeUndefined();
    expect(fault('0.0.0.0', 'fd66::5')).toMatch(/IPv4 .* IPv6/);
    expect(fault('2001:db8::1', '10.66.0.5')).toMatch(/IPv6 .* IPv4/);
    expect(fault('0:0::1', 'fd66::5')).toMatch(/127\.0\.0\.1/);
    expect(fault('0.0.0.0', '10.67.0.5')).toMatch(/not in the network/);
    expect(fault('%eth0', '10.66.0.5')).toMatch(/no address/);
    expect(() => buildRuleset({ ...input, forwards: [forward('0.0.0.0', '10.67.0.5')] })).toThrow(
      expect.objectContaining({ code: 'usage' }),
    );
    expect(() =>
      buildRuleset({ ...input, forwards: [{ ...forward('0.0.0.0', '10.66.0.5'), hostPort: 'auto' }] }),
    ).toThrow(expect.objectContaining({ code: 'bug' }));
  });

  test.for([
    ['0.0.0.0', true],
    ['127.0.0.1', true],
    ['127.3.2.1', true],
    ['192.0.2.1', false],
    ['::', false],
  ] as const)('%s needs route_localnet: %s', ([hostAddress, needed]) => {
    expect(needsRouteLocalnet([{ hostAddress }])).toBe(needed);
  });
});

test('isolated ports: not by way of the host, but by a forward', () => {
  expect(chains({ isolatedPorts: true })['filter_forward']?.[0]).toMatch(/^iifname qr-lan0 oifname qr-lan0 reject/);
  const forwards = [forward('0.0.0.0', '10.66.0.5')];
  expect(chains({ isolatedPorts: true, forwards })['filter_forward']?.slice(0, 2)).toEqual([
    'iifname qr-lan0 oifname qr-lan0 ct status dnat accept',
    expect.stringMatching(/^iifname qr-lan0 oifname qr-lan0 reject/),
  ]);
});

describe('ports of guests', () => {
  const mac = '52:54:00:00:00:01';

  test('no answers of DHCP, no router advertisements', () => {
    expect(chains({ ports: [{ device: 'tap0' }, { device: 'tap1' }] }, 'bridge')).toEqual({
      [ownerChain]: ['return'],
      from_port: [
        // nothing below 0x600 is a type
        expect.stringMatching(/^ether type 1536 .*,65278\] 43690 drop$/),
        'udp dport { 68 546 } drop',
        'icmpv6 type { nd-router-advert nd-redirect } drop',
      ],
      guest_ports: [
        expect.stringMatching(/^iifname \{ tap0 tap1 \} ether type \{ 33024 34984 37120 \} .* 0 drop$/),
        'iifname { tap0 tap1 } jump from_port',
      ],
    });
  });

  test('one with a MAC and addresses sends from these alone', () => {
    const ports = [{ device: 'tap0', mac, ips: ['10.66.0.5', 'fd66::5'] }];
    expect(chains({ ports, bridgeMac: '02:00:00:66:00:01' }, 'bridge')).toMatchObject({
      announced_link: ['@th,64,32 4269801472 @th,96,32 0 @th,128,32 { 1347682559 } @th,160,8 254 drop'],
      guest_ports: [
        expect.any(String),
        expect.stringMatching(/^iifname \{ tap0 \} udp dport \{ 67 547 \} .*"frag-off".*,16383\] != 0 drop$/),
        'iifname { tap0 } udp dport { 67 547 } {"name":"frag"} true drop',
        'iifname { tap0 } jump from_port',
        'iifname tap0 goto port_0',
      ],
      port_0: [
        `ether saddr != ${mac} drop`,
        `ether type arp arp saddr ether != ${mac} drop`,
        `udp dport 67 @th,288,48 != ${0x52_54_00_00_00_01} drop`,
        'ether type arp arp operation request arp saddr ip 0.0.0.0 accept',
        'ether type arp arp saddr ip { 10.66.0.5 } accept',
        'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp dport 67 accept',
        'ip saddr { 10.66.0.5 } accept',
        'ip6 saddr fe80::ff:fe66:1 drop',
        expect.stringMatching(/^icmpv6 type nd-neighbor-advert @th,64,32 4269801472 .* drop$/),
        'ip6 saddr != fe80::5054:ff:fe00:1 ip6 saddr @links_of_macs drop',
        expect.stringMatching(
          /^icmpv6 type nd-neighbor-advert @th,64,32 4251320320 @th,96,32 0 @th,128,32 0 @th,160,32 5 .* accept$/,
        ),
        expect.stringMatching(
          /^icmpv6 type nd-neighbor-advert @th,64,32 4269801472 @th,96,32 0 @th,128,32 1347682559 @th,160,32 4261412865 .* accept$/,
        ),
        'icmpv6 type nd-neighbor-advert jump announced_link',
        'icmpv6 type nd-neighbor-advert @th,64,16 65152 ip6 saddr { fd66::5 fe80::/10 } accept',
        'icmpv6 type nd-neighbor-advert drop',
        expect.stringMatching(/^ip6 saddr :: icmpv6 type \{ .* \} accept$/),
        'ip6 saddr { fd66::5 fe80::/10 } accept',
        'drop',
      ],
    });
  });

  test('link-local addresses that follow from MACs: by makers, in one place', () => {
    const of = (count: number) =>
      Array.from({ length: count }, (_, at) => ({
        device: `tap${at}`,
        mac: `52:54:00:00:00:${at.toString(16).padStart(2, '0')}`,
        ips: ['10.66.0.5'],
      }));
    const another = { device: 'tap9', mac: '02:00:5e:00:00:01', ips: [] };
    const { commands } = buildRuleset({ ...input, ports: [...of(4), another] });
    expect(setsOf(commands)).toContainEqual([
      { prefix: { addr: 'fe80::5054:ff:fe00:0', len: 104 } },
      { prefix: { addr: 'fe80::5eff:fe00:0', len: 104 } },
    ]);
    const size = (count: number): number =>
      JSON.stringify(buildRuleset({ ...input, ports: of(count) }).commands).length;
    // of 256: as much for each as of 128, but for the lengths of their names
    expect((size(256) - size(0)) / (size(128) - size(0))).toBeLessThan(2.02);
  });

  test('one without addresses may ask for one, and no more; one whose addresses nobody knows is held to its MAC', () => {
    const { port_0: none = [], port_1: unknown = [] } = chains(
      {
        ports: [
          { device: 'tap0', mac, ips: [] },
          { device: 'tap1', mac },
        ],
      },
      'bridge',
    );
    expect(none.filter((rule) => /^(ether type arp|ip saddr)/.test(rule) && rule.endsWith('accept'))).toEqual([
      'ether type arp arp operation request arp saddr ip 0.0.0.0 accept',
      'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp dport 67 accept',
    ]);
    expect(none.at(-1)).toBe('drop');
    expect(unknown).toHaveLength(3);
  });

  test('the link-local address that follows from a MAC', () => {
    expect(linkLocalOf('02:00:00:66:00:01')).toBe('fe80::ff:fe66:1');
    expect(linkLocalOf('52:54:00:12:34:56')).toBe('fe80::5054:ff:fe12:3456');
  });
});

describe('ABUSE 37: names', () => {
  test.for(['x";flush', 'a}\n', 'eth*', '@own4', '$x', 'a b', '', 'é0', '-x'])(
    'an interface %j is not named in rules',
    (name) => {
      expect(faultOfRuleDevice(name)).toBeDefined();
      for (const more of [{ bridge: name }, { nat: { dev: name } }, { dev: name }, { ports: [{ device: name }] }])
        expect(() => buildRuleset({ ...input, ...more })).toThrow(expect.objectContaining({ code: 'usage' }));
    },
  );

  test.for(['eth0', 'br-lan0', 'enp0s31f6', 'eth0.5', 'wlx00c0caa5', 'a+b', '_x'])('an interface %s is', (name) => {
    expect(faultOfRuleDevice(name)).toBeUndefined();
  });

  test('neither are a table, or an owner, that nft could not read back', () => {
    for (const table of ['x";flush ruleset', 'Lan0', 'a b', '', '0x'])
      expect(() => buildRuleset({ ...input, table })).toThrow(expect.objectContaining({ code: 'bug' }));
    for (const owner of ['a"b', 'a\nb', '', 'x'.repeat(128)])
      expect(() => addOwner({ family: 'inet', name: 'x' }, owner)).toThrow(expect.objectContaining({ code: 'bug' }));
  });
});
