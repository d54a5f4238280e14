/**
 * `npm run build`: src/cli.ts → dist/qrun.cjs, one CommonJS file in which `await import()` is a lazily run wrapper, and src/boot.ts → dist/boot.cjs.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

/**
 * Packages that cost milliseconds at each start, replaced by our own few lines: string-width makes an Intl.Segmenter and compiles regular
 * expressions of all emoji when it is loaded, and yargs brings it twice.
 * @type {Readonly<Record<string, string>>}
 */
const replacements = {
  'string-width': `export { widthOf as default } from './src/report/width.ts';`,
  'strip-ansi': `export { stripEscapes as default } from './src/report/width.ts';`,
  'wrap-ansi': `export { wrapWords as default } from './src/report/wrap.ts';`,
};

/** @type {import('esbuild').Plugin} */
const replace = {
  name: 'replace',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(?:string-width|strip-ansi|wrap-ansi)$/ }, ({ path: name }) => ({
      path: name,
      namespace: 'replacement',
    }));
    onLoad({ filter: /.*/, namespace: 'replacement' }, ({ path: name }) => ({
      contents: replacements[name],
      resolveDir: root,
      loader: 'ts',
    }));
  },
};

/** @type {import('esbuild').BuildOptions} */
const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  charset: 'ascii',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'external',
  logLevel: 'warning',
  // a script made by node:vm has no import() of its own
  supported: { 'dynamic-import': false },
};

const bundle = await build({
  ...common,
  entryPoints: ['src/cli.ts'],
  outfile: 'dist/qrun.cjs',
  plugins: [replace],
  banner: { js: "const importMetaUrl=require('node:url').pathToFileURL(__filename).href;" },
  define: {
    'import.meta.url': 'importMetaUrl',
    'import.meta.dirname': '__dirname',
    QRUN_VERSION: JSON.stringify(version),
  },
  metafile: process.argv.includes('--analyse'),
});
const hash = createHash('sha256')
  .update(readFileSync(path.join(root, 'dist/qrun.cjs')))
  .digest('hex');
await build({
  ...common,
  entryPoints: ['src/boot.ts'],
  outfile: 'dist/boot.cjs',
  legalComments: 'none',
  define: { QRUN_VERSION: JSON.stringify(version), QRUN_BUILD: JSON.stringify(hash) },
});
if (bundle.metafile !== undefined) {
  const { analyzeMetafile } = await import('esbuild');
  process.stdout.write(await analyzeMetafile(bundle.metafile));
}
