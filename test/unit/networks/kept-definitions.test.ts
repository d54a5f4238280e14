/** What is kept counts for exactly what it was made from. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Network, NetworkName } from '../../../src/network/network.ts';
import { parseNetwork } from '../../../src/network/parse.ts';
import { keepDefinition, readKeptDefinition, type DefinitionSource } from '../../../src/networks/kept-definitions.ts';

const text = `forward: nat
addresses: [10.66.0.1/24, "fd00:66::1/64"]
dhcp: { hosts: [{ mac: "52:54:00:aa:bb:cc", ip: 10.66.0.9 }], lease: infinite }
dns: { domain: lan.test, records: { txt: [{ name: a, text: b }] } }
forwards: ["0.0.0.0:8080:10.66.0.9:80"]
`;
const source: DefinitionSource = { file: '/c/lan.yaml', name: 'lan' as NetworkName, text, home: '/root', uid: 0 };

function createPlaces() {
  const dir = mkdtempSync(path.join(tmpdir(), 'qrun-kept-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  mkdirSync(path.join(dir, 'dist'));
  writeFileSync(path.join(dir, 'dist/boot.cjs'), 'one');
  return { dir, cache: path.join(dir, 'cache'), examples: path.join(dir, 'profiles') };
}

const understood = (): Network => {
  const { text: written, ...options } = source;
  return parseNetwork(written, options);
};

const fileIn = ({ cache }: { readonly cache: string }): string => path.join(cache, readdirSync(cache)[0] ?? '');

test('what was understood comes back as it was', () => {
  const places = createPlaces();
  expect(readKeptDefinition(source, places)).toBeUndefined();
  keepDefinition(source, understood(), places);
  expect(readKeptDefinition(source, places)).toEqual(understood());
});

test.each<Partial<DefinitionSource>>([
  { text: `${text} ` },
  { file: '/d/lan.yaml' },
  { name: 'wan' as NetworkName },
  { home: '/home/alice' },
  { uid: 1000 },
])('it is nothing for another source: %o', (other) => {
  const places = createPlaces();
  keepDefinition(source, understood(), places);
  expect(readKeptDefinition({ ...source, ...other }, places)).toBeUndefined();
});

test('it is nothing for another build of qrun, nor where there is none', () => {
  const places = createPlaces();
  keepDefinition(source, understood(), places);
  writeFileSync(path.join(places.dir, 'dist/boot.cjs'), 'another');
  expect(readKeptDefinition(source, places)).toBeUndefined();
  rmSync(path.join(places.dir, 'dist'), { recursive: true });
  expect(readKeptDefinition(source, places)).toBeUndefined();
  rmSync(places.cache, { recursive: true });
  keepDefinition(source, understood(), places);
  expect(readdirSync(places.dir)).toEqual([]);
});

test('it is nothing where others can write it, damaged, or another’s under its name', () => {
  const places = createPlaces();
  keepDefinition(source, understood(), places);
  const file = fileIn(places);
  const whole = readFileSync(file, 'utf8');
  for (const mode of [0o620, 0o602]) {
    chmodSync(file, mode);
    expect(readKeptDefinition(source, places)).toBeUndefined();
  }
  chmodSync(file, 0o600);
  expect(readKeptDefinition(source, places)).toEqual(understood());
  for (const bad of [whole.slice(0, -9), '', '[]', 'null', whole.replaceAll('"name":"lan"', '"name":"wan"')]) {
    writeFileSync(file, bad);
    expect(readKeptDefinition(source, places)).toBeUndefined();
  }
});

test('those that nobody has read anew for long go, and nothing else does', () => {
  const places = createPlaces();
  keepDefinition(source, understood(), places);
  const old = fileIn(places);
  const other = path.join(places.cache, 'qemu-0123456789abcdef.json');
  writeFileSync(other, '{}');
  for (const file of [old, other]) utimesSync(file, 1, 1);
  keepDefinition({ ...source, file: '/d/lan.yaml' }, understood(), places);
  expect(readdirSync(places.cache)).toHaveLength(2);
  expect(readdirSync(places.cache)).toContain(path.basename(other));
  expect(readdirSync(places.cache)).not.toContain(path.basename(old));
});
