/** What the human monitor says of user networking: `info usernet`, the only place where QEMU tells of slirp's connections. */

export interface UsernetRow {
  /** The id of the back end. */
  readonly netdev: string;
  readonly protocol: 'TCP' | 'UDP' | 'ICMP';
  /** `ESTABLISHED`, `SYN_SENT`, `HOST_FORWARD`, …; or seconds to live. */
  readonly state: string;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

/** Rows such as `  TCP[ESTABLISHED]   21       127.0.0.1 46219       10.0.2.15    80     0     0` under `Hub -1 (net0):`. */
export function parseUsernet(text: string): UsernetRow[] {
  const rows: UsernetRow[] = [];
  let netdev = '';
  for (const line of text.split(/\r?\n/)) {
    netdev = /\(([^)]+)\):\s*$/.exec(line)?.[1] ?? netdev;
    const [, protocol, state, source = '', sourcePort, destination = '', destinationPort] =
      /^\s*(TCP|UDP|ICMP)\[([^\]]*)\]\s+-?\d+\s+(\S+)\s+(\d+|-)\s+(\S+)\s+(\d+|-)/.exec(line) ?? [];
    if (state === undefined || (protocol !== 'TCP' && protocol !== 'UDP' && protocol !== 'ICMP')) continue;
    rows.push({
      netdev,
      protocol,
      state,
      source,
      sourcePort: Number(sourcePort) || 0,
      destination,
      destinationPort: Number(destinationPort) || 0,
    });
  }
  return rows;
}

/**
 * The addresses that the guest really used: slirp keeps no list of leases that it would show, but its connections tell. A forwarded connection has the guest
 * as its destination, one that the guest made has it as its source.
 */
export function guestAddresses(
  rows: readonly UsernetRow[],
  netdev: string,
  forwardedPorts: readonly number[],
): string[] {
  const own = rows.filter((row) => row.netdev === netdev && row.state !== 'HOST_FORWARD');
  const addresses = own.map((row) => (forwardedPorts.includes(row.sourcePort) ? row.destination : row.source));
  return [
    ...new Set(addresses.filter((address) => !address.startsWith('127.') && address !== '0.0.0.0' && address !== '*')),
  ];
}
