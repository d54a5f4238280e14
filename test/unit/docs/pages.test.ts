/** The tree against the documents that list it: rooms in ARCHITECTURE.md, a page for each kind of NIC and of network, all of it found from the README. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseNetworkName, parseVmName } from '../../../src/names.ts';
import { bridgedFiles } from '../../../src/network/bridged/files.ts';
import { placesOf } from '../../../src/places.ts';
import { networkFiles } from '../../../src/plan/network-files.ts';
import { vmFiles } from '../../../src/plan/vm-files.ts';
import { read, root } from './repository.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
}

const nicSchemas = (JSON.parse(read('schema/profile.schema.json')) as Schema).properties?.['nics']?.items?.anyOf ?? [];
const kinds = nicSchemas.flatMap(({ properties }) => properties?.['kind']?.const ?? []).map(String);
const modes = ((JSON.parse(read('schema/network.schema.json')) as Schema).properties?.['forward']?.enum ?? []).map(
  String,
);

/** Where the page is not called as the kind or the mode is. */
const pageOfKind: Readonly<Record<string, string>> = { network: 'rootless' };
const pageOfMode: Readonly<Record<string, string>> = { bridge: 'lan', macvtap: 'card', hostdev: 'card' };
const pages = [
  ...kinds.map((kind) => `docs/${pageOfKind[kind] ?? kind}.md`),
  ...modes.map((mode) => `docs/${pageOfMode[mode] ?? mode}.md`),
  'docs/ports.md',
  'docs/vde-network.md',
];

test('the schemas name kinds and modes', () => {
  expect(kinds.length).toBeGreaterThan(10);
  expect(modes.length).toBeGreaterThan(6);
});

test.for([...new Set(pages)])(
  '%s tells when to take it, what it needs, how by hand, how by qrun, what goes wrong',
  (page) => {
    const headings = [...read(page).matchAll(/^## (.+)$/gm)].map(([, heading = '']) => heading.toLowerCase());
    for (const part of ['when to take', 'what it needs', 'by hand', 'by qrun', 'what goes wrong'])
      expect({ part, headings: headings.filter((heading) => heading.includes(part)) }).toMatchObject({
        headings: [expect.anything()],
      });
  },
);

test('the README leads to each page', () => {
  const readme = read('README.md');
  const lost = readdirSync(path.join(root, 'docs')).filter(
    (file) => file.endsWith('.md') && !readme.includes(`](docs/${file})`),
  );
  expect(lost).toEqual([]);
});

test('docs/files.md names each file of a VM and of a network', () => {
  const places = placesOf({ env: {}, uid: 1000, home: '/home/alice', packageRoot: '/usr/lib/qrun' });
  const vm = vmFiles(places, parseVmName('web1'));
  const network = networkFiles(places, parseNetworkName('lab'));
  const bridged = bridgedFiles({ files: network, host: places.host, name: parseNetworkName('lab') });
  const named = [vm, network, bridged, bridged.dhcpd].flatMap((files) =>
    Object.values(files).flatMap((file) => (typeof file === 'string' ? [path.basename(file)] : [])),
  );
  const text = read('docs/files.md');
  const generic = named.map((name) => name.replace(/\b(web1|lab)\b/, 'NAME'));
  expect(generic.length).toBeGreaterThan(30);
  expect(generic.filter((name) => !text.includes(name))).toEqual([]);
});

test('whoever installed the package has what its pages lead to', () => {
  const { files } = JSON.parse(read('package.json')) as { readonly files: readonly string[] };
  const has = (file: string): boolean =>
    file === 'README.md' ||
    files.some(
      (one) => file === one || file.startsWith(`${one}/`) || one === `${path.dirname(file)}/*${path.extname(file)}`,
    );
  const ofTheSource = ['ARCHITECTURE.md', 'CONTRIBUTING.md'];
  const own = ['README.md', ...readdirSync(path.join(root, 'docs')).map((file) => `docs/${file}`)].filter((file) =>
    file.endsWith('.md'),
  );
  expect(own.filter((file) => !has(file))).toEqual([]);
  const lost = own.flatMap((file) =>
    [...read(file).matchAll(/\]\(([^)\s#]+)/g)]
      .flatMap(([, link = '']) => (/^[a-z]+:/.test(link) ? [] : [path.join(path.dirname(file), link)]))
      .filter((link) => !has(link) && !(file === 'README.md' && ofTheSource.includes(link)))
      .map((link) => `${file}: ${link}`),
  );
  expect(lost).toEqual([]);
});

describe('ARCHITECTURE.md', () => {
  const source = readdirSync(path.join(root, 'src'), { withFileTypes: true });
  const rows = read('ARCHITECTURE.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|')[1] ?? '');
  const named = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));

  test('its rooms are those of the tree', () => {
    const rooms = source.filter((entry) => entry.isDirectory()).map(({ name }) => `${name}/`);
    expect(named.filter((name) => name.endsWith('/')).toSorted()).toEqual(rooms.toSorted());
  });

  test('files that it names are there', () => {
    const files = source.filter((entry) => entry.isFile()).map(({ name }) => name);
    expect(named.filter((name) => name.endsWith('.ts') && !files.includes(name))).toEqual([]);
  });

  test('it names the rooms within rooms', () => {
    const text = read('ARCHITECTURE.md');
    const inner = source
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => readdirSync(path.join(root, 'src', name), { withFileTypes: true }))
      .filter((entry) => entry.isDirectory());
    expect(inner.length).toBeGreaterThan(5);
    expect(inner.filter(({ name }) => !text.includes(`${name}/`)).map(({ name }) => name)).toEqual([]);
  });
});
