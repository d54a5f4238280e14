/**
 * The bundle in layers, a file each: what `ls` needs is not read with what starts a VM, and that not with networks and labs. esbuild's own splitting
 * makes ES modules only.
 *
 * A module lies in the first layer that needs it without a dynamic import. A later layer gets it from there (`modules` of that file), so there is one
 * of each: `instanceof` holds. An earlier layer reaches a later one by `await import()` alone.
 */
import path from 'node:path';
import { build } from 'esbuild';
import { root } from './load-source.mjs';

/** @typedef {import('esbuild').BuildOptions} BuildOptions */
/** @typedef {import('esbuild').Metafile['inputs']} Inputs */
/** @typedef {{ readonly name: string, readonly roots: readonly string[], readonly common?: readonly (readonly string[])[] }} LayerInput the file, and what is wanted to be in it at the latest, what each of several lists of roots needs among it; the last one takes the rest */
/** @typedef {{ readonly name: string, readonly contents: string, readonly plugin: import('esbuild').Plugin }} Layer */

/**
 * @param {string} entry exports of it are the first file's
 * @param {readonly LayerInput[]} inputs
 * @param {BuildOptions} options of the bundle as a whole
 * @returns {Promise<Layer[]>}
 */
export async function planLayers(entry, inputs, options) {
  const { metafile } = await build({
    ...options,
    entryPoints: [entry],
    write: false,
    metafile: true,
    outfile: 'all.cjs',
  });
  const graph = metafile?.inputs ?? {};
  const layerOf = placeModules(graph, entry, inputs);
  const shared = sharedModules(graph, layerOf);
  const exported = await exportsOf(shared);
  const names = inputs.map(({ name }) => name);
  return names.map((name, index) => ({
    name,
    contents: contentsOf(
      index === 0 ? entry : undefined,
      shared.filter((file) => layerOf.get(file) === index),
    ),
    plugin: layerPlugin(index, { names, layerOf, exported }),
  }));
}

/** @param {string} file */
const isSource = (file) => !/^[\w-]+:/.test(file);
/** The same wherever node_modules lies. @param {string} file */
const keyOf = (file) => file.replace(/^.*node_modules\//, '');

/** @param {Inputs} graph @param {string} entry @param {readonly LayerInput[]} inputs @returns {Map<string, number>} */
function placeModules(graph, entry, inputs) {
  /** @type {Map<string, number>} */
  const layerOf = new Map();
  const late = Object.values(graph).flatMap(({ imports }) =>
    imports.flatMap((one) => (one.kind === 'dynamic-import' && isInternal(one) ? [one.path] : [])),
  );
  for (const [index, { roots, common = [] }] of inputs.entries()) {
    const wanted = [
      ...(index === 0 ? [entry] : []),
      ...filesOf(graph, roots),
      ...inAll(common.map((names) => neededBy(graph, filesOf(graph, names)))),
      ...(index === inputs.length - 1 ? late : []),
    ];
    for (const file of neededBy(graph, wanted)) if (!layerOf.has(file)) layerOf.set(file, index);
  }
  return layerOf;
}

/** @param {Inputs} graph @param {readonly string[]} names */
function filesOf(graph, names) {
  return names.map((name) => {
    const file = Object.keys(graph).find((one) => isSource(one) && keyOf(one) === name);
    if (file === undefined) throw new Error(`${name} is not in the bundle`);
    return file;
  });
}

/** They and all that they import, but for what they import when they come to it. @param {Inputs} graph @param {readonly string[]} files */
function neededBy(graph, files) {
  /** @type {Set<string>} */
  const found = new Set();
  const open = [...files];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    for (const one of graph[file]?.imports ?? [])
      if (one.kind !== 'dynamic-import' && isInternal(one)) open.push(one.path);
  }
  return found;
}

/** @param {readonly ReadonlySet<string>[]} sets */
const inAll = ([first = new Set(), ...others]) => [...first].filter((file) => others.every((set) => set.has(file)));

/** @param {{ readonly path: string, readonly external?: boolean }} one */
const isInternal = ({ path: file, external }) => external !== true && isSource(file);

/** Those that another layer imports. @param {Inputs} graph @param {ReadonlyMap<string, number>} layerOf */
function sharedModules(graph, layerOf) {
  const shared = Object.entries(graph).flatMap(([file, { imports }]) =>
    isSource(file)
      ? imports.filter((one) => isInternal(one) && layerOf.get(one.path) !== layerOf.get(file)).map((one) => one.path)
      : [],
  );
  return [...new Set(shared)].toSorted();
}

/** @param {string | undefined} entry @param {readonly string[]} files */
function contentsOf(entry, files) {
  const modules = files.map((file) => {
    const aim = isZod(file) ? 'zod-names' : path.resolve(root, file);
    return `${JSON.stringify(keyOf(file))}: () => require(${JSON.stringify(aim)})`;
  });
  const own = entry === undefined ? '' : `export * from ${JSON.stringify(`./${entry}`)};`;
  return `${own}export const modules = {${modules.join(',')}};`;
}

/**
 * The names that our own files export. Given by name they cost an importer nothing; a namespace is copied for each importer.
 * @param {readonly string[]} files
 */
async function exportsOf(files) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: files.filter((file) => file.startsWith('src/')),
    outbase: root,
    outdir: 'names',
    format: 'esm',
    write: false,
    metafile: true,
  });
  return new Map(
    Object.values(metafile?.outputs ?? {}).flatMap(({ entryPoint, exports }) =>
      entryPoint === undefined ? [] : [[entryPoint, exports]],
    ),
  );
}

/** @param {string} file */
const isZod = (file) => keyOf(file) === 'zod/mini/index.js';

/** @param {number} index @param {{ readonly names: readonly string[], readonly layerOf: ReadonlyMap<string, number>, readonly exported: ReadonlyMap<string, readonly string[]> }} layers @returns {import('esbuild').Plugin} */
function layerPlugin(index, { names, layerOf, exported }) {
  return {
    name: 'layers',
    setup({ onResolve, onLoad, resolve }) {
      onResolve({ filter: /^\.\/[a-z]+\.cjs$/, namespace: 'layer' }, ({ path: name }) => ({
        path: name,
        external: true,
      }));
      onResolve(
        { filter: /^[./a-z@]/, namespace: 'file' },
        async ({ path: name, kind, importer, resolveDir, pluginData }) => {
          if (pluginData === 'layers' || name.startsWith('node:') || kind === 'entry-point') return undefined;
          const found = await resolve(name, { kind, importer, resolveDir, namespace: 'file', pluginData: 'layers' });
          if (found.external || found.namespace !== 'file') return found;
          const file = path.relative(root, found.path);
          const layer = layerOf.get(file) ?? index;
          return layer === index ? found : { path: file, namespace: 'layer' };
        },
      );
      onLoad({ filter: /.*/, namespace: 'layer' }, ({ path: file }) => {
        const found = `require(${JSON.stringify(`./${names[layerOf.get(file) ?? 0]}`)}).modules[${JSON.stringify(keyOf(file))}]()`;
        const members = exported.get(file);
        const contents =
          members === undefined ? `module.exports = ${found};` : `export const { ${members.join(', ')} } = ${found};`;
        return { contents, resolveDir: root };
      });
    },
  };
}
