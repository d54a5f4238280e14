/** The names of interfaces: reserved by who looks first, used up by who runs, never the same again. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { linkAliasOf, linkIndexOf, linkNameOf, parseLinkAlias } from '../../../src/link-name.ts';
import type { IfName } from '../../../src/names.ts';
import type { LinkNamesStep } from '../../../src/plan/step.ts';
import type { Nic } from '../../../src/profile/profile.ts';
import { linkNames, NamesTaken, reserveLinkNames } from '../../../src/resources/link-names.ts';
import { createSystem } from '../../../src/system/real.ts';

let root: string;
let file: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'qrun-names-'));
  file = path.join(root, 'links.json');
});
afterEach(() => rmSync(root, { recursive: true }));

const common = { id: 'net0', model: 'virtio-net-pci', queues: 1, vhost: 'auto' } as const;
const aTap: Nic = { ...common, kind: 'tap', bridge: 'br0' as IfName };
const anOwnTap: Nic = { ...common, kind: 'tap', device: 'tap0' as IfName };
const boot = (bootId: string) => ({ ...createSystem(), bootId: () => bootId });
const seeds = (): (() => string) => {
  let last = 0;
  return () => `a${String((last += 1)).padStart(19, '0')}`;
};
const reserve = (draw: () => string, bootId = 'b1', nics: readonly Nic[] = [aTap]) =>
  reserveLinkNames({ system: boot(bootId), file, nics, draw });

const aStep = (seed: string, names: readonly string[] = []): LinkNamesStep => ({
  ...{ kind: 'link-names', id: 'link-names', needsRoot: false, path: file, seed, names },
});
const use = async (step: LinkNamesStep, bootId = 'b1') =>
  await linkNames.acquire(step, {
    ...{ system: boot(bootId), runId: 'r', descriptors: new Map(), warn: () => {}, record: () => {} },
  });

test('who looks twice sees the same, until a run has used it up; then it never comes again', async () => {
  const draw = seeds();
  const seen = new Set<string>();
  for (let run = 0; run < 5; run += 1) {
    const seed = reserve(draw) ?? '';
    expect(reserve(draw)).toBe(seed);
    expect(seen.has(seed)).toBe(false);
    seen.add(seed);
    await use(aStep(seed));
    expect(existsSync(file)).toBe(false);
    // given back twice, it stays used
    await linkNames.release(aStep(seed), {}, { system: boot('b1'), runId: 'r', started: true, sameBoot: true });
  }
});

test('a VM whose interfaces are all named by its profile has nothing reserved', () => {
  expect(reserve(seeds(), 'b1', [anOwnTap])).toBeUndefined();
  expect(existsSync(file)).toBe(false);
});

test('of two starts with one plan the second has another; a reservation of somebody else’s is left', async () => {
  const draw = seeds();
  const seed = reserve(draw) ?? '';
  await use(aStep(seed));
  await expect(use(aStep(seed))).rejects.toBeInstanceOf(NamesTaken);
  const next = reserve(draw) ?? '';
  await expect(use(aStep(seed))).rejects.toBeInstanceOf(NamesTaken);
  expect(reserve(draw)).toBe(next);
});

test('one of an earlier boot, damaged or cut short is drawn anew', () => {
  const draw = seeds();
  const seed = reserve(draw);
  expect(reserve(draw, 'b2')).not.toBe(seed);
  for (const text of ['', '{', '{"v":1}', '{"v":1,"bootId":"b1","seed":"../x"}', '[]']) {
    writeFileSync(file, text);
    expect(reserve(draw)).toMatch(/^a\d{19}$/);
  }
});

test('a name that an interface has is not reserved, and not used', async () => {
  // the loopback is the one that every host has: no seed gives it, so the step names it itself
  await expect(use(aStep(reserve(seeds()) ?? '', ['lo']))).rejects.toBeInstanceOf(NamesTaken);
  expect(existsSync(file)).toBe(false);
});

test('a link in its place is not followed', () => {
  const other = path.join(root, 'other');
  writeFileSync(other, 'mine');
  symlinkSync(other, file);
  expect(() => reserve(seeds())).toThrow(expect.objectContaining({ code: 'unsafe-state' }));
  expect(readFileSync(other, 'utf8')).toBe('mine');
});

test('without a draw of the test’s own, twenty letters and digits; two hundred are two hundred names and devices', () => {
  const names = new Set<string>();
  const indexes = new Set<number>();
  for (let drawn = 0; drawn < 200; drawn += 1) {
    rmSync(file, { force: true });
    const seed = reserveLinkNames({ system: boot('b1'), file, nics: [aTap] }) ?? '';
    expect(seed).toMatch(/^[0-9a-z]{20}$/);
    const name = linkNameOf({ seed, nic: 'net0', role: 'tap' });
    expect(name).toMatch(/^qr-[0-9a-f]{12}$/);
    names.add(name);
    const index = linkIndexOf({ seed, nic: 'net0', role: 'macvtap' });
    expect(index >= 0x1000_0000 && index < 0x2000_0000).toBe(true);
    indexes.add(index);
  }
  expect(names.size).toBe(200);
  expect(indexes.size).toBeGreaterThan(198);
});

test('an alias says whose it is; what is near it is none', () => {
  const owner = { state: '/s', vm: 'web-1.x', nic: 'net0', role: 'macvtap' } as const;
  const alias = linkAliasOf(owner);
  expect(parseLinkAlias(alias)).toEqual({ ...owner, state: expect.stringMatching(/^[0-9a-f]{16}$/) });
  expect(parseLinkAlias(linkAliasOf({ ...owner, vm: 'net/lan0' }))).toMatchObject({ vm: 'net/lan0' });
  for (const other of [
    '',
    'mine',
    `${alias}x`,
    ` ${alias}`,
    alias.replace('macvtap', 'veth'),
    'qrun:web1/net0',
    'qrun:',
  ])
    expect(parseLinkAlias(other)).toBeUndefined();
});

test.for([
  ['a link', () => symlinkSync('/etc/hostname', file), 'rm'],
  ['a directory', () => mkdirSync(file), 'rm -r'],
  ['what is far too long', () => writeFileSync(file, 'x'.repeat(5000)), 'rm'],
] as const)('%s in its place is refused, and the hint mends it', async ([, put, remove]) => {
  put();
  const refusal = expect.objectContaining({ code: 'unsafe-state', hint: `${remove} ${file}` });
  expect(() => reserve(seeds())).toThrow(refusal);
  await expect(use(aStep('a'))).rejects.toEqual(refusal);
  rmSync(file, { recursive: true });
  expect(reserve(seeds())).toBeDefined();
});
