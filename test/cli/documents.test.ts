import { expect, test } from 'vitest';
import { documentSchemas, parseDocument } from '../harness/document.ts';
import { createHome, needsQemu } from '../harness/harness.ts';
import { commands } from '../../src/commands/list.ts';

const web1 = 'memory: 64M\nnics:\n  - kind: user\n    forwards: ["auto:22", "127.0.0.1:18080:80", "15353:53/udp"]\n';

test('every command that prints a document has a schema, and the schemas are used', () => {
  const named = commands.filter(({ document }) => document === true).map(({ name }) => name);
  expect(documentSchemas().toSorted()).toEqual([...named, 'error', 'nic', 'profile'].toSorted());
});

test('a document that lacks something, or has something else in its place, is found', () => {
  expect(() => parseDocument('ps', '[{"vm": "web1"}]')).toThrow("/0 must have required property 'pid'");
  expect(() =>
    parseDocument('nics', '[{"id":"net0","kind":"user","model":"e1000","mac":"x","netdev":"net0"}]'),
  ).toThrow('/0/mac');
});

test('ls, ps and gc of nothing', async () => {
  const home = createHome();
  for (const name of ['ps', 'gc']) {
    const { status, stdout, stderr } = await home.qrun([name, '--json']);
    expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: '' });
    expect(parseDocument(name, stdout)).toEqual([]);
  }
  expect(parseDocument('ls', (await home.qrun(['ls', '--json'])).stdout)).not.toEqual([]);
});

test('show, nics and ls of a profile', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  home.profile('web1', web1);
  const show = await home.qrun(['show', 'web1', '--json']);
  expect(show.stderr).toBe('');
  const plan = parseDocument('show', show.stdout);
  expect(plan).toMatchObject({
    vm: 'web1',
    nics: [{ id: 'net0', forwards: [{ hostPort: 'auto' }, { hostPort: 18080 }, { protocol: 'udp' }] }],
  });
  const nics = parseDocument('nics', (await home.qrun(['nics', 'web1', '--json'])).stdout);
  expect(nics).toMatchObject([{ id: 'net0', mac: (plan as { nics: { mac: string }[] }).nics[0]?.mac }]);
  const rows = parseDocument('ls', (await home.qrun(['ls', '--json'])).stdout);
  expect(rows).toContainEqual(expect.objectContaining({ name: 'web1', state: 'stopped' }));
});

test('doctor', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  const { stdout } = await home.qrun(['doctor', '--json']);
  expect(parseDocument('doctor', stdout)).not.toEqual([]);
});

test('errors: of usage, of a profile, of a name', async () => {
  const home = createHome();
  home.profile('bad', 'memory: lots\nnisc: []\n');
  for (const args of [['ls', '--nonsense'], ['show', 'bad'], ['show', '..'], ['stop']]) {
    const { status, stderr } = await home.qrun([...args, '--json']);
    expect({ args, status }).toEqual({ args, status: 2 });
    parseDocument('error', stderr);
  }
  const { stderr } = await home.qrun(['show', 'bad', '--json']);
  expect(parseDocument('error', stderr)).toMatchObject({
    error: { code: 'invalid-profile', faults: [{ line: 1 }, { line: 2 }] },
  });
});
