import { describe, expect, test } from 'vitest';
import { parseNetworkName } from '../../../src/names.ts';
import type { NetworkInfo } from '../../../src/networks/info.ts';
import { describeSkipped, renderAliases } from '../../../src/report/alias.ts';
import { renderForward, renderNetworkInfo } from '../../../src/report/network-info.ts';
import { stylesFor } from '../../../src/report/style.ts';

const plain = stylesFor(1, { NO_COLOR: '1' });

const lab: NetworkInfo = {
  name: parseNetworkName('lab'),
  state: 'up',
  description: null,
  file: '/c/networks/lab.yaml',
  scope: 'user',
  forward: 'nat',
  transport: 'vde',
  subnet: '10.44.0.0/24',
  gateway: '10.44.0.1',
  dnsServer: '10.44.0.2',
  addresses: ['10.44.0.1/24'],
  dhcp: { server: 'qrun', ranges: ['10.44.0.50-10.44.0.250'] },
  domain: null,
  autostart: false,
  startedAt: new Date().toISOString(),
  processes: [{ name: 'vde_switch', pids: [7] }],
  missing: [],
  mend: null,
  members: [],
  bridge: null,
  mtu: null,
  switch: null,
  links: [],
  ports: [],
  forwards: [],
  routes: [],
  firewall: [],
  notes: [],
  log: '/s/networks/lab/log',
};

const member = {
  vm: 'web1',
  nic: 'net0',
  mac: '52:54:00:00:00:01',
  ip: '10.44.0.50',
  leased: true,
  since: lab.startedAt ?? '',
};

describe('a network', () => {
  test('that is well has no section of what is wrong, and none that is empty', () => {
    const text = renderNetworkInfo(lab, plain);
    expect(text).not.toContain('!');
    expect(text.match(/^\S.*$/gm)).toEqual(['lab  up', 'Network']);
    expect(text).toContain('  processes    vde_switch 7\n');
    expect(text).toContain('  DHCP         qrun, 10.44.0.50-10.44.0.250\n');
    expect(text).not.toContain('addresses');
  });

  test('tells all addresses where there are several, and of DHCP where there is one', () => {
    const text = renderNetworkInfo({ ...lab, addresses: ['10.44.0.1/24', 'fd00:44::1/64'], dhcp: null }, plain);
    expect(text).toContain('  addresses    10.44.0.1/24, fd00:44::1/64\n');
    expect(text).not.toContain('DHCP');
  });

  test('tells whose cables lead nowhere, and how to have them back', () => {
    const members = [
      { ...member, state: 'lost' },
      { ...member, nic: 'net1', state: 'lost' },
      { ...member, vm: 'web2', state: 'running', ip: null, leased: false },
    ];
    const text = renderNetworkInfo({ ...lab, members }, plain);
    expect(text.match(/! .*/g)).toEqual([
      '! web1 is lost: the switch that it was joined with has ended; start it anew: qrun stop web1; qrun web1 -d',
    ]);
    expect(text).toMatch(/web2 +net0 +running +52:54:00:00:00:01 +- /);
  });

  test('tells what is missing, and the one command that mends it', () => {
    const broken = { ...lab, state: 'broken', missing: ['vde_switch'], mend: 'qrun net up lab' } as const;
    const processes = [{ name: 'vde_switch', pids: [] }];
    const text = renderNetworkInfo({ ...broken, processes }, plain);
    expect(text).toContain('What is wrong\n  ! vde_switch does not run\n  ! to mend it: qrun net up lab\n');
    expect(text).toContain('vde_switch -');
  });

  test('tells what another firewall drops with the rule that helps, and what the router outside must know', () => {
    const chain = 'nft chain ip filter FORWARD (hook forward, policy drop)';
    const drops = ['what guests send out', 'the answers to them'];
    const firewall = [{ chain, drops, mend: 'sudo ufw route allow in on qr-lab' }];
    const text = renderNetworkInfo({ ...lab, firewall, routes: ['ip route add 10.44.0.0/24 via 192.0.2.1'] }, plain);
    expect(text).toContain(
      'What other firewalls drop\n' +
        `  ! ${chain} drops what guests send out, the answers to them; what lets it pass:\n` +
        '      sudo ufw route allow in on qr-lab\n',
    );
    expect(text).toContain('What the router outside must be told\n  ip route add 10.44.0.0/24 via 192.0.2.1\n');
  });

  test('shows what others wrote so that it can do no harm', () => {
    const evil = 'a\u001b[31m\nb';
    const text = renderNetworkInfo({ ...lab, description: evil, domain: evil, notes: [evil] }, plain);
    expect(text).not.toContain('\u001b');
    expect(text.match(/a\\e\[31m\\nb/g)).toHaveLength(3);
  });
});

test.each([
  [{ protocol: 'tcp', guest: 'web1' }, '127.0.0.1:8080 → web1:80 (10.44.0.50)'],
  [{ protocol: 'udp', guest: '10.44.0.50' }, '127.0.0.1:8080 → 10.44.0.50:80/udp'],
] as const)('a forward: %j', (part, text) => {
  const forward = { hostAddress: '127.0.0.1', hostPort: 8080, guestAddress: '10.44.0.50', guestPort: 80, ...part };
  expect(renderForward(forward)).toBe(text);
});

describe('aliases', () => {
  const odd = "a b'c\\d$(e)";
  const lines = {
    aliases: [{ name: 'x', command: ['qrun', 'run', odd] }],
    skipped: [{ name: 'ls', hides: '/b\n;rm/ls' }],
  };

  test.each([
    ['bash', `alias x='qrun run '\\''a b'\\''\\'\\'''\\''c\\d$(e)'\\'''\n`],
    ['zsh', `alias x='qrun run '\\''a b'\\''\\'\\'''\\''c\\d$(e)'\\'''\n`],
    ['fish', `alias x 'qrun run \\'a b\\\\\\'c\\\\\\\\d$(e)\\''\n`],
  ] as const)('%s: whatever a word holds, it stays one', (shell, line) => {
    expect(renderAliases({ shell, ...lines }).startsWith(line)).toBe(true);
  });

  test('a comment is one line, whatever PATH has in it', () => {
    expect(renderAliases({ shell: 'bash', ...lines, aliases: [] })).toBe(
      `# ls gets no alias: it would hide /b\\n;rm/ls; qrun run ls\n`,
    );
    expect(describeSkipped({ name: 'ls', hides: '/bin/ls' })).not.toContain('\n');
  });
});
