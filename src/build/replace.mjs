import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

/**
 * Packages that cost milliseconds at each start, replaced by our own few lines: string-width makes an Intl.Segmenter and compiles regular
 * expressions of all emoji when it is loaded, and yargs brings it twice; what yargs asks of its platform takes as long again.
 * @type {readonly (readonly [RegExp, string])[]}
 */
const replacements = [
  [/^string-width$/, `export { widthOf as default } from './src/report/width.ts';`],
  [/^strip-ansi$/, `export { stripEscapes as default } from './src/report/width.ts';`],
  [/^wrap-ansi$/, `export { wrapWords as default } from './src/report/wrap.ts';`],
  [/platform-shims\/esm\.mjs$/, `export { platform as default } from './src/build/yargs-platform.ts';`],
  [/^yargs\/helpers$/, `export { default as Parser } from 'yargs-parser';`],
];

/** @type {import('esbuild').Plugin} */
export const replace = {
  name: 'replace',
  setup({ onResolve, onLoad }) {
    for (const [index, [filter, contents]] of replacements.entries()) {
      const namespace = `replacement-${index}`;
      onResolve({ filter }, ({ path: name }) => ({ path: name, namespace }));
      onLoad({ filter: /.*/, namespace }, () => ({ contents, resolveDir: root, loader: 'ts' }));
    }
    // yargs-parser looks for a `require` to read configuration files with, and does without
    onResolve({ filter: /^node:module$/ }, ({ path: name, importer }) =>
      importer.includes('yargs') ? { path: name, namespace: 'no-module' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'no-module' }, () => ({ contents: 'export const createRequire = undefined;' }));
  },
};
