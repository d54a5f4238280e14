import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { guestsOf, interfacesOf, planForwards } from '../../../src/network/forwards.ts';
import { renderGatewayScript } from '../../../src/network/gateway.ts';
import type { SwitchConfig } from '../../../src/switch/config.ts';
import { capabilitiesOf } from '../qemu/a-profile.ts';
import { planOf, stepOf, type PlanOptions } from './a-plan.ts';
import { networkOf } from './network-text.ts';

const lan = 'addresses: [10.1.1.1/24]\n';
const dir = '/state/networks/lab';
const run = '/run/qrun/_net/lab';

const configOf = (text: string, options?: PlanOptions): SwitchConfig =>
  JSON.parse(stepOf(planOf(text, options), 'file', 'file:switch').content) as SwitchConfig;

/** The words of the gateway's script, as a shell reads them. */
function gatewayOf(text: string, options?: PlanOptions): string[] {
  const { content } = stepOf(planOf(text, options), 'file', 'file:gateway');
  return wordsOf(content);
}

function wordsOf(script: string): string[] {
  const place = mkdtempSync(path.join(tmpdir(), 'qrun-gateway-'));
  try {
    const [first = '', ...rest] = script.split('\nexec ');
    const file = path.join(place, 'gateway.sh');
    writeFileSync(file, `${first}\nprintf '%s\\0' ${rest.join('\nexec ')}`);
    return execFileSync('/bin/sh', [file], { encoding: 'utf8' }).split('\0').slice(0, -1);
  } finally {
    rmSync(place, { recursive: true });
  }
}

/** The value of each `-netdev`. */
function netdevsOf(words: readonly string[]): Record<string, unknown>[] {
  return words.flatMap((word, index) =>
    words[index - 1] === '-netdev' ? [JSON.parse(word) as Record<string, unknown>] : [],
  );
}

describe('a hub', () => {
  test('is directories, ports, two files and a service, in this order', () => {
    const plan = planOf(`${lan}forwards: ["8080:web1:80"]`, { addresses: { web1: '10.1.1.50' } });
    expect(plan).toMatchObject({
      v: 1,
      network: 'lab',
      file: '/srv/networks/lab.yaml',
      scope: 'user',
      transport: 'hub',
      forward: 'nat',
      subnet: '10.1.1.0/24',
      gateway: '10.1.1.1',
      dnsServer: '10.1.1.2',
      attach: { by: 'socket-directory', directory: `${run}/ports` },
      pool: { ranges: [{ from: '10.1.1.50', to: '10.1.1.250' }], kept: ['10.1.1.1', '10.1.1.2'] },
      addresses: { web1: '10.1.1.50' },
      notes: [],
    });
    expect(plan.steps.map(({ id }) => id)).toEqual([
      'directory:runtime',
      'directory:ports',
      'port:forward:0',
      'file:switch',
      'file:gateway',
      'service',
    ]);
    expect(plan.steps.every(({ needsRoot }) => !needsRoot)).toBe(true);
  });

  test('is kept going: its switch and its gateway', () => {
    expect(stepOf(planOf(lan), 'service')).toEqual({
      kind: 'service',
      id: 'service',
      needsRoot: false,
      title: 'qrun-net lab',
      network: 'lab',
      mark: 'run1',
      programs: [
        {
          name: 'switch',
          argv: [
            '/usr/bin/node',
            '--max-semi-space-size=1',
            '--max-old-space-size=64',
            '/package/dist/switch.cjs',
            `${dir}/switch.json`,
          ],
          restart: true,
        },
        {
          name: 'gateway',
          argv: ['/bin/sh', `${dir}/gateway.sh`],
          makes: [`${run}/ports/gateway`, `${run}/gateway.qmp`],
          restart: true,
        },
      ],
      log: `${dir}/log`,
      awaits: [`${run}/ports/gateway`, `${run}/gateway.qmp`],
      watch: { users: '/state/locks/users.lab', release: ['node', 'qrun', '__release'] },
    });
  });

  test('that is pinned is watched by nobody', () => {
    expect(stepOf(planOf(lan, { pinned: true }), 'service')).not.toHaveProperty('watch');
  });

  test('tells its switch all that the definition says', () => {
    const text = `${lan}
dhcp:
  lease: 1h
  maxLease: 2h
  ranges: [10.1.1.100-10.1.1.110]
  options: [{ option: ntp-server, value: 10.1.1.1 }]
  hosts:
    - { mac: 52:54:00:00:00:01, ip: 10.1.1.20, name: db }
    - { vm: web9, ip: 10.1.1.21, name: nine }
  tftp: { root: /srv/tftp, file: pxelinux.0 }
dns: { domain: lab.test, search: [example.org], hosts: [{ ip: 10.1.1.30, names: [printer] }] }
mtu: 1400
`;
    expect(configOf(text, { addresses: { web1: '10.1.1.100' } })).toEqual({
      v: 1,
      network: 'lab',
      ports: `${run}/ports`,
      gatewayPort: `${run}/ports/gateway`,
      members: `${dir}/members`,
      leases: `${dir}/leases.json`,
      subnet: '10.1.1.0/24',
      gateway: '10.1.1.1',
      dnsServer: '10.1.1.2',
      isolated: false,
      dhcp: {
        ranges: [{ from: '10.1.1.100', to: '10.1.1.110' }],
        leaseS: 3600,
        maxLeaseS: 7200,
        hosts: [{ mac: '52:54:00:00:00:01', ip: '10.1.1.20', name: 'db' }],
        options: [{ code: 42, hex: '0a010101' }],
        reserved: ['10.1.1.100', '10.1.1.21'],
        domain: 'lab.test',
        search: ['lab.test', 'example.org'],
        mtu: 1400,
        tftp: { server: '10.1.1.1', file: 'pxelinux.0' },
      },
      names: {
        domain: 'lab.test',
        hosts: [
          { ip: '10.1.1.30', names: ['printer'] },
          { ip: '10.1.1.21', names: ['nine'] },
        ],
      },
    });
  });

  test('the longest lease is a day, or the lease', () => {
    expect(configOf(lan).dhcp?.maxLeaseS).toBe(86_400);
    expect(configOf(`${lan}dhcp: { lease: 7d }`).dhcp?.maxLeaseS).toBe(604_800);
  });

  test('without DHCP gives no addresses', () => {
    const plan = planOf(`${lan}dhcp: false`);
    expect(plan).not.toHaveProperty('pool');
    expect(configOf(`${lan}dhcp: false`)).not.toHaveProperty('dhcp');
  });

  test('has a long name as a digest in its sockets, and not in its state', () => {
    const name = 'n'.repeat(40);
    const runtime = `/run/user/1000/${'x'.repeat(30)}/qrun`;
    const plan = planOf(`${lan}transport: vde`, { name, runtime });
    expect(plan.network).toBe(name);
    expect(stepOf(plan, 'service').log).toBe(`/state/networks/${name}/log`);
    for (const socket of stepOf(plan, 'service').awaits) expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(107);
    expect(plan.attach).toMatchObject({ directory: expect.not.stringContaining(name) });
    expect(planOf(lan, { name }).attach).toMatchObject({ directory: expect.stringContaining(name) });
  });
});

describe('the gateway', () => {
  test('is a QEMU without a guest, with its user networking as a port of the switch', () => {
    const words = gatewayOf(`${lan}forwards: ["8080:web1:80", "0.0.0.0:5353:10.1.1.9:53/udp"]`, {
      addresses: { web1: '10.1.1.50' },
    });
    expect(words.slice(0, 5)).toEqual([
      capabilitiesOf('7.2').file,
      '-nodefaults',
      '-no-user-config',
      '-name',
      'guest=lab-gateway',
    ]);
    expect(words).toEqual(expect.arrayContaining(['-machine', 'none', '-display', 'none']));
    expect(words[words.indexOf('-sandbox') + 1]).toBe(
      'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    );
    expect(words[words.indexOf('-chardev') + 1]).toBe(`socket,id=qmp,path=${run}/gateway.qmp,server=on,wait=off`);
    expect(netdevsOf(words)).toEqual([
      {
        type: 'user',
        id: 'out',
        net: '10.1.1.0/24',
        host: '10.1.1.1',
        dns: '10.1.1.2',
        dhcpstart: '10.1.1.3',
        ipv6: false,
        hostfwd: [{ str: 'tcp:127.0.0.1:8080-10.1.1.50:80' }, { str: 'udp:0.0.0.0:5353-10.1.1.9:53' }],
      },
      { type: 'hubport', id: 'out-port', hubid: 0, netdev: 'out' },
      { type: 'stream', id: 'lan', server: true, addr: { type: 'unix', path: `${run}/ports/gateway` } },
      { type: 'hubport', id: 'lan-port', hubid: 0, netdev: 'lan' },
    ]);
  });

  test('of an isolated network leads nowhere', () => {
    const [user] = netdevsOf(gatewayOf(`${lan}forward: isolated`));
    expect(user).toMatchObject({ restrict: true });
    expect(configOf(`${lan}forward: isolated`).isolated).toBe(true);
    expect(netdevsOf(gatewayOf(lan))[0]).not.toHaveProperty('restrict');
  });

  test('announces the IPv6 network that is written', () => {
    const [user] = netdevsOf(gatewayOf('addresses: [10.1.1.1/24, "fd00:120::1/64"]'));
    expect(user).toMatchObject({
      'ipv6-prefix': 'fd00:120::',
      'ipv6-prefixlen': 64,
      'ipv6-host': 'fd00:120::1',
      'ipv6-dns': 'fd00:120::3',
    });
    const [other] = netdevsOf(gatewayOf('addresses: [10.1.1.1/24, "fd00:120::3/64"]'));
    expect(other).toMatchObject({ 'ipv6-host': 'fd00:120::3', 'ipv6-dns': 'fd00:120::2' });
  });

  test('serves files by TFTP', () => {
    const [user] = netdevsOf(gatewayOf(`${lan}dhcp: { tftp: { root: /srv/tftp } }`));
    expect(user).toMatchObject({ tftp: '/srv/tftp' });
  });

  test('its own DHCP begins at neither of its addresses, wherever they are', () => {
    for (const place of [1, 2, 3, 4, 5, 6]) {
      const [user] = netdevsOf(gatewayOf(`addresses: [10.1.1.${place}/29]`));
      expect([user?.['host'], user?.['dns']]).not.toContain(user?.['dhcpstart']);
    }
  });

  test('its script hands on what it was given, whatever is in it', () => {
    const argv = [
      '/usr/bin/qemu',
      "it's",
      'a b',
      '$(id)',
      '`id`',
      '"',
      '\\',
      '',
      'a,b',
      '#x',
      '{"a":"b"}',
      '~',
      '*',
      '&&',
      ';',
    ];
    expect(wordsOf(renderGatewayScript('lab', argv))).toEqual(argv);
  });

  test('takes a QEMU that can do it', () => {
    expect(() => planOf(lan, { facts: { qemu: capabilitiesOf('6.2') } })).toThrow(
      expect.objectContaining({
        code: 'missing-feature',
        message: expect.stringContaining('no back end stream') as string,
      }),
    );
    const without = (type: string) => {
      const qemu = capabilitiesOf('7.2');
      return { ...qemu, netdevTypes: qemu.netdevTypes.filter((one) => one !== type) };
    };
    for (const type of ['user', 'hubport', 'stream'])
      expect(() => planOf(lan, { facts: { qemu: without(type) } })).toThrow(`no back end ${type}`);
  });
});

describe('vde', () => {
  const vde = `${lan}transport: vde\n`;

  test('is a vde_switch that is not started again, and all that a hub has', () => {
    const plan = planOf(vde);
    expect(plan.attach).toEqual({ by: 'vde', directory: `${run}/vde` });
    const { programs, awaits } = stepOf(plan, 'service');
    expect(programs.map(({ name, restart, follows }) => [name, restart, follows])).toEqual([
      ['vde_switch', false, undefined],
      ['switch', true, undefined],
      ['gateway', true, 'vde_switch'],
    ]);
    expect(awaits).toEqual([`${run}/vde/ctl`, `${run}/ports/vde.port`, `${run}/ports/gateway`, `${run}/gateway.qmp`]);
    expect(plan.pool).toEqual(planOf(lan).pool);
    expect(configOf(vde)).toEqual(configOf(lan));
  });

  test("its switch is the user's alone, reads no configuration of anybody's, and never meets the end of its input", () => {
    const [program] = stepOf(planOf(vde), 'service').programs;
    const argv = program?.argv ?? [];
    expect(argv.slice(0, 2)).toEqual(['/bin/sh', '-c']);
    expect(argv.slice(5)).toEqual([
      ...['/usr/bin/vde_switch', '-s', `${run}/vde`, '-M', `${run}/vde.mgmt`, '-f', '/dev/null', '-n', '256'],
      ...['-m', '0600', '--dirmode', '0700', '--mgmtmode', '0600'],
    ]);
    const place = mkdtempSync(path.join(tmpdir(), 'qrun-vde-'));
    try {
      const words = [
        ...argv.slice(1, 4),
        path.join(place, 'in'),
        'sh',
        '-c',
        'readlink /proc/$$/fd/0; ls "$1"',
        'x',
        place,
      ];
      expect(execFileSync('/bin/sh', words, { encoding: 'utf8' })).toBe(`${place}/in (deleted)\n`);
    } finally {
      rmSync(place, { recursive: true });
    }
  });

  test('joins the gateway to both', () => {
    expect(netdevsOf(gatewayOf(vde)).slice(4)).toEqual([
      { type: 'vde', id: 'vde', sock: `${run}/vde` },
      { type: 'hubport', id: 'vde-port', hubid: 1, netdev: 'vde' },
      { type: 'stream', id: 'vde-lan', server: true, addr: { type: 'unix', path: `${run}/ports/vde.port` } },
      { type: 'hubport', id: 'vde-lan-port', hubid: 1, netdev: 'vde-lan' },
    ]);
  });

  test('that is not installed is said, with the package', () => {
    expect(() => planOf(vde, { facts: { tools: {} } })).toThrow(
      expect.objectContaining({
        code: 'missing-tool',
        status: 3,
        hint: expect.stringContaining('apt-get install vde2') as string,
      }),
    );
  });
});

describe('forwards', () => {
  const text = `${lan}forwards: ["auto:web1:22", "8080:web1:80", "%eth0:8081:10.1.1.9:80/udp"]`;
  const links = [
    { name: 'eth0', addresses: ['192.0.2.7', '2001:db8::7', '198.51.100.7'], up: true },
    { name: 'eth1', addresses: ['2001:db8::8'], up: true },
  ];
  const known: PlanOptions = { addresses: { web1: '10.1.1.50' }, facts: { links } };

  test('name VMs and interfaces that must be known', () => {
    const network = networkOf(text);
    expect(guestsOf(network)).toEqual(['web1']);
    expect(interfacesOf(network)).toEqual(['eth0']);
  });

  test('are resolved, each with a port that is tried first', () => {
    const plan = planOf(text, { ...known, lastPorts: { 'forward:0': 40_022 } });
    expect(plan.forwards).toEqual([
      {
        protocol: 'tcp',
        hostAddress: '127.0.0.1',
        hostPort: 'auto',
        guest: 'web1',
        guestAddress: '10.1.1.50',
        guestPort: 22,
      },
      {
        protocol: 'tcp',
        hostAddress: '127.0.0.1',
        hostPort: 8080,
        guest: 'web1',
        guestAddress: '10.1.1.50',
        guestPort: 80,
      },
      {
        protocol: 'udp',
        hostAddress: '192.0.2.7',
        hostPort: 8081,
        guest: '10.1.1.9',
        guestAddress: '10.1.1.9',
        guestPort: 80,
      },
      {
        protocol: 'udp',
        hostAddress: '198.51.100.7',
        hostPort: 8081,
        guest: '10.1.1.9',
        guestAddress: '10.1.1.9',
        guestPort: 80,
      },
    ]);
    expect(plan.steps.filter(({ kind }) => kind === 'port')).toEqual([
      {
        kind: 'port',
        id: 'port:forward:0',
        needsRoot: false,
        protocol: 'tcp',
        address: '127.0.0.1',
        port: 'auto',
        last: 40_022,
      },
      { kind: 'port', id: 'port:forward:1', needsRoot: false, protocol: 'tcp', address: '127.0.0.1', port: 8080 },
      { kind: 'port', id: 'port:forward:2', needsRoot: false, protocol: 'udp', address: '192.0.2.7', port: 8081 },
      { kind: 'port', id: 'port:forward:2.1', needsRoot: false, protocol: 'udp', address: '198.51.100.7', port: 8081 },
    ]);
  });

  test('have their real ports when these are taken', () => {
    const options = { ...known, ports: { 'port:forward:0': 41_000 } };
    expect(planOf(text, options).forwards[0]?.hostPort).toBe(41_000);
    expect(netdevsOf(gatewayOf(text, options))[0]?.['hostfwd']).toContainEqual({
      str: 'tcp:127.0.0.1:41000-10.1.1.50:22',
    });
  });

  test.for<[string, string]>([
    ['%eth9:80:10.1.1.9:80', 'there is no interface eth9'],
    ['%eth1:80:10.1.1.9:80', 'the interface eth1 has no IPv4 address'],
  ])('%s', ([rule, part]) => {
    expect(() => planOf(`${lan}forwards: ["${rule}"]`, known)).toThrow(
      expect.objectContaining({ code: 'host-failed', message: expect.stringContaining(part) as string }),
    );
  });

  test('that come while it runs are held to the same', () => {
    const rule = { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 80, guest: 'web1', guestPort: 80 } as const;
    const network = networkOf(lan);
    const input = { addresses: { web1: '10.1.1.50' }, facts: {} };
    expect(() => planForwards({ name: network.name, forward: 'isolated', forwards: [rule] }, input)).toThrow(
      expect.objectContaining({ code: 'usage', status: 2 }),
    );
    expect(planForwards({ name: network.name, forward: 'nat', forwards: [rule] }, input).forwards).toHaveLength(1);
  });

  test.for<[string, readonly string[]]>([
    ['10.1.1.9', ['192.0.2.7', '198.51.100.7']],
    ['fd00::9', ['2001:db8::7']],
  ])('from an interface to %s: of the same family, whoever does it', ([guest, expected]) => {
    const rule = { protocol: 'tcp', hostAddress: '%eth0', hostPort: 80, guest, guestPort: 80 } as const;
    const eth0 = { name: 'eth0', addresses: ['192.0.2.7', 'fe80::7', '2001:db8::7', '198.51.100.7'], up: true };
    const input = { addresses: {}, facts: { links: [eth0] }, scope: 'system' } as const;
    const { forwards } = planForwards({ ...networkOf(lan), forwards: [rule] }, input);
    expect(forwards.map(({ hostAddress }) => hostAddress)).toEqual(expected);
  });

  test('to a VM that nobody reserved an address for are a bug', () => {
    expect(() => planOf(`${lan}forwards: ["80:web1:80"]`)).toThrow(expect.objectContaining({ code: 'bug' }));
  });
});

describe('what is not built yet', () => {
  test.for<[string, number, string, string]>([
    ['transport: tap', 1000, 'transport tap in scope user', 'transport: hub'],
    // its programs would run as root
    ['scope: user', 0, "not root's", 'as an ordinary user'],
  ])('%s of user %i', ([text, uid, part, hint]) => {
    expect(() => planOf(text, { uid })).toThrow(
      expect.objectContaining({
        code: 'not-implemented',
        status: 3,
        message: expect.stringContaining(part) as string,
        hint: expect.stringContaining(hint) as string,
      }),
    );
  });
});

test.for(['scope: system', 'forward: route', 'forward: open', 'forward: bridge', 'scope: system\nforward: isolated'])(
  'an ordinary user does not take up what is the host’s: %s',
  (text) => {
    expect(() => planOf(text, { uid: 1000 })).toThrow(
      expect.objectContaining({ code: 'permission', hint: 'sudo qrun net up lab' }),
    );
  },
);

describe('ABUSE 40: networks of the host', () => {
  const facts = (...cidrs: string[]) => ({ facts: { routes: cidrs.map((cidr) => ({ cidr, interface: 'eth0' })) } });

  test.for(['10.1.1.0/24', '10.1.1.0/25', '10.1.1.77/32'])('%s would be hidden', (cidr) => {
    expect(() => planOf(lan, facts('192.0.2.0/24', cidr))).toThrow(
      expect.objectContaining({
        code: 'in-use',
        status: 4,
        message: expect.stringContaining(`overlaps with ${cidr}, which this host reaches through eth0`) as string,
      }),
    );
  });

  test('a part of a larger one is said', () => {
    expect(planOf(lan, facts('10.0.0.0/8', '172.16.0.0/12')).notes).toEqual([
      'network lab: guests do not reach that part of 10.0.0.0/8 (eth0) which is 10.1.1.0/24',
    ]);
  });

  test('the same addresses, which both have by their name, are said; but not a part of them', () => {
    const { subnet = '' } = planOf('dhcp: {}');
    expect(planOf('dhcp: {}', facts(subnet)).notes).toEqual([
      `network lab: ${subnet} follows from its name, and eth0 of this host has it too: guests do not reach who is there`,
    ]);
    expect(() => planOf('dhcp: {}', facts(subnet, subnet.replace('/24', '/25')))).toThrow(
      'follows from its name, and overlaps',
    );
  });

  test('an isolated network leads nowhere anyway', () => {
    expect(planOf(`${lan}forward: isolated`, facts('10.1.1.0/24')).notes).toEqual([]);
  });
});

describe('a runtime directory', () => {
  // `/_net/` + a digest of ten + `/ports/` + a digest of ten + `.port`
  const longest = `/${'r'.repeat(107 - 1 - '/_net/0123456789/ports/0123456789.port'.length)}`;

  test('that leaves just room for the sockets is good', () => {
    expect(planOf(lan, { runtime: longest, name: 'a-name-that-needs-a-digest' }).attach).toMatchObject({
      by: 'socket-directory',
    });
  });

  test.for([lan, `${lan}transport: vde`])(
    'one byte longer is refused before anything waits for a socket: %s',
    (text) => {
      expect(() => planOf(text, { runtime: `${longest}r`, name: 'a-name-that-needs-a-digest' })).toThrow(
        expect.objectContaining({
          code: 'host-failed',
          message: expect.stringContaining("a socket's path may have 107 bytes, this one has 108") as string,
          hint: 'set QRUN_RUNTIME_DIR to a shorter directory of your own',
        }),
      );
    },
  );
});
