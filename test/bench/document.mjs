/**
 * `node test/bench/document.mjs FILE`: puts the figures of `npm run --silent bench -- --json >FILE` into docs/bench.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { renderMarkdown } from './report.mjs';

const page = path.resolve(import.meta.dirname, '../../docs/bench.md');
const [begin, end] = ['<!-- figures -->', '<!-- end of figures -->'];
const file = process.argv[2];
if (file === undefined) {
  process.stderr.write('node test/bench/document.mjs FILE\n');
  process.exit(2);
}
const figures = renderMarkdown(JSON.parse(readFileSync(file, 'utf8')));
const text = readFileSync(page, 'utf8');
const [before, rest] = text.split(begin);
const after = rest?.split(end)[1];
if (after === undefined) throw new Error(`${page} has no place for figures`);
writeFileSync(page, `${before}${begin}\n${figures}\n${end}${after}`);
