/** What dnsmasq and dhcpd say when somebody else has their port, and who that is. Looked up when they have said it: no start waits for it. */
import { createSystem } from '../system/real.ts';

interface Wanted {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
}

interface TakenPort {
  /** `udp port 67 on 0.0.0.0 is in use by dnsmasq (pid 4711)` */
  readonly message: string;
  /** The command that shows it. */
  readonly hint: string;
}

/** @param said the lines of a log; undefined where none of them is about a port */
export function findTakenPort(
  said: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): TakenPort | undefined {
  const wanted = said.map(portsIn).find((ports) => ports.length > 0) ?? [];
  const [first] = wanted;
  if (first === undefined) return undefined;
  const held = wanted.map((one) => ({ one, holder: holderOf(one, env) })).find(({ holder }) => holder !== undefined);
  const { protocol, address, port } = held?.one ?? first;
  const by = held?.holder === undefined ? '' : ` by ${held.holder}`;
  return {
    message: `${protocol} port ${port} on ${address} is in use${by}`,
    hint: `sudo ss -lntup sport = ${port}`,
  };
}

/** Those that one of its lines may be about. A name server says the same of TCP, of UDP, and of TFTP. */
export function portsIn(line: string): readonly Wanted[] {
  if (!line.includes('Address already in use')) return [];
  const address = /failed to create listening socket for (\S+): /.exec(line)?.[1];
  if (address !== undefined)
    return [
      { protocol: 'tcp', address, port: 53 },
      { protocol: 'udp', address, port: 53 },
      { protocol: 'udp', address, port: 69 },
    ];
  if (line.includes('bind DHCPv6 server socket')) return [{ protocol: 'udp', address: '::', port: 547 }];
  if (/bind DHCP server socket|bind to dhcp address/.test(line))
    return [{ protocol: 'udp', address: '0.0.0.0', port: 67 }];
  return [];
}

const timeoutMs = 30_000;

/** `ss` alone tells which sockets are one interface's own: DHCP servers of other bridges are in nobody's way. */
function holderOf(
  { protocol, address, port }: Wanted,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const system = createSystem(env);
  if (system.which('ss') === undefined) return undefined;
  const kind = protocol === 'tcp' ? '-t' : '-u';
  const { stdout } = system.runNow('ss', ['-Hlnp', kind, 'sport', '=', `:${port}`], { timeoutMs });
  return stdout
    .split('\n')
    .filter((line) => isInTheWay(line, address))
    .map((line) => programIn(line))[0];
}

/** `UNCONN 0 0 0.0.0.0%virbr0:67 0.0.0.0:* users:(("dnsmasq",pid=812,fd=3))` */
export function isInTheWay(line: string, address: string): boolean {
  const local = line.trim().split(/\s+/)[3] ?? '';
  const bound = local.slice(0, Math.max(0, local.lastIndexOf(':'))).replaceAll(/[[\]]/g, '');
  if (bound === '' || bound.includes('%')) return false;
  const wild = ['0.0.0.0', '::', '*'];
  if (bound === '*' || bound === address) return true;
  const sameFamily = bound.includes(':') === address.includes(':');
  return sameFamily && (wild.includes(bound) || wild.includes(address));
}

function programIn(line: string): string {
  const [, name, pid] = /users:\(\("(.*?)",pid=(\d+),/.exec(line) ?? [];
  return name === undefined ? 'another program' : `${name} (pid ${pid})`;
}
