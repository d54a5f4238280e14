/**
 * `node test/bench/document.mjs FILE…`: puts the figures of `npm run --silent bench -- --json >FILE` into docs/bench.md; several files when the
 * measures were taken one by one with --only.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { renderMarkdown } from './report.mjs';

const page = path.resolve(import.meta.dirname, '../../docs/bench.md');
const [begin, end] = ['<!-- figures -->', '<!-- end of figures -->'];
const files = process.argv.slice(2);
if (files.length === 0) {
  process.stderr.write('node test/bench/document.mjs FILE…\n');
  process.exit(2);
}
const documents = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
const failed = documents.flatMap((document) => document.failed);
if (failed.length > 0) throw new Error(`not everything was measured: ${failed.map(({ name }) => name).join(', ')}`);
const all = (key) => documents.flatMap((document) => document[key]);
const figures = renderMarkdown({
  machine: { ...documents[0].machine, loadBefore: documents.map(({ machine }) => machine.loadBefore).join(' and ') },
  ...Object.fromEntries(['figures', 'checks', 'notes', 'skipped'].map((key) => [key, all(key)])),
});
const text = readFileSync(page, 'utf8');
const [before, rest] = text.split(begin);
const after = rest?.split(end)[1];
if (after === undefined) throw new Error(`${page} has no place for figures`);
writeFileSync(page, `${before}${begin}\n${figures}\n${end}${after}`);
