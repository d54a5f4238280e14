/** `kind: dgram`: a cable between two guests, over UDP or unix datagrams. */
import path from 'node:path';
import { isIpv6Literal, isMulticast, parseHostPort } from '../../profile/address.ts';
import type { FieldContext } from '../../profile/fields.ts';
import { endpoint, listeningEndpoint, nicMap, type NicFault, type NicRule } from './common.ts';

export function dgramSchema(context: FieldContext) {
  return nicMap('dgram', 'A cable to one other guest without a connection. Needs no rights.', {
    local: listeningEndpoint(context, 'This end: a unix path or address:port.', ['127.0.0.1:6001', './a.sock']),
    remote: endpoint(context, 'The other end: a unix path or host:port.', ['127.0.0.1:6002', './b.sock']),
  });
}

export const dgramRule: NicRule = (written) => {
  const { local, remote } = written;
  const faults = ['local', 'remote'].flatMap((key) => faultOfEnd(key, written[key]));
  if (typeof local !== 'string' || typeof remote !== 'string' || faults.length > 0) return faults;
  if (isPath(local) !== isPath(remote))
    return [{ key: 'remote', message: 'both ends are unix paths, or both are host:port' }];
  const [one, other] = isPath(local) ? [path.normalize(local), path.normalize(remote)] : [local, remote];
  return one === other ? [{ key: 'remote', message: 'both ends are the same' }] : [];
};

const isPath = (text: string): boolean => /^[/.~]/.test(text);

function faultOfEnd(key: string, text: unknown): NicFault[] {
  const end = typeof text !== 'string' || isPath(text) ? undefined : parseHostPort(text);
  if (end === undefined || 'fault' in end) return [];
  const { host } = end.value;
  if (isIpv6Literal(host))
    return [{ key, message: "QEMU's dgram is IPv4 alone; kind: l2tpv3 and kind: stream take IPv6" }];
  return isMulticast(host) ? [{ key, message: `${host} is a multicast group: that is kind: mcast` }] : [];
}
