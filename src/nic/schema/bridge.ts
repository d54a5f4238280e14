/** `kind: bridge`: a bridge of the host's, through qemu-bridge-helper. */
import * as z from 'zod/mini';
import { interfaceName, text } from '../../profile/fields.ts';
import { nicMap } from './common.ts';

export function bridgeSchema() {
  return nicMap('bridge', "A bridge of the host's, through qemu-bridge-helper. Needs no rights after `qrun setup`.", {
    bridge: interfaceName('The bridge.'),
    helper: z.exactOptional(
      text('The helper, an absolute path without blanks. Default: the one that QEMU was built with.', faultOfHelper),
    ),
  });
}

/** QEMU hands the helper to a shell when it holds a blank: only a plain path is no command line. */
function faultOfHelper(written: string): string | undefined {
  if (!written.startsWith('/')) return 'the helper is an absolute path';
  if (/[^A-Za-z0-9_.,+@/-]/.test(written))
    return 'the helper is one path: no blanks, no arguments, nothing that a shell would read';
  return Buffer.byteLength(written) > 4095 ? 'the path has more than 4095 bytes' : undefined;
}
