/** Documents that qrun prints, held to the schemas that it ships. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { repository } from './facts.ts';

const directory = path.join(repository, 'schema');
const suffix = '.schema.json';

/** Commands and the like that have a schema: `show`, `ps`, `error`, … */
export function documentSchemas(): readonly string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length));
}

let ajv: Ajv | undefined;

function loaded(): Ajv {
  if (ajv !== undefined) return ajv;
  ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
  for (const name of documentSchemas()) {
    const schema = JSON.parse(readFileSync(path.join(directory, name + suffix), 'utf8')) as Record<string, unknown>;
    ajv.addSchema({ ...schema, $id: name + suffix });
  }
  return ajv;
}

/**
 * Parses what `qrun NAME --json` printed, and checks it.
 * @throws Error that names each place where it is not what the schema says
 */
export function parseDocument(name: string, text: string): unknown {
  const document: unknown = JSON.parse(text);
  const validate = loaded().getSchema(name + suffix);
  if (validate === undefined) throw new Error(`there is no schema for ${name}`);
  if (validate(document) === true) return document;
  const faults = (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath || '/'} ${message}`);
  throw new Error(`${name} --json is not what its schema says:\n${faults.join('\n')}\n${text.slice(0, 2000)}`);
}
