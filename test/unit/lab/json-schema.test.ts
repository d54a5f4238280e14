import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { buildLabJsonSchema } from '../../../src/lab/json-schema.ts';
import { labOf, saidOf } from './lab-text.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const schema = buildLabJsonSchema();
const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
const accepts = (text: string): boolean => validate(parse(text));

describe('the JSON Schema of labs', () => {
  test('is current: run `npm run schema`', () => {
    const checkedIn = readFileSync(path.join(root, 'schema/lab.schema.json'), 'utf8');
    expect(JSON.parse(checkedIn)).toEqual(JSON.parse(JSON.stringify(schema)));
  });

  test.each([
    'networks: [lab, nets/dmz.yaml]',
    'vms: { db: , web: web.yaml, front: { profile: web, after: db } }',
    'vms: { db: { wait: port:5432, timeout: 60 }, web: { after: { db: } }, two: { after: { db: "text:ready" } } }',
    'vms: [db, ./web.yaml, { profile: web.yaml, name: web2, after: [db], ephemeral: true, args: [-S] }]',
    'description: nothing\nvms: [a]',
  ])('accepts %j, and so does the parser', (text) => {
    expect(accepts(text), JSON.stringify(validate.errors)).toBe(true);
    expect(labOf(text).file).toMatch(/lab\.yaml$/);
  });

  test.each([
    'vm: { a: }',
    'vms: { a: { prfile: x } }',
    'vms: { a: 3 }',
    'vms: [[a]]',
    'vms: [null]',
    'vms: { "a b": }',
    'vms: { a: { name: b } }',
    'vms: { a: { wait: soon } }',
    'vms: { a: { wait: port:x } }',
    'vms: { a: , b: { after: { a: never } } }',
    'vms: { a: { timeout: 0, wait: end } }',
    'vms: { a: { args: -S } }',
    'networks: lab',
  ])('flags %j, and so does the parser', (text) => {
    expect(accepts(text)).toBe(false);
    expect(saidOf(text)).not.toEqual([]);
  });
});
