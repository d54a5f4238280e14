import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseLab } from '../../../src/lab/parse.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const validate = new Ajv({ strict: false }).compile(
  JSON.parse(readFileSync(path.join(root, 'schema/lab.schema.json'), 'utf8')) as object,
);
const examples = readdirSync(path.join(root, 'labs'));

describe.each(examples)('labs/%s', (name) => {
  const file = path.join(root, 'labs', name);
  const text = readFileSync(file, 'utf8');

  test('is a lab of the package’s own profiles', () => {
    const lab = parseLab(text, { file });
    expect(lab.description).toMatch(/\w/);
    const missing = lab.vms.filter(({ profile }) => !existsSync(path.join(root, 'profiles', `${profile}.yaml`)));
    expect(missing).toEqual([]);
  });

  test('says its schema to an editor, and is what that says', () => {
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/schema\/lab\.schema\.json\n/);
    expect(validate(parse(text)), JSON.stringify(validate.errors)).toBe(true);
  });

  test('is not called like a profile, which would go first', () => {
    expect(existsSync(path.join(root, 'profiles', name))).toBe(false);
  });
});

test('they are packed', () => {
  const { files } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { files: string[] };
  expect(files).toContain('labs');
});
