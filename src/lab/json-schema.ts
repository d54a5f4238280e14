/** The JSON Schema of a lab file, for editors: from the same source as the parser. Built at build time (`npm run schema`), never at run time. */
import * as z from 'zod/mini';
import { labSchema, vmsSchema } from './schema.ts';

export function buildLabJsonSchema(): Record<string, unknown> {
  const context = { directory: '/', home: '/' };
  const { $schema, ...rest } = z.toJSONSchema(labSchema(context, vmsSchema(context)), {
    target: 'draft-7',
    io: 'input',
  });
  return { $schema, title: 'qrun lab', ...rest };
}
