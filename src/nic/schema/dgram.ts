/** `kind: dgram`: a cable between two guests, over UDP or unix datagrams. */
import type { FieldContext } from '../../profile/fields.ts';
import { endpoint, listeningEndpoint, nicMap, type NicRule } from './common.ts';

export function dgramSchema(context: FieldContext) {
  return nicMap('dgram', 'A cable to one other guest without a connection. Needs no rights.', {
    local: listeningEndpoint(context, 'This end: a unix path or address:port.', ['127.0.0.1:6001', './a.sock']),
    remote: endpoint(context, 'The other end: a unix path or host:port.', ['127.0.0.1:6002', './b.sock']),
  });
}

export const dgramRule: NicRule = ({ local, remote }) => {
  if (typeof local !== 'string' || typeof remote !== 'string') return [];
  if (isPath(local) !== isPath(remote))
    return [{ key: 'remote', message: 'both ends are unix paths, or both are host:port' }];
  return local === remote ? [{ key: 'remote', message: 'both ends are the same' }] : [];
};

const isPath = (text: string): boolean => /^[/.~]/.test(text);
