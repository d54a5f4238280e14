import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { nicKindNames } from '../../../src/nic/schema/kinds.ts';
import { buildProfileJsonSchema } from '../../../src/profile/json-schema.ts';
import { faultsOf, profileOf } from './profile-text.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const schema = buildProfileJsonSchema();
const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
const accepts = (text: string): boolean => validate(parse(text));

interface SchemaNode {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly pattern?: string;
}

/** Every key of every map, with its path. */
function keysOf(node: SchemaNode, at = ''): (readonly [string, SchemaNode])[] {
  const own = Object.entries(node.properties ?? {}).flatMap(([key, inner]) => {
    return [[`${at}.${key}`, inner] as const, ...keysOf(inner, `${at}.${key}`)];
  });
  const alternatives = (node.anyOf ?? []).flatMap((inner, index) => keysOf(inner, `${at}|${index}`));
  return [...own, ...alternatives, ...(node.items === undefined ? [] : keysOf(node.items, `${at}[]`))];
}

describe('the JSON Schema of profiles', () => {
  test('is current: run `npm run schema`', () => {
    const checkedIn = readFileSync(path.join(root, 'schema/profile.schema.json'), 'utf8');
    expect(JSON.parse(checkedIn)).toEqual(JSON.parse(JSON.stringify(schema)));
  });

  test('describes every key, for the help that an editor shows', () => {
    const keys = keysOf(schema as SchemaNode);
    expect(keys.length).toBeGreaterThan(150);
    expect(keys.filter(([, node]) => !node.description).map(([at]) => at)).toEqual([]);
  });

  test('has a branch for each kind of NIC', () => {
    const kinds = JSON.stringify(schema).matchAll(/"const":"([a-z0-9]+)"/g);
    expect(new Set([...kinds].map((match) => match[1]))).toEqual(new Set(nicKindNames));
  });

  const examples = readdirSync(path.join(root, 'profiles')).filter((name) => name.endsWith('.yaml'));

  test.each(examples)('accepts profiles/%s, and so does the parser', (name) => {
    const text = readFileSync(path.join(root, 'profiles', name), 'utf8');
    expect(accepts(text), JSON.stringify(validate.errors)).toBe(true);
    expect(profileOf(text).description).toMatch(/\w/);
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/schema\/profile\.schema\.json\n/);
  });

  const good = [
    'nics: []',
    'nics: [user, passt, "mcast:230.0.0.1:12345", bridge:br0, tap:tap0, macvtap:eth0, vde:/run/vde.ctl, network:lan0]',
    'cpus: 3\nmemory: 256',
    'cpus: { cores: 2 }\nmemory: 1.5g',
    'boot: { order: [cdrom], once: network }',
    'disks: [a.qcow2, { file: b, format: raw, size: 1M }]',
    'nics: [{ kind: user, mac: 52-54-00-AA-BB-CC, forwards: ["[::1]:80:80", "%eth0:auto:22", "8080:10.0.2.15:80/udp"] }]',
    'nics: [{ kind: stream, listen: 127.0.0.1:5000 }, { kind: hostdev, address: "01:00.0" }]',
    'nics: [{ kind: vde, socket: ./s, mode: "0660" }]',
  ];
  test.each(good)('accepts %j', (text) => {
    expect(accepts(text), JSON.stringify(validate.errors)).toBe(true);
  });

  const bad = [
    'hostfw: 1',
    'nics: [{ kind: usr }]',
    'nics: [usr]',
    'nics: [{ kind: user, group: 230.0.0.1:1 }]',
    'nics: [{ kind: user, mac: 12:34:56 }]',
    'nics: [{ kind: user, forwards: ["80"] }]',
    'nics: [{ id: net0 }]',
    'memory: lots',
    'memory: true',
    'cpus: 0',
    'boot: [disc]',
    'boot: []',
    'disks: [{ format: raw }]',
    'disks: [{ file: a.img, size: 10 }]',
    'shutdown: 60',
    'args: -s',
  ];
  test.each(bad)('flags %j, and so does the parser', (text) => {
    expect(accepts(text)).toBe(false);
    expect(faultsOf(text)).not.toEqual([]);
  });
});
