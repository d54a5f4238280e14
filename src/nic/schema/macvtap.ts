/** `kind: macvtap`: an address of the guest's own on a network card of the host's. */
import * as z from 'zod/mini';
import { interfaceName, oneOf } from '../../profile/fields.ts';
import { hostAccessField } from '../../profile/host-access-field.ts';
import { nicMap, type NicRule } from './common.ts';

export function macvtapSchema() {
  return nicMap(
    'macvtap',
    "The LAN of a network card of the host's, without a bridge. Needs root, or a port made by `qrun setup`.",
    {
      parent: interfaceName('The network card.'),
      mode: z._default(
        oneOf('How the guests on one card see each other.', ['bridge', 'private', 'vepa', 'passthru']),
        'bridge',
      ),
      hostAccess: z._default(hostAccessField('the guest'), false),
    },
  );
}

/** The host's own interface is one more on the card, and those of the other modes do not see each other. */
export const macvtapRule: NicRule = ({ hostAccess, mode = 'bridge' }) =>
  hostAccess !== undefined && hostAccess !== false && mode !== 'bridge'
    ? [{ key: 'hostAccess', message: 'the host reaches its guests in mode: bridge alone' }]
    : [];
