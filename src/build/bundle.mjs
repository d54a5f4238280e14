/**
 * `npm run build`: src/cli.ts → dist/qrun.cjs, one CommonJS file in which `await import()` is a lazily run wrapper, and src/boot.ts → dist/boot.cjs.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { loadSource, root } from './load-source.mjs';
import { replace } from './replace.mjs';

const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

/** Modules of Node's that take a millisecond or more to load. What is in the bundle gets them when it first uses something of them. */
const slowModules = ['child_process', 'crypto', 'dgram', 'net', 'readline/promises', 'stream', 'tty', 'zlib'];

/** @type {import('esbuild').Plugin} */
const lazyModules = {
  name: 'lazy-modules',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path: name, namespace }) =>
      namespace === 'file' && slowModules.includes(name.slice('node:'.length))
        ? { path: name, namespace: 'lazy' }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'lazy' }, async ({ path: name }) => {
      const names = Object.keys(await import(name)).filter((member) => member !== 'default');
      const getter = `for(const name of ${JSON.stringify(names)})Object.defineProperty(exports,name,{enumerable:true,get:()=>require(${JSON.stringify(name)})[name]});`;
      return { contents: getter, loader: 'js' };
    });
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

/**
 * Packages that only some commands use, and late: each is a file of its own, so that the others need not read and register its functions.
 * @type {Readonly<Record<string, string>>}
 */
const libraries = {
  execa: `module.exports = require('execa');`,
  'proper-lockfile': `module.exports = require('proper-lockfile');`,
  yaml: `module.exports = require('yaml');`,
  // a CommonJS module's default is what it exports as a whole
  yargs: `const yargs = require('yargs'); module.exports = yargs.default ?? yargs;`,
};
const libraryFile = (/** @type {string} */ name) => `${name}.cjs`;

/** @type {import('esbuild').Plugin} */
const apart = {
  name: 'apart',
  setup({ onResolve }) {
    onResolve({ filter: /^[a-z-]+$/ }, ({ path: name }) =>
      Object.hasOwn(libraries, name) ? { path: `./${libraryFile(name)}`, external: true } : undefined,
    );
  },
};

// the help as it is without a terminal, and on most of them: laid out by yargs once, here
const { renderHelp } = /** @type {typeof import('../commands/help.ts')} */ (await loadSource('src/commands/help.ts'));
const define = {
  // nothing that is left in the bundle asks where it is
  'import.meta.url': '"file:///qrun"',
  QRUN_VERSION: JSON.stringify(version),
  QRUN_HELP: JSON.stringify(await renderHelp(undefined, undefined)),
};
const bundle = await build({
  ...common,
  entryPoints: ['src/cli.ts'],
  outfile: 'dist/qrun.cjs',
  plugins: [apart, replace, lazyModules],
  define,
  metafile: process.argv.includes('--analyse'),
});
await Promise.all(
  Object.entries(libraries).map(([name, contents]) =>
    build({
      ...common,
      stdin: { contents, resolveDir: root },
      outfile: path.join('dist', libraryFile(name)),
      plugins: [replace],
      define,
    }),
  ),
);
const sources = ['qrun.cjs', ...Object.keys(libraries).map(libraryFile)];
const hash = createHash('sha256');
for (const name of sources) hash.update(readFileSync(path.join(root, 'dist', name)));
const { commands } = /** @type {typeof import('../commands/list.ts')} */ (await loadSource('src/commands/list.ts'));
const families = Object.fromEntries(commands.map(({ name, family }) => [name, family ?? 'light']));
await build({
  ...common,
  entryPoints: ['src/boot.ts'],
  outfile: 'dist/boot.cjs',
  legalComments: 'none',
  define: {
    QRUN_VERSION: JSON.stringify(version),
    QRUN_BUILD: JSON.stringify(hash.digest('hex')),
    QRUN_SOURCES: JSON.stringify(sources),
    QRUN_FAMILIES: JSON.stringify(families),
  },
});
if (bundle.metafile !== undefined) {
  const { analyzeMetafile } = await import('esbuild');
  process.stdout.write(await analyzeMetafile(bundle.metafile));
}
