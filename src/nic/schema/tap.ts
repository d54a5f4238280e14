/** `kind: tap`: a tap device of the host's. */
import * as z from 'zod/mini';
import { interfaceName } from '../../profile/fields.ts';
import { given, nicMap, type NicRule } from './common.ts';

export function tapSchema() {
  return nicMap('tap', 'A tap device: an existing one that the user owns, or (as root) a new one on a bridge.', {
    device: z.exactOptional(interfaceName('The tap device.')),
    bridge: z.exactOptional(interfaceName('The bridge that the tap is put on.')),
  });
}

export const tapRule: NicRule = (written) =>
  given(written, ['device', 'bridge']).length > 0 ? [] : [{ message: 'a tap needs "device", "bridge" or both' }];
