/**
 * `npm run schema`: the JSON Schemas that are generated, from the source that parses. They are checked in, and a test holds them current.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '../..');

/** By the schema's name: the module that makes it, and its function. */
const sources = {
  profile: ['src/profile/json-schema.ts', 'buildProfileJsonSchema'],
  lab: ['src/lab/json-schema.ts', 'buildLabJsonSchema'],
  network: ['src/network/json-schema.ts', 'buildNetworkJsonSchema'],
};

for (const [name, [module = '', make = '']] of Object.entries(sources)) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [module],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    logLevel: 'warning',
  });
  const source = Buffer.from(outputFiles[0]?.contents ?? []).toString('base64');
  const made = await import(`data:text/javascript;base64,${source}`);
  const file = path.join(root, `schema/${name}.schema.json`);
  writeFileSync(file, `${JSON.stringify(made[make](), null, 2)}\n`);
  console.log(`wrote ${path.relative(root, file)}`);
}
