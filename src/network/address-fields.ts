/** Fields of a network's definition that are addresses and ranges. */
import { parsedText } from '../profile/fields.ts';
import { parseCidr, parseLiteral, parseRange } from './address-text.ts';

export function addressField(description: string, examples: readonly string[]) {
  return parsedText(description, parseLiteral, { pattern: '^[0-9A-Fa-f:.]+$', examples });
}

export function interfaceAddressField(description: string) {
  return parsedText(description, parseCidr, {
    pattern: '^[0-9A-Fa-f:.]+/[0-9]{1,3}$',
    examples: ['10.10.120.1/24', 'fd00:120::1/64'],
  });
}

export function rangeField() {
  return parsedText('FROM-TO, both included.', parseRange, {
    pattern: '^[0-9A-Fa-f:.]+ ?- ?[0-9A-Fa-f:.]+$',
    examples: ['10.10.120.50-10.10.120.200'],
  });
}
