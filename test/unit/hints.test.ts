/** What an error tells one to type must do the same whatever a path has in it, and be a command as a whole. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../src');
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
/** Texts that are told: of each line behind `hint` or `mend`. */
const told = sources.flatMap((file) =>
  readFileSync(path.join(root, file), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const text = /\b(?:hint|mend)\b.*?([`'].*[`'])/.exec(line)?.[1];
      return text === undefined ? [] : [{ file, text }];
    }),
);
const commands =
  /^[`'](?:sudo |chmod |chown |ls |rm |mkdir |cat |mv |fuser |df |findmnt |namei |vde_switch |qemu-img |file )/;

test('paths in commands are one word of a shell', () => {
  expect(told.length).toBeGreaterThan(200);
  const paths = /\$\{(?:\w+\.)*(?:file|directory|next|path|node|socket|program|log|dirname\(\w+\))\}/;
  const bare = ({ text }: { readonly text: string }): string => text.replaceAll(/shellWord\(`[^`]*`\)/g, '');
  expect(told.filter((one) => commands.test(one.text) && paths.test(bare(one)))).toEqual([]);
});

test('what follows a command in brackets is a comment', () => {
  expect(told.filter(({ text }) => commands.test(text) && /^[^#"]* \((?!\$)/.test(text))).toEqual([]);
});
