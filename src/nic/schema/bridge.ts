/** `kind: bridge`: a bridge of the host's, through qemu-bridge-helper. */
import * as z from 'zod/mini';
import { interfaceName, text } from '../../profile/fields.ts';
import { nicMap, type NicRule } from './common.ts';

export function bridgeSchema() {
  return nicMap('bridge', "A bridge of the host's, through qemu-bridge-helper. Needs no rights after `qrun setup`.", {
    bridge: interfaceName('The bridge.'),
    helper: z.exactOptional(
      text('The helper, an absolute path without blanks. Default: the one that QEMU was built with.', faultOfHelper),
    ),
  });
}

/** The helper makes one tap as it likes, and QEMU's back end has no say in it. */
export const bridgeRule: NicRule = ({ queues, vhost }) => [
  ...(typeof queues === 'number' && Number.isInteger(queues) && queues > 1
    ? [{ key: 'queues', message: 'the bridge helper makes a tap with one pair of queues; kind: tap has more' }]
    : []),
  ...(vhost === 'on' ? [{ key: 'vhost', message: "QEMU's back end bridge has no vhost; kind: tap has it" }] : []),
];

/** QEMU hands the helper to a shell when it holds a blank: only a plain path is no command line. */
function faultOfHelper(written: string): string | undefined {
  if (!written.startsWith('/')) return 'the helper is an absolute path';
  if (/[^A-Za-z0-9_.,+@/-]/.test(written))
    return 'the helper is one path: no blanks, no arguments, nothing that a shell would read';
  return Buffer.byteLength(written) > 4095 ? 'the path has more than 4095 bytes' : undefined;
}
