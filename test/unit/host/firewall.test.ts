import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { droppingChains } from '../../../src/host/firewall-walk.ts';
import { parseIptables, parseRuleset, readFirewall } from '../../../src/host/firewall.ts';
import { tableNameOf } from '../../../src/network/bridged/names.ts';
import { ownerChain } from '../../../src/plan/nft-commands.ts';
import { createSystem } from '../../../src/system/real.ts';
import type { System } from '../../../src/system/system.ts';

const fixture = (name: string): string => readFileSync(new URL(`../launch/fixtures/${name}`, import.meta.url), 'utf8');
const both = { ip: true, ip6: true };
const dropping = (name: string, bridge: string, families = both): string[] =>
  droppingChains({ chains: parseRuleset(fixture(name)) ?? [] }, bridge, families).map(
    (chain) => `${chain.family} ${chain.table} ${chain.name}`,
  );

test('Docker’s policy drops what passes a bridge, where bridged frames are asked about', () => {
  expect(dropping('docker.json', 'br0')).toEqual(['ip filter FORWARD']);
  expect(dropping('docker.json', 'br0', { ip: false, ip6: true })).toEqual([]);
});

test('a rule for the bridge in a chain that is jumped to lets it through, and no other bridge', () => {
  expect(dropping('docker-allowed.json', 'br0')).toEqual([]);
  expect(dropping('docker-allowed.json', 'br1')).toEqual(['ip filter FORWARD']);
  expect(dropping('docker.json', 'docker0')).toEqual([]);
});

test('a chain with policy accept that ends with a reject drops too; sets and patterns of names; the family bridge', () => {
  expect(dropping('firewalld.json', 'br0')).toEqual([]);
  expect(dropping('firewalld.json', 'br7')).toEqual(['inet firewalld filter_FORWARD']);
  expect(dropping('firewalld.json', 'virbr0', { ip: false, ip6: false })).toEqual(['bridge filter FORWARD']);
});

test('iptables of the older kind', () => {
  const of = (text: string, bridge = 'br0') =>
    droppingChains({ chains: parseIptables(text, 'ip') }, bridge, both).map(({ name }) => name);
  const docker = fixture('iptables-docker.txt');
  expect(of(docker)).toEqual(['FORWARD']);
  expect(of(docker, 'docker0')).toEqual([]);
  expect(of(`${docker.trim()}\n-A FORWARD -i br+ ! -o eth0 -j ACCEPT\n`)).toEqual([]);
  expect(of('-P FORWARD ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-port-unreachable\n')).toEqual(['FORWARD']);
  expect(of('-P FORWARD ACCEPT\n-A FORWARD -p tcp --syn -j DROP\n')).toEqual([]);
});

test('chains that jump to one another end', () => {
  const rule = (chain: string, target: string) => ({
    rule: { family: 'ip', table: 't', chain, expr: [{ jump: { target } }] },
  });
  const chain = (name: string, more = {}) => ({ chain: { family: 'ip', table: 't', name, ...more } });
  const text = JSON.stringify({
    nftables: [chain('a', { hook: 'forward', policy: 'drop' }), chain('b'), rule('a', 'b'), rule('b', 'a')],
  });
  expect(droppingChains({ chains: parseRuleset(text) ?? [] }, 'br0', both)).toHaveLength(1);
});

test('what a table of qrun’s own drops, its network wants so; a table that has only such a name counts', () => {
  const drops = (table: string, ...more: string[]) =>
    ['f', ...more].map((name) => ({
      chain: { family: 'inet', table, name, ...(name === 'f' && { hook: 'forward', policy: 'drop' }) },
    }));
  const text = JSON.stringify({
    nftables: [...drops(tableNameOf('lan0'), ownerChain), ...drops('qrun_theirs'), ...drops('other', ownerChain)],
  });
  const found = droppingChains({ chains: parseRuleset(text) ?? [] }, 'br0', both);
  expect(found.map(({ table }) => table)).toEqual(['qrun_theirs', 'other']);
});

test('what is no ruleset is not read as one without rules', () => {
  expect(['', '[]', '{"nftables":1}', 'Error: syntax'].map((text) => parseRuleset(text))).toEqual(
    Array(4).fill(undefined),
  );
  expect(parseRuleset('{"nftables":[{"chain":{"name":7}},null,{"rule":{}}]}')).toEqual([]);
});

test('an ordinary user starts no program; root hears why nft failed', async () => {
  const asked: string[] = [];
  const system = (uid: number, stdout: string, status = 0): System => ({
    ...createSystem(),
    uid,
    which: (tool) => (tool === 'nft' ? '/usr/sbin/nft' : undefined),
    run: async (tool) => {
      asked.push(tool);
      return await Promise.resolve({ status, stdout, stderr: status === 0 ? '' : 'Error: cache\nmore\n' });
    },
  });
  expect(await readFirewall(system(1001, ''))).toEqual({ chains: [], unknown: 'only root can read the rules' });
  expect(asked).toEqual([]);
  expect((await readFirewall(system(0, fixture('docker.json')))).chains).toHaveLength(3);
  expect(await readFirewall(system(0, '', 1))).toEqual({
    chains: [],
    unknown: 'nft could not read the rules: Error: cache',
  });
  expect(asked).toEqual(['nft', 'nft']);
});
