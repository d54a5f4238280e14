/** The lines for `ip -batch` and `bridge -batch` that make a VXLAN a port of a bridge. Pure. https://docs.kernel.org/networking/vxlan.html */
import { digestOf } from '../digest.ts';
import { isolatedCommand } from './bridge-commands.ts';
import { checked } from './link-commands.ts';

export interface VxlanLink {
  readonly name: string;
  readonly alias: string;
  readonly id: number;
  /** Of UDP. */
  readonly port: number;
  readonly dev?: string;
  /** At least one, all of one family. */
  readonly peers: readonly string[];
  readonly mtu: number;
  readonly bridge: string;
  readonly ipv6: boolean;
}

/** The first of the others says of which family the socket is. What one of them sends never goes on to another, who has it already. */
export function vxlanCommands(link: VxlanLink): string[] {
  const { name, alias, id, port, dev, peers, mtu, bridge, ipv6 } = link;
  return [
    ...checked([
      [
        ...['link', 'add', 'name', name, 'address', macOf(alias), 'mtu', String(mtu)],
        ...['type', 'vxlan', 'id', String(id)],
        ...['dstport', String(port), 'remote', peers[0] ?? ''],
        ...(dev === undefined ? [] : ['dev', dev]),
      ],
      ['link', 'set', 'dev', name, 'alias', alias, ...(ipv6 ? ['addrgenmode', 'none'] : [])],
      ['link', 'set', 'dev', name, 'master', bridge],
    ]),
    isolatedCommand(name),
    ...checked([['link', 'set', 'dev', name, 'up']]),
  ];
}

/** Higher than those of cards: a bridge whose MAC the kernel chooses takes the lowest, and the host's is to stay. */
const macOf = (alias: string): string =>
  `fe:${digestOf(alias)
    .slice(0, 10)
    .replaceAll(/..(?=.)/g, '$&:')}`;

/** What is for all, and what nobody has been met for, goes to each of the others. */
export const peerCommands = ({ name, peers }: Pick<VxlanLink, 'name' | 'peers'>): string[] =>
  checked(peers.slice(1).map((peer) => ['fdb', 'append', '00:00:00:00:00:00', 'dev', name, 'dst', peer]));
