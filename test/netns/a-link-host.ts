/** A host with a bridge and a card that has an other end, in a namespace of the test's own, for taps and macvtaps. */
import { expect } from 'vitest';
import { createNamespace, needsRoot, type Namespace } from '../harness/harness.ts';

interface LinkRow {
  readonly ifname: string;
  readonly address?: string;
  readonly ifalias?: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly master?: string;
  readonly link?: string;
  readonly promiscuity?: number;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: Readonly<Record<string, unknown>>;
    readonly info_slave_data?: Readonly<Record<string, unknown>>;
  };
}

export class LinkHost {
  readonly namespace: Namespace;

  constructor(namespace: Namespace) {
    this.namespace = namespace;
  }

  /** Root's, in the namespace. */
  must(line: string): string {
    const result = this.namespace.run(line.split(' '));
    expect({ line, ...result }).toMatchObject({ status: 0 });
    return result.stdout;
  }

  rows(): LinkRow[] {
    return JSON.parse(this.must('ip -j -details link')) as LinkRow[];
  }

  row(name: string): LinkRow | undefined {
    return this.rows().find(({ ifname }) => ifname === name);
  }

  /** All that there is, without what only traffic changes. */
  state(): string[] {
    const links = this.rows().map(({ ifname, address, ifalias, flags, mtu, master, promiscuity, linkinfo }) =>
      JSON.stringify([
        ifname,
        ...[address, ifalias, mtu, master, promiscuity, linkinfo?.info_kind],
        flags.filter((flag) => flag === 'UP' || flag === 'ALLMULTI' || flag === 'PROMISC'),
      ]),
    );
    return [...links, this.must('ip route').replaceAll(/ linkdown| +$/gm, ''), this.must('ip -4 -oneline address')];
  }

  /** Names of the links that qrun made. */
  made(): string[] {
    return this.rows().flatMap(({ ifname }) => (ifname.startsWith('qr-') ? [ifname] : []));
  }
}

/** `br0` with an address; `v0`, the card, with an address, and `v1`, its other end. Skips where it cannot be. */
export async function createLinkHost(
  context: Parameters<typeof needsRoot>[0],
  { tunMode = '666' }: { readonly tunMode?: string } = {},
): Promise<LinkHost> {
  needsRoot(context);
  const host = new LinkHost(await createNamespace({ tunMode }));
  for (const line of [
    'ip link add br0 address 52:54:00:ff:00:01 type bridge forward_delay 0',
    'ip address add 10.77.0.1/24 dev br0',
    'ip link set br0 up',
    'ip link add v0 address 52:54:00:ff:00:02 type veth peer name v1 address 52:54:00:ff:00:03',
    'ip link set v1 up',
    'ip link set v0 up',
    'ip address add 10.78.0.1/24 dev v0 noprefixroute',
    'ip route add 10.78.0.0/24 dev v0 src 10.78.0.1',
  ])
    host.must(line);
  return host;
}
