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

interface Shape {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: boolean | Shape;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
}

/** Where a document has members that its schema, which allows more, does not tell of. */
export function undeclaredIn(name: string, document: unknown): string[] {
  return [...new Set(undeclaredAt(document, { at: '', file: name + suffix, shape: readShape(name + suffix) }))];
}

interface ShapeAt {
  readonly at: string;
  readonly file: string;
  readonly shape: Shape;
}

const readShape = (file: string): Shape => JSON.parse(readFileSync(path.join(directory, file), 'utf8')) as Shape;

function undeclaredAt(value: unknown, where: ShapeAt): string[] {
  const { at, file, shape } = followed(where);
  if (Array.isArray(value))
    return value.flatMap((one) =>
      shape.items === undefined ? [] : undeclaredAt(one, { at: `${at}[]`, file, shape: shape.items }),
    );
  if (typeof value !== 'object' || value === null) return [];
  const forms = [shape, ...(shape.anyOf ?? []), ...(shape.oneOf ?? [])].map((one) =>
    followed({ at, file, shape: one }),
  );
  return Object.entries(value).flatMap(([key, inner]) => {
    const own = forms.flatMap((form) => {
      const { properties = {}, additionalProperties: rest } = form.shape;
      const found = properties[key] ?? (typeof rest === 'object' ? rest : undefined);
      return found === undefined ? [] : [{ at: `${at}.${key}`, file: form.file, shape: found }];
    });
    return own[0] === undefined ? [`${at}.${key}`] : undeclaredAt(inner, own[0]);
  });
}

function followed(where: ShapeAt): ShapeAt {
  const { $ref } = where.shape;
  if ($ref === undefined) return where;
  const [named = '', pointer = ''] = $ref.split('#');
  const file = named === '' ? where.file : named;
  const shape = pointer
    .split('/')
    .filter((part) => part !== '')
    .reduce((one, part) => (one as Readonly<Record<string, Shape>>)[part] ?? {}, readShape(file));
  return followed({ at: where.at, file, shape });
}
