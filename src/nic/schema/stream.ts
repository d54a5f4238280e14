/** `kind: stream`: a cable between two guests, over TCP or a unix socket. */
import * as z from 'zod/mini';
import type { FieldContext } from '../../profile/fields.ts';
import { endpoint, given, listeningEndpoint, nicMap, type NicRule } from './common.ts';

export function streamSchema(context: FieldContext) {
  return nicMap('stream', 'A cable to one other guest: one listens, one connects. Needs no rights.', {
    listen: z.exactOptional(
      listeningEndpoint(context, 'Waits here: a unix path or address:port.', ['127.0.0.1:5000', './cable.sock']),
    ),
    connect: z.exactOptional(
      endpoint(context, 'Connects to there: a unix path or host:port.', ['127.0.0.1:5000', './cable.sock']),
    ),
  });
}

export const streamRule: NicRule = (written) => {
  const ends = given(written, ['listen', 'connect']);
  if (ends.length === 1) return [];
  if (ends.length === 2) return [{ key: 'connect', message: 'either listen or connect, not both' }];
  return [{ message: 'a stream needs "listen" or "connect"' }];
};
