/** The documents against the source: keys, commands, links, and profiles that a reader may copy. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { commands } from '../../../src/commands/list.ts';
import { QrunError } from '../../../src/errors.ts';
import { isLab, parseLab } from '../../../src/lab/parse.ts';
import { parseVmName } from '../../../src/names.ts';
import { parseNetwork } from '../../../src/network/parse.ts';
import { parseProfile } from '../../../src/profile/parse.ts';
import { read, root } from './repository.ts';

const entriesOf = (folder: string) => readdirSync(path.join(root, folder), { withFileTypes: true });
const folders = entriesOf('test').filter((entry) => entry.isDirectory());
const documents = ['.', 'docs', ...folders.map(({ name }) => `test/${name}`)].flatMap((folder) =>
  entriesOf(folder)
    .filter((entry) => entry.name.endsWith('.md'))
    .map((entry) => path.join(folder, entry.name)),
);

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly const?: unknown;
  readonly default?: string | number | boolean | object;
}

interface Key {
  readonly name: string;
  readonly default?: string;
}

const profileSchema = JSON.parse(read('schema/profile.schema.json')) as Schema;
const nicSchemas = (profileSchema.properties?.['nics']?.items?.anyOf ?? []).filter(({ properties }) => properties);
const kindOf = ({ properties }: Schema): string => String(properties?.['kind']?.const);
const commonKeys = Object.keys(nicSchemas[0]?.properties ?? {}).filter((key) =>
  nicSchemas.every(({ properties }) => Object.hasOwn(properties ?? {}, key)),
);

/** `shutdown.timeout`, `disks[].file`, … */
function keysOf(schema: Schema, prefix = ''): Key[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, value]): Key[] => [
    { name: `${prefix}${name}`, ...scalarDefault(value) },
    ...(name === 'nics' ? [] : keysOf(value, `${prefix}${name}.`)),
  ]);
  const inItems = schema.items === undefined ? [] : keysOf(schema.items, `${prefix.replace(/\.$/, '')}[].`);
  return [...own, ...inItems, ...(schema.anyOf ?? []).flatMap((branch) => keysOf(branch, prefix))];
}

function scalarDefault({ default: value }: Schema): { readonly default?: string } {
  return value === undefined || typeof value === 'object'
    ? {}
    : { default: JSON.stringify(value).replace(/^"|"$/g, '') };
}

/** Keys by section: `` for those of every profile, else the kind of NIC. */
function schemaKeys(): ReadonlyMap<string, readonly Key[]> {
  const common = commonKeys.map((key): Key => {
    const field = nicSchemas[0]?.properties?.[key] ?? {};
    return { name: `nics[].${key}`, ...scalarDefault(field) };
  });
  const own = nicSchemas.map((schema): [string, Key[]] => [
    kindOf(schema),
    keysOf(schema).filter(({ name }) => !commonKeys.includes(name)),
  ]);
  return new Map([['', [...keysOf(profileSchema), ...common]], ...own]);
}

interface Row extends Key {
  readonly cells: readonly string[];
}

/** The rows of the tables of docs/profile.md whose first cell is a key, by section. */
function documentedKeys(): ReadonlyMap<string, readonly Row[]> {
  const found = new Map<string, Row[]>([['', []]]);
  let section = '';
  for (const line of read('docs/profile.md').split('\n')) {
    const heading = /^##+ (?:`(\w+)`)?/.exec(line);
    if (heading !== null) section = heading[1] ?? '';
    const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const name = /^`([^`]+)`$/.exec(cells[1] ?? '')?.[1];
    if (!found.has(section)) found.set(section, []);
    if (name !== undefined) found.get(section)?.push({ name, cells });
  }
  return found;
}

describe('docs/profile.md', () => {
  const documented = documentedKeys();
  const known = schemaKeys();

  test('it has a section for each kind of NIC that the schema has, and for no other', () => {
    expect(known.size).toBeGreaterThan(10);
    expect([...documented.keys()].toSorted()).toEqual([...known.keys()].toSorted());
  });

  test.for([...known.keys()])('its keys are those of the schema: %s', (section) => {
    const names = (keys: readonly Key[] | undefined) => [...new Set(keys?.map(({ name }) => name))].toSorted();
    expect(names(documented.get(section))).toEqual(names(known.get(section)));
  });

  test('its defaults are those of the schema', () => {
    const wrong = [...known].flatMap(([section, keys]) =>
      keys.flatMap(({ name, default: value }) => {
        const row = documented.get(section)?.find((one) => one.name === name);
        return value === undefined || row?.cells[3] === `\`${value}\`` ? [] : [`${section} ${name}: ${value}`];
      }),
    );
    expect(wrong).toEqual([]);
  });
});

describe('README.md', () => {
  const readme = read('README.md');

  test.for(commands.filter(({ hidden }) => hidden !== true).map(({ name }) => name))('it names qrun %s', (name) => {
    expect(readme).toMatch(new RegExp(`\`qrun ${name}\\b`));
  });

  test('it names no command that there is not', () => {
    const named = [...readme.matchAll(/^\| `qrun ((?:net )?[a-z]+)\b/gm)].map((match) => match[1]);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !commands.some((one) => one.name === name))).toEqual([]);
  });
});

/** What GitHub makes of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, '');

const anchorsOf = (file: string): string[] =>
  [...withoutCode(read(file)).matchAll(/^#+ (.+)$/gm)].map((match) => anchorOf(match[1] ?? ''));

describe.for(documents)('%s', (file) => {
  test('its links lead somewhere', () => {
    const links = [...withoutCode(read(file)).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
    const broken = links.filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [name = '', anchor] = link.split('#');
      const target = name === '' ? file : path.join(path.dirname(file), name);
      if (!existsSync(path.join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(target).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  test('its profiles are valid', () => {
    expect(profilesOf(file).map(faultOf)).toEqual(profilesOf(file).map(() => undefined));
  });
});

test('some documents have profiles', () => {
  expect(documents.filter((file) => profilesOf(file).length > 0)).toContain('README.md');
});

/** Code blocks that are marked as YAML and begin with a key; a list, or an indented part, is no whole profile. */
function profilesOf(file: string): string[] {
  return [...read(file).matchAll(/^```yaml\n([\s\S]*?)^```/gm)]
    .map((match) => match[1] ?? '')
    .filter((text) => /^[a-z]\w*:/i.test(text.replace(/^(#.*)?\n/gm, '')));
}

const isNetwork = (text: string): boolean => /^forward:/m.test(text);

function faultOf(text: string): string | undefined {
  try {
    if (isLab(text)) parseLab(text, { file: '/labs/example.yaml' });
    else if (isNetwork(text)) parseNetwork(text, { file: '/networks/example.yaml', name: parseVmName('example') });
    else parseProfile(text, { file: '/profiles/example.yaml', name: parseVmName('example') });
    return undefined;
  } catch (error) {
    const faults = error instanceof QrunError ? error.faults : [];
    return [String(error), ...faults.map((fault) => `${fault.path}: ${fault.message}`), text].join('\n');
  }
}
