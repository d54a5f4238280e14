/**
 * The JSON Schema of a network's definition, for editors: from the same source as the parser. Built at build time (`npm run schema`), never at run time.
 */
import * as z from 'zod/mini';
import { networkSchema } from './schema.ts';

export function buildNetworkJsonSchema(): Record<string, unknown> {
  const schema = networkSchema({ directory: '/', home: '/' });
  const { $schema, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' });
  return { $schema, title: 'qrun network', ...rest };
}
