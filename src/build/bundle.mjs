/**
 * `npm run build`: src/cli.ts → dist/qrun.cjs, end.cjs, launch.cjs, up.cjs and more.cjs (layers.mjs), in which `await import()` is a lazily run wrapper, src/boot.ts →
 * dist/boot.cjs, and src/switch/main.ts → dist/switch.cjs, which is a process of its own.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build, transform } from 'esbuild';
import { planLayers } from './layers.mjs';
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
      const getter = `for(const name of ${JSON.stringify(names)})name in exports||Object.defineProperty(exports,name,{enumerable:true,get:()=>require(${JSON.stringify(name)})[name]});`;
      const own = name === 'node:net' ? `Object.assign(exports,require('./src/build/ip-literal.ts'));` : '';
      return { contents: own + getter, loader: 'js', resolveDir: root };
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
  // LICENSES.txt has it all
  legalComments: 'none',
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

/**
 * What our own files use of zod, for a layer that has it for others: as a whole it is five times as much.
 * @type {import('esbuild').Plugin}
 */
const zodNames = {
  name: 'zod-names',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^zod-names$/ }, ({ path: name }) => ({ path: name, namespace: 'zod-names' }));
    onLoad({ filter: /.*/, namespace: 'zod-names' }, async () => {
      const known = Object.keys(await import('zod/mini'));
      const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => readFileSync(path.join(root, 'src', file), 'utf8'))
        .filter((text) => text.includes(`from 'zod/mini'`));
      // without the types, which bring the most
      const codes = await Promise.all(sources.map((text) => transform(text, { loader: 'ts' })));
      const used = known.filter((name) => codes.some(({ code }) => new RegExp(`\\bz\\.${name}\\b`).test(code)));
      return { contents: `export { ${used.join(', ')} } from 'zod/mini';`, resolveDir: root };
    });
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
/** @param {string} name of the file in dist @param {import('esbuild').BuildOptions} options */
async function compile(name, options) {
  const { outputFiles, metafile } = await build({ ...common, ...options, write: false, metafile: true, outfile: name });
  return {
    name,
    contents: outputFiles?.[0]?.contents ?? new Uint8Array(),
    // what another layer has is told there
    inputs: Object.keys(metafile?.inputs ?? {}).filter((input) => !input.startsWith('layer:')),
  };
}

/** @type {(names: readonly string[]) => string[]} */
const commandFiles = (names) => names.map((name) => `src/commands/${name}.ts`);
const launchRoots = [
  ...commandFiles(['run', 'show', 'stop', 'kill', 'wait', 'release', 'new', 'edit', 'rm']),
  ...['profile/parse', 'profile/settings', 'profile/template'].map((file) => `src/${file}.ts`),
  ...['qemu/probe-questions', 'qemu/image', 'host/passt', 'supervise/passt-port'].map((file) => `src/${file}.ts`),
  // it looks for the MACs that are taken
  'macaddress/index.js',
];
const upRoots = commandFiles(['net-up']);
const layers = await planLayers(
  'src/cli.ts',
  [
    {
      name: 'qrun.cjs',
      roots: commandFiles(['ls', 'ps', 'logs', 'console', 'monitor', 'pause', 'resume', 'reset', 'complete']),
    },
    // to give back takes little of what it takes to start
    {
      name: 'end.cjs',
      roots: [...commandFiles(['net-down']), 'src/resources/registry.ts'],
      common: [launchRoots, upRoots],
    },
    { name: 'launch.cjs', roots: launchRoots },
    // neither schemas nor QEMU: a definition that was understood once is kept
    { name: 'up.cjs', roots: upRoots },
    { name: 'more.cjs', roots: [] },
  ],
  { ...common, plugins: [apart, replace, lazyModules], define },
);

/** As boot.ts runs them: what they are put together with here need not be copied there. @param {Awaited<ReturnType<typeof compile>>} file */
const asFunction = ({ contents, ...file }) => ({
  ...file,
  contents: Buffer.concat([
    Buffer.from('(function(exports,require,module,__filename,__dirname){'),
    contents,
    Buffer.from('\n})'),
  ]),
});

const parts = await Promise.all([
  ...layers.map(({ name, contents, plugin }) =>
    compile(name, {
      stdin: { contents, resolveDir: root, loader: 'js' },
      plugins: [zodNames, plugin, apart, replace, lazyModules],
      define,
    }),
  ),
  ...Object.entries(libraries).map(([name, contents]) =>
    compile(libraryFile(name), { stdin: { contents, resolveDir: root }, plugins: [replace], define }),
  ),
]);
const compiled = parts.map(asFunction);
// one import too many, and each command reads it
for (const { name, inputs } of compiled)
  if (['qrun.cjs', 'end.cjs', 'up.cjs'].includes(name) && inputs.some((input) => /zod/.test(input)))
    throw new Error(`${name} has schemas in it: it is for commands that read no definitions`);
const hash = createHash('sha256');
for (const { contents } of compiled) hash.update(contents);
const { commands, groups } = /** @type {typeof import('../commands/list.ts')} */ (
  await loadSource('src/commands/list.ts')
);
// a group alone is help
const families = [
  ...groups.map(({ name }) => [name, 'help']),
  ...commands.map(({ name, family }) => [name, family ?? 'light']),
];
const boot = await compile('boot.cjs', {
  entryPoints: ['src/boot.ts'],
  define: {
    QRUN_VERSION: JSON.stringify(version),
    QRUN_BUILD: JSON.stringify(hash.digest('hex')),
    QRUN_SOURCES: JSON.stringify(compiled.map(({ name }) => name)),
    QRUN_FAMILIES: JSON.stringify(Object.fromEntries(families)),
  },
});
// it runs for as long as a network does: nothing of qrun's own is in it, and no compiled code is kept for it
const networkSwitch = await compile('switch.cjs', { entryPoints: ['src/switch/main.ts'] });
for (const { name, contents } of [...compiled, networkSwitch]) replaceFile(path.join(root, 'dist', name), contents);
replaceFile(path.join(root, 'dist/boot.cjs'), boot.contents);
replaceFile(path.join(root, 'dist/LICENSES.txt'), licencesOf(compiled.flatMap(({ inputs }) => inputs)));

/** At once, so that a qrun that starts meanwhile reads the old file or the new one; not at all if it is the same. @param {string} file @param {string | Uint8Array} contents */
function replaceFile(file, contents) {
  mkdirSync(path.dirname(file), { recursive: true });
  if (existsSync(file) && readFileSync(file).equals(Buffer.from(contents))) return;
  writeFileSync(`${file}.new`, contents);
  renameSync(`${file}.new`, file);
}

/** The licences of the packages whose code is in the bundle. @param {readonly string[]} inputs */
function licencesOf(inputs) {
  const packages = new Set(
    inputs.flatMap((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []),
  );
  const texts = [...packages].toSorted().map((directory) => {
    const {
      name,
      version: packaged,
      license,
    } = JSON.parse(readFileSync(path.join(root, directory, 'package.json'), 'utf8'));
    const file = readdirSync(path.join(root, directory)).find((one) => /^licen[cs]e/i.test(one));
    const text =
      file === undefined ? `Licence: ${license}` : readFileSync(path.join(root, directory, file), 'utf8').trim();
    return `${name} ${packaged}\n\n${text}\n`;
  });
  return `The files beside this one hold code of these packages.\n\n${texts.join(`\n${'-'.repeat(78)}\n\n`)}`;
}
