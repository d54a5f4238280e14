/** Names of hosts and domains: what may stand in a configuration of a DHCP or name server, and nothing that could be more than a name there. */
import type { Parsed } from '../profile/address.ts';
import { parsedText } from '../profile/fields.ts';
import { truncated } from '../profile/words.ts';

const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const hostName = new RegExp(`^${label}$`);
const domainName = new RegExp(`^${label}(?:\\.${label})*$`);
/** `_ldap._tcp`: records have names with underscores. */
const recordName = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*$/;
const longestName = 253;

const parser =
  (expression: RegExp, what: string) =>
  (written: string): Parsed<string> =>
    expression.test(written) && written.length <= longestName
      ? { value: written.toLowerCase() }
      : { fault: `${truncated(written)} is no ${what}: letters, digits and "-"` };

const pattern = '^[A-Za-z0-9_.-]+$';

export function hostNameField(description: string) {
  return parsedText(description, parser(hostName, 'host name'), { pattern, examples: ['db'] });
}

export function domainField(description: string) {
  return parsedText(description, parser(domainName, 'domain name'), { pattern, examples: ['lan0.test'] });
}

export function recordNameField(description: string) {
  return parsedText(description, parser(recordName, 'name of a record'), { pattern, examples: ['_ldap._tcp'] });
}
