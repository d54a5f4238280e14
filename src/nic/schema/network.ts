/** `kind: network`: a managed network, by name. */
import { word } from '../../profile/fields.ts';
import { nicMap } from './common.ts';

export function networkSchema() {
  return nicMap('network', 'A managed network, by name (`qrun net`).', {
    network: word('Its name.', {
      pattern: '[A-Za-z0-9][A-Za-z0-9_.-]{0,39}',
      what: 'name of a network: letters, digits, "_", "." and "-", 40 at most',
      examples: ['default', 'lan0'],
    }),
  });
}
