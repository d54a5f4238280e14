/** The names of the network and the addresses behind them, both ways. Pure; made anew when a member, a lease or the configuration changes. */

export interface NamedAddress {
  readonly ip: number;
  /** In lower case. The first is the answer to "who is this address". */
  readonly names: readonly string[];
}

export interface NameTable {
  /** Undefined: no such name here. */
  readonly addressesOf: (name: string) => readonly number[] | undefined;
  readonly nameOf: (ip: number) => string | undefined;
  /** The domain of which nobody but us knows anything. */
  readonly domain: string | undefined;
}

const maxAddresses = 16;

export interface NameSources {
  readonly domain?: string;
  /** What was written down: all of its addresses count. */
  readonly written: readonly NamedAddress[];
  /** What guests call themselves: a name that is taken, or an address that has a name, stays as it is. */
  readonly said: readonly NamedAddress[];
}

/** Each name is known by itself and in the domain. */
export function buildNameTable({ domain, written, said }: NameSources): NameTable {
  const addresses = new Map<string, number[]>();
  const names = new Map<number, string>();
  const inDomain = (name: string): string =>
    domain === undefined || name === domain || name.endsWith(`.${domain}`) ? name : `${name}.${domain}`;
  const add = (name: string, ip: number): void => {
    for (const one of new Set([name, inDomain(name)])) {
      const known = addresses.get(one);
      if (known === undefined) addresses.set(one, [ip]);
      else if (!known.includes(ip) && known.length < maxAddresses) known.push(ip);
    }
    if (!names.has(ip)) names.set(ip, name.includes('.') ? name : inDomain(name));
  };
  for (const { ip, names: all } of written) for (const name of all) add(name, ip);
  for (const { ip, names: all } of said)
    for (const name of all) if (!addresses.has(name) && !addresses.has(inDomain(name))) add(name, ip);
  return {
    addressesOf: (name) => addresses.get(name),
    nameOf: (ip) => names.get(ip),
    domain,
  };
}
