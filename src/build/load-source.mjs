/** A TypeScript source of ours as a module that build scripts can use, with what it loads only when needed left out. */
import path from 'node:path';
import { build } from 'esbuild';
import { replace } from './replace.mjs';

export const root = path.resolve(import.meta.dirname, '../..');

/** @type {import('esbuild').Plugin} */
const leaveOut = {
  name: 'leave-out',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ kind, path: name }) =>
      kind === 'dynamic-import' ? { path: name, external: true } : undefined,
    );
  },
};

/**
 * @param {string} file relative to the root
 * @returns {Promise<Readonly<Record<string, unknown>>>} its exports
 */
export async function loadSource(file) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [file],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    logLevel: 'warning',
    plugins: [leaveOut, replace],
  });
  const source = Buffer.from(outputFiles[0]?.contents ?? []).toString('base64');
  return await import(`data:text/javascript;base64,${source}`);
}
