/**
 * The JSON Schema of a profile, for editors: from the same source as the parser. Built at build time (`npm run schema`), never at run time.
 */
import * as z from 'zod/mini';
import { nicSchemas, shortFormPattern } from '../nic/schema/kinds.ts';
import { described } from './fields.ts';
import { profileSchema } from './schema.ts';

export function buildProfileJsonSchema(): Record<string, unknown> {
  const context = { directory: '/', home: '/' };
  const kinds = Object.values(nicSchemas).map(({ schema }) => schema(context));
  const short = described(z.string(), 'The short form of a NIC.', {
    pattern: shortFormPattern,
    examples: [
      'user',
      'mcast:230.0.0.1:12345',
      'bridge:br0',
      'tap:tap0',
      'macvtap:eth0',
      'vde:/run/vde.ctl',
      'network:lan0',
    ],
  });
  const nic = described(z.union([short, ...kinds]), 'A network card: a kind with its keys, or a short form.');
  const schema = profileSchema(context, nic);
  const { $schema, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' });
  return { $schema, title: 'qrun profile', ...rest };
}
