/** The program that makes a router of the test guest, on this host's kernel: nft must read back what it asked for. */
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createNamespace, needsFile, needsRoot } from '../harness/harness.ts';

const builder = path.resolve(import.meta.dirname, '../guest/masquerade.mjs');

test('it asks the kernel for one chain with one rule, and tells whether it got it', async (context) => {
  needsRoot(context);
  needsFile(context, '/usr/sbin/nft');
  const { buildMasquerade } = (await import(builder)) as { buildMasquerade: () => Buffer };
  const namespace = await createNamespace();
  const program = `${namespace.dir}/masquerade`;
  writeFileSync(program, buildMasquerade());
  chmodSync(program, 0o755);
  expect(namespace.run([program])).toMatchObject({ status: 0 });
  const { stdout } = namespace.run(['nft', 'list', 'ruleset']);
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /^table ip nat \{ chain out \{ type nat hook postrouting priority srcnat; policy accept; masquerade \} \} $/,
  );
  const unprivileged = ['setpriv', '--reuid=65534', '--clear-groups', '--inh-caps=-all', '--bounding-set=-all'];
  expect(namespace.run([...unprivileged, program]).status).not.toBe(0);
});
