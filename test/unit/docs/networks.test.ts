/** docs/networks.md against the schema: each key once, with its default, and marked if no network without root can honour it. */
import { describe, expect, test } from 'vitest';
import { saidOf } from '../network/network-text.ts';
import { read } from './repository.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly default?: unknown;
}

function keysOf(schema: Schema, prefix = ''): (readonly [string, unknown])[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, value]) => {
    return [[`${prefix}${name}`, value.default] as const, ...keysOf(value, `${prefix}${name}.`)];
  });
  const inItems = schema.items === undefined ? [] : keysOf(schema.items, `${prefix.replace(/\.$/, '')}[].`);
  return [...own, ...inItems, ...(schema.anyOf ?? []).flatMap((branch) => keysOf(branch, prefix))];
}

const keys = keysOf(JSON.parse(read('schema/network.schema.json')) as Schema);
const rows = read('docs/networks.md')
  .split('\n')
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
  .flatMap((cells) => {
    const key = /^`([a-z][A-Za-z0-9.[\]]*)`$/.exec(cells[1] ?? '')?.[1];
    return key === undefined || cells.length < 5 ? [] : [{ key, means: cells[2] ?? '', default: cells[3] ?? '' }];
  })
  .filter(({ key }) => !['hub', 'vde'].includes(key));

describe('docs/networks.md', () => {
  test('has each key of the schema once', () => {
    expect(keys.length).toBeGreaterThan(50);
    expect(rows.map(({ key }) => key).toSorted()).toEqual(keys.map(([key]) => key).toSorted());
  });

  test('has the defaults of the schema', () => {
    const simple = keys.filter(([, value]) => ['string', 'boolean'].includes(typeof value));
    expect(simple.length).toBeGreaterThan(5);
    for (const [key, value] of simple)
      expect(rows.find((row) => row.key === key)).toMatchObject({ default: `\`${String(value)}\`` });
  });

  test.for<[string, string]>([
    ['bridge', 'bridge: { name: br0 }'],
    ['dns.forwarders', 'dns: { forwarders: [9.9.9.9] }'],
    ['dns.records', 'dns: { records: { txt: [{ name: a, text: b }] } }'],
    ['hostDns', 'hostDns: true'],
    ['nat', 'nat: { dev: eth0 }'],
    ['route', 'route: { dev: eth0 }'],
    ['ports', 'ports: 4'],
    ['owner', 'owner: alice'],
    ['group', 'group: users'],
    ['hostAccess', 'hostAccess: true'],
    ['isolatedPorts', 'isolatedPorts: true'],
    ['antiSpoof', 'antiSpoof: true'],
    ['vlan', 'vlan: 42'],
    ['links', 'links: [{ vxlan: { id: 1, peers: [198.51.100.2] } }]'],
  ])('says that %s is not for networks without root', ([key, text]) => {
    expect(rows.find((row) => row.key === key)?.means).toMatch(/^S\b/);
    expect(saidOf(text)).not.toEqual([]);
  });

  test('and of no other key at the top', () => {
    const marked = rows.filter(({ means }) => /^S\b/.test(means)).map(({ key }) => key);
    expect(marked.filter((key) => !key.includes('.'))).toHaveLength(12);
  });
});
