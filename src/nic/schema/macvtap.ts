/** `kind: macvtap`: an address of the guest's own on a network card of the host's. */
import * as z from 'zod/mini';
import { flag, interfaceName, oneOf } from '../../profile/fields.ts';
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
      hostAccess: z._default(
        flag('true: the host itself can reach the guest, through an interface made for that.'),
        false,
      ),
    },
  );
}

/** The host's own interface is one more on the card, and those of the other modes do not see each other. */
export const macvtapRule: NicRule = ({ hostAccess, mode = 'bridge' }) =>
  hostAccess === true && mode !== 'bridge'
    ? [{ key: 'hostAccess', message: 'the host reaches its guests in mode: bridge alone' }]
    : [];
