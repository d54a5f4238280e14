/**
 * A host with six networks of root's that `qrun net up` made, guests on each, and two ways out; each party in a namespace of its own:
 *
 *     nat0 n1 n2   10.60.0.11, .12      nat1 m1   10.61.0.11, by up0 alone and with ports 40000 to 40009
 *     way0 r1      10.62.0.11           open0 p1  10.63.0.11
 *     lone0 i1 i2  10.64.0.11, .12      lone1 j1  10.65.0.11
 *     out 192.0.2.2, far 198.51.100.2   beyond up0, 192.0.2.1, and up1, 198.51.100.1
 *
 * and the same in IPv6: fd60::11, …, 2001:db8::2, 2001:db8:1::2. Everybody knows the way to everybody by way of the host.
 */
import { expect } from 'vitest';
import { createHome, createNamespace, type Home } from '../harness/harness.ts';
import { Party } from './a-rules-host.ts';

export const guests = {
  n1: ['nat0', 0, 11],
  n2: ['nat0', 0, 12],
  m1: ['nat1', 1, 11],
  r1: ['way0', 2, 11],
  p1: ['open0', 3, 11],
  i1: ['lone0', 4, 11],
  i2: ['lone0', 4, 12],
  j1: ['lone1', 5, 11],
} as const;
export type GuestName = keyof typeof guests;
export type MatrixName = GuestName | 'host' | 'out' | 'far';

export const outside = {
  out: { port: 'up0', four: '192.0.2.', six: '2001:db8::' },
  far: { port: 'up1', four: '198.51.100.', six: '2001:db8:1::' },
} as const;

/** Of IPv4 and of IPv6. */
export type Addresses = readonly [string, string];

const onNetwork = (number: number, host: number): Addresses => [`10.6${number}.0.${host}`, `fd6${number}::${host}`];

export function addressesOf(name: GuestName | 'out' | 'far'): Addresses {
  if (name === 'out' || name === 'far') return [`${outside[name].four}2`, `${outside[name].six}2`];
  const [, number, host] = guests[name];
  return onNetwork(number, host);
}

/** The host's own, on the link that this one is on. */
export const gateOf = (name: GuestName | 'out' | 'far'): Addresses =>
  name === 'out' || name === 'far'
    ? [`${outside[name].four}1`, `${outside[name].six}1`]
    : onNetwork(guests[name][1], 1);

/** Port 7000 of the first guest of each, by a port of the host's. */
const forwardsTo = (number: number): string =>
  `forwards: ["0.0.0.0:806${number}:10.6${number}.0.11:7000", "0.0.0.0:806${number}:10.6${number}.0.11:7000/udp", ` +
  `"[::]:806${number}:[fd6${number}::11]:7000", "[::]:806${number}:[fd6${number}::11]:7000/udp"]\n`;

const definitions = {
  nat0: `forward: nat\nnat: { ipv6: true }\n${forwardsTo(0)}`,
  nat1: 'forward: nat\nnat: { ipv6: true, dev: up0, ports: 40000-40009 }\n',
  way0: `forward: route\n${forwardsTo(2)}`,
  open0: 'forward: open\n',
  lone0: `forward: isolated\n${forwardsTo(4)}`,
  lone1: 'forward: isolated\n',
} as const;
export const networks = Object.keys(definitions) as (keyof typeof definitions)[];

export class MatrixHost {
  readonly parties: Readonly<Record<MatrixName, Party>>;
  readonly root: Home;

  constructor(parties: Readonly<Record<MatrixName, Party>>, root: Home) {
    this.parties = parties;
    this.root = root;
  }

  /** Root's, on the host. */
  must(line: string): string {
    return this.parties.host.must(line);
  }

  async qrun(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.root.qrun(args);
    expect({ args, status, stderr }).toMatchObject({ status: 0 });
    return stdout + stderr;
  }

  async dispose(): Promise<void> {
    await this.root.qrun(['net', 'down', '--force', ...networks]);
    await this.root.dispose();
    await Promise.all(Object.values(this.parties).map((party) => party.dispose()));
  }
}

/** Root's; not disposed of by itself. */
export async function createMatrixHost(): Promise<MatrixHost> {
  const names: readonly MatrixName[] = ['host', ...(Object.keys(guests) as GuestName[]), 'out', 'far'];
  const namespace = await createNamespace({ disposeAtEnd: false });
  const made = await Promise.all(
    names.map(async (name) => [name, await Party.create(name, name === 'host' ? namespace : undefined)] as const),
  );
  const parties = Object.fromEntries(made) as Record<MatrixName, Party>;
  const host = new MatrixHost(parties, createHome({ as: 'root', namespace, disposeAtEnd: false }));
  try {
    for (const name of ['out', 'far'] as const) wire(host, name);
    const [four, six] = gateOf('out');
    parties.host.must(`ip address add ${four}/24 dev up0`);
    parties.host.must(`ip address add ${six}/64 dev up0 nodad`);
    parties.host.must(`ip address add ${gateOf('far')[0]}/24 dev up1`);
    parties.host.must(`ip address add ${gateOf('far')[1]}/64 dev up1 nodad`);
    for (const [number, network] of networks.entries())
      host.root.network(
        network,
        `${definitions[network]}addresses: [10.6${number}.0.1/24, "fd6${number}::1/64"]\ndhcp: false\n`,
      );
    await host.qrun('net', 'up', ...networks);
    for (const name of Object.keys(guests) as GuestName[]) wire(host, name);
    return host;
  } catch (error) {
    await host.dispose();
    throw error;
  }
}

/** A cable between the party and the host: on the bridge of its network, or a card of the host's. */
function wire({ parties }: MatrixHost, name: GuestName | 'out' | 'far'): void {
  const party = parties[name];
  const isGuest = name !== 'out' && name !== 'far';
  const port = isGuest ? `v${name}` : outside[name].port;
  const [four, six] = addressesOf(name);
  const via = gateOf(name);
  const batch = (one: Party, lines: readonly string[]) => one.must('ip -batch -', `${lines.join('\n')}\n`);
  batch(parties.host, [
    `link add ${port} type veth peer name eth0 netns ${party.namespace.pid}`,
    `link set ${port} ${isGuest ? `master qr-${guests[name][0]} ` : ''}up`,
  ]);
  // with the addresses of the table, and no others that they might rather send from
  party.must('sysctl -qw net.ipv6.conf.eth0.accept_ra=0');
  batch(party, [
    'link set eth0 up',
    `address add ${four}/24 dev eth0`,
    `address add ${six}/64 dev eth0 nodad`,
    `route add default via ${via[0]}`,
    `route add ::/0 via ${via[1]}`,
  ]);
}
