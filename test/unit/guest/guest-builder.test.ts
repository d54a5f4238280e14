import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly data?: Buffer;
}

interface Module {
  readonly name: string;
  readonly file: string;
  readonly depends: readonly string[];
  readonly aliases: readonly string[];
}

/** The builder is plain JavaScript, because it runs before anything is installed. */
const builder = path.resolve(import.meta.dirname, '../../guest');
const { buildCpio } = (await import(path.join(builder, 'cpio.mjs'))) as {
  buildCpio: (entries: readonly Entry[]) => Buffer;
};
const { readModules, renderAliases, renderDependencies } = (await import(path.join(builder, 'modules.mjs'))) as {
  readModules: (directory: string, wanted: readonly string[]) => Module[];
  renderAliases: (modules: readonly Module[]) => string;
  renderDependencies: (modules: readonly Module[]) => string;
};
const { buildMasquerade } = (await import(path.join(builder, 'masquerade.mjs'))) as { buildMasquerade: () => Buffer };
const { buildUdpEcho } = (await import(path.join(builder, 'udp-echo.mjs'))) as { buildUdpEcho: () => Buffer };

function temporaryDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'qrun-guest-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const entries: readonly Entry[] = [
  { path: 'etc/name', mode: 0o100644, data: Buffer.from('alpha\n') },
  { path: 'etc', mode: 0o040755 },
  { path: 'bin', mode: 0o120777, data: Buffer.from('etc') },
];

test('an archive does not depend on the order of its entries', () => {
  expect(buildCpio(entries).equals(buildCpio(entries.toReversed()))).toBe(true);
});

test('cpio reads the archive back', (context) => {
  const listed = spawnSync('cpio', ['-itv', '--quiet'], { input: buildCpio(entries), encoding: 'utf8' });
  if (listed.error !== undefined) context.skip('needs cpio');
  expect(listed.status).toBe(0);
  const lines = listed.stdout.trim().split('\n');
  expect(lines.map((line) => line.split(/\s+/)[0])).toEqual(['lrwxrwxrwx', 'drwxr-xr-x', '-rw-r--r--']);
  expect(lines[0]).toMatch(/bin -> etc$/);
  const extracted = spawnSync('cpio', ['-i', '--quiet', '--to-stdout', 'etc/name'], { input: buildCpio(entries) });
  expect(extracted.stdout.toString()).toBe('alpha\n');
});

function writeModule(directory: string, file: string, info: Readonly<Record<string, string>>): void {
  const target = path.join(directory, file);
  mkdirSync(path.dirname(target), { recursive: true });
  const strings = Object.entries(info).map(([key, value]) => `${key}=${value}\0`);
  writeFileSync(target, `\x7fELF…\0${strings.join('')}rest`);
}

test('modules come with what they depend on, and what is needed first stands last', () => {
  const directory = temporaryDirectory();
  writeModule(directory, 'net/virtio-net.ko', { alias: 'virtio:d00000001v*', depends: 'virtio_ring,virtio' });
  writeModule(directory, 'virtio/virtio_ring.ko', { depends: 'virtio' });
  writeModule(directory, 'virtio/virtio.ko', { depends: '' });
  writeModule(directory, 'other/unwanted.ko', { depends: 'virtio' });
  const modules = readModules(directory, ['virtio_net', 'built_in']);
  expect(modules.map(({ name }) => name)).toEqual(['virtio', 'virtio_net', 'virtio_ring']);
  expect(renderDependencies(modules).split('\n')).toContain(
    'net/virtio-net.ko: virtio/virtio_ring.ko virtio/virtio.ko',
  );
  expect(renderAliases(modules)).toBe('alias virtio:d00000001v* virtio_net\n');
});

test.each([
  ['echo', buildUdpEcho],
  ['masquerade', buildMasquerade],
])('the %s program is an executable that fits its headers', (_name, build) => {
  const program = build();
  expect(program.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
  // sizes in the file and in memory
  expect([program.readBigUInt64LE(96), program.readBigUInt64LE(104)]).toEqual(
    Array.from({ length: 2 }, () => BigInt(program.length)),
  );
});
