import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseIptables, parseRuleset, type Firewall } from '../../../src/host/firewall.ts';
import {
  checkOfForward,
  checkOfNetfilter,
  checkOfNetworks,
  checkOfZones,
  parseZone,
  type FirewallFacts,
} from '../../../src/launch/doctor-firewall.ts';

const fixture = (name: string): string => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8');
const firewall = (name: string): Firewall => ({ chains: parseRuleset(fixture(name)) ?? [] });
const on = { present: true, ip: true, ip6: false, own: [] };
const off = { present: true, ip: false, ip6: false, own: [] };
const facts = (of: Partial<FirewallFacts>): FirewallFacts => ({
  bridges: ['br0'],
  netfilter: on,
  firewall: { chains: [] },
  ...of,
});

test('Docker’s FORWARD policy: where it drops, and the rule that helps', () => {
  expect(checkOfForward(facts({ firewall: firewall('docker.json') }))).toMatchObject({
    id: 'forward-policy',
    state: 'warn',
    evidence: expect.stringMatching(/^nft chain ip filter FORWARD \(hook forward, policy drop\) .* br0/),
    mend: 'sudo iptables -I DOCKER-USER -i br0 -o br0 -j ACCEPT',
  });
  for (const fine of [
    { firewall: firewall('docker-allowed.json') },
    { firewall: firewall('docker.json'), netfilter: off },
  ])
    expect(checkOfForward(facts(fine))).toMatchObject({ state: 'ok', mend: null });
});

test('the rule is for the chain that drops: of iptables, of firewalld, of any table, whatever its name is', () => {
  const legacy = parseIptables('-P FORWARD DROP\n', 'ip');
  expect(checkOfForward(facts({ firewall: { chains: legacy } })).mend).toBe(
    'sudo iptables -I FORWARD -i br0 -o br0 -j ACCEPT',
  );
  expect(checkOfForward(facts({ firewall: firewall('firewalld.json'), bridges: ['br7'] })).mend).toBe(
    'sudo firewall-cmd --permanent --zone=trusted --add-interface=br7 && sudo firewall-cmd --reload',
  );
  const own = { family: 'inet', table: 'my table', name: 'f', tool: 'nft', forward: 'drop', rules: [] } as const;
  expect(checkOfForward(facts({ firewall: { chains: [own] } })).mend).toBe(
    "sudo nft insert rule inet 'my table' f iifname br0 oifname br0 accept",
  );
  const bridge = { ...own, family: 'bridge', table: 't' };
  expect(checkOfForward(facts({ firewall: { chains: [bridge] }, netfilter: off })).mend).toBe(
    'sudo nft insert rule bridge t f meta ibrname br0 meta obrname br0 accept',
  );
});

test('firewalls in the way of networks: none without a network, none in the way, the first rule of those that are', () => {
  expect(checkOfNetworks([])).toEqual([]);
  expect(checkOfNetworks([{ network: 'lan0', drops: [] }])).toMatchObject([
    { id: 'network-firewall', state: 'ok', mend: null },
  ]);
  const drop = (mend: string) => ({ chain: 'nft chain ip t f (hook forward)', drops: ['what guests send out'], mend });
  expect(
    checkOfNetworks([
      { network: 'lan0', drops: [] },
      { network: 'lan1', drops: [drop('one'), drop('other')] },
    ]),
  ).toMatchObject([
    {
      state: 'warn',
      mend: 'one',
      evidence: expect.stringMatching(/^lan1: nft chain ip t f \(hook forward\) drops what guests send out; lan1: /),
    },
  ]);
});

test('an ordinary user is told that root would know, and only where it matters', () => {
  const hidden: Firewall = { chains: [], unknown: 'only root can read the rules' };
  expect(checkOfForward(facts({ firewall: hidden }))).toMatchObject({ state: 'warn', mend: 'sudo qrun doctor' });
  expect(checkOfForward(facts({ firewall: hidden, netfilter: off }))).toMatchObject({ state: 'ok' });
  expect(checkOfForward(facts({ firewall: hidden, bridges: [] }))).toMatchObject({ state: 'ok' });
});

test('bridge netfilter: absent, off, on without harm, on with harm, on for one bridge', () => {
  expect(checkOfNetfilter(facts({ netfilter: { ...off, present: false } }))).toMatchObject({
    state: 'ok',
    evidence: expect.stringContaining('br_netfilter is not loaded'),
  });
  expect(checkOfNetfilter(facts({ netfilter: off }))).toMatchObject({ state: 'ok' });
  expect(checkOfNetfilter(facts({}))).toMatchObject({
    state: 'ok',
    evidence: 'net.bridge.bridge-nf-call-iptables is 1; no rule drops them',
  });
  const drops: Firewall = { chains: parseIptables('-P FORWARD DROP\n', 'ip') };
  expect(checkOfNetfilter(facts({ firewall: drops }))).toMatchObject({
    state: 'warn',
    mend: 'sudo sysctl -w net.bridge.bridge-nf-call-iptables=0',
  });
  expect(checkOfNetfilter(facts({ firewall: firewall('docker.json') }))).toMatchObject({ state: 'warn', mend: null });
  expect(checkOfNetfilter(facts({ firewall: drops, netfilter: { ...off, own: ['br0'] } }))).toMatchObject({
    state: 'warn',
    mend: 'sudo ip link set dev br0 type bridge nf_call_iptables 0',
  });
});

test('a zone of firewalld’s: accepting, not accepting, the default one, unreadable, none', () => {
  const zones = { public: parseZone(fixture('zone-public.xml')), trusted: parseZone(fixture('zone-trusted.xml')) };
  expect(zones).toEqual({
    public: { target: 'default', interfaces: ['br0'] },
    trusted: { target: 'ACCEPT', interfaces: ['br1'] },
  });
  const firewalld = { zones, defaultZone: 'trusted', unreadable: false };
  expect(checkOfZones(firewalld, ['br1', 'br0'])).toMatchObject([
    {
      state: 'warn',
      evidence: expect.stringMatching(/^br0 is in zone public: /),
      mend: expect.stringContaining('--zone=trusted --add-interface=br0'),
    },
  ]);
  expect(checkOfZones(firewalld, ['br1', 'br2'])).toMatchObject([{ state: 'ok' }]);
  expect(checkOfZones({ ...firewalld, defaultZone: 'public' }, ['br2'])).toMatchObject([{ state: 'warn' }]);
  expect(checkOfZones({ zones: {}, defaultZone: 'public', unreadable: true }, ['br0'])).toMatchObject([
    { state: 'warn', mend: 'sudo qrun doctor' },
  ]);
  expect(checkOfZones(undefined, ['br0'])).toEqual([]);
});
