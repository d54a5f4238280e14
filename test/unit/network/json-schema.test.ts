import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { buildNetworkJsonSchema } from '../../../src/network/json-schema.ts';
import { networkOf } from './network-text.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const schema = buildNetworkJsonSchema();
const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
const accepts = (text: string): boolean => validate(parse(text));

interface SchemaNode {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

/** Every key of every map, with its path. */
function keysOf(node: SchemaNode, at = ''): (readonly [string, SchemaNode])[] {
  const own = Object.entries(node.properties ?? {}).flatMap(([key, inner]) => {
    return [[`${at}.${key}`, inner] as const, ...keysOf(inner, `${at}.${key}`)];
  });
  const alternatives = (node.anyOf ?? []).flatMap((inner, index) => keysOf(inner, `${at}|${index}`));
  return [...own, ...alternatives, ...(node.items === undefined ? [] : keysOf(node.items, `${at}[]`))];
}

describe('the JSON Schema of networks', () => {
  test('is current: run `npm run schema`', () => {
    const checkedIn = readFileSync(path.join(root, 'schema/network.schema.json'), 'utf8');
    expect(JSON.parse(checkedIn)).toEqual(JSON.parse(JSON.stringify(schema)));
  });

  test('describes every key, for the help that an editor shows', () => {
    const keys = keysOf(schema as SchemaNode);
    expect(keys.length).toBeGreaterThan(50);
    expect(keys.filter(([, { description = '' }]) => description === '').map(([key]) => key)).toEqual([]);
  });

  test.for([
    '{}',
    '{ forward: isolated, dhcp: true }',
    'addresses: [10.1.1.1/24, "fd00::1/64"]',
    'dhcp: { lease: 3600, maxLease: 24h, ranges: [10.1.1.5-10.1.1.9], options: [{ option: 42, value: 10.1.1.1 }] }',
    'forwards: ["8080:web1:80", "[::]:8080:web1:80/udp", "%eth0:auto:10.1.1.9:80/tcp"]',
    'bridge: { mac: auto, uplink: eth0 }',
    'links: [{ vxlan: { id: 42, peers: [198.51.100.2] } }]',
  ])('takes %s', (text) => expect(accepts(text)).toBe(true));

  test.for([
    '[]',
    '{ forwrd: nat }',
    '{ forward: vpn }',
    '{ dhcp: yes please }',
    '{ mtu: "1500" }',
    'addresses: [10.1.1.1]',
    'dhcp: { hosts: [{ vm: web1 }] }',
    'dhcp: { tftp: {} }',
  ])('refuses %s', (text) => expect(accepts(text)).toBe(false));
});

describe('networks of the package', () => {
  const files = readdirSync(path.join(root, 'networks'));

  test.for(files)('%s is valid, names the schema, and works without root', (file) => {
    const text = readFileSync(path.join(root, 'networks', file), 'utf8');
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/schema\/network\.schema\.json\n/);
    expect(accepts(text)).toBe(true);
    const network = networkOf(text, { name: file.replace('.yaml', '') });
    expect(network.description).toBeDefined();
    expect(network.scope).toBe('auto');
  });

  test('default is there', () => expect(files).toContain('default.yaml'));
});
