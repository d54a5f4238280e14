/**
 * Forwards that were taken away while the network is up: nobody new gets in, for the rule that leads there is gone; connections that were made before go on
 * in the kernel's table, which remembers where they lead. They end here, and nobody else's translation is concerned: each is known by the guest's port
 * and by the port that it was asked at. Pure.
 */
import {
  addFilledChain,
  addTupleSet,
  concat,
  ctOf,
  field,
  has,
  ct,
  is,
  meta,
  reject,
  resetTcp,
  type NftCommand,
  type NftExpression,
  type NftTable,
} from '../../plan/nft-commands.ts';
import type { NetworkForward } from '../network-plan.ts';

/** The last that were taken away: who takes more away at run time has long seen the connections of the first ones end. */
export const mostWithdrawn = 1024;

const keyOf = ({ protocol, guestAddress, guestPort, hostPort }: NetworkForward): string =>
  [protocol, guestAddress, guestPort, hostPort].join(' ');

/** What is not in force any more of what was; one that leads to the same guest from the same port, at whatever address, keeps them alive. */
export function withdrawnOf(
  before: readonly NetworkForward[],
  forwards: readonly NetworkForward[],
): readonly NetworkForward[] {
  const live = new Set(forwards.map(keyOf));
  const gone = new Map(before.filter((one) => !live.has(keyOf(one))).map((one) => [keyOf(one), one]));
  return [...gone.values()].slice(-mostWithdrawn);
}

export function withdrawnCommands(
  table: NftTable,
  withdrawn: readonly NetworkForward[],
  priority: number,
): NftCommand[] {
  if (withdrawn.length === 0) return [];
  const families = ([4, 6] as const).flatMap((family) => {
    const own = withdrawn.filter(({ guestAddress }) => guestAddress.includes(':') === (family === 6));
    return own.length === 0 ? [] : [{ family, own, set: `withdrawn${family}` }];
  });
  const rules = (way: 'original' | 'reply'): NftExpression[][] =>
    families.flatMap(({ family, set }) => {
      const [address, port] = way === 'original' ? (['daddr', 'dport'] as const) : (['saddr', 'sport'] as const);
      const tuple = concat(
        field(family === 4 ? 'ip' : 'ip6', address),
        meta('l4proto'),
        field('th', port),
        ctOf('proto-dst', 'original'),
      );
      const match = [has(ct('status'), 'dnat'), is(ct('direction'), way)];
      return [
        [...match, is(meta('l4proto'), 'tcp'), is(tuple, `@${set}`), resetTcp],
        [...match, is(meta('l4proto'), 'udp'), is(tuple, `@${set}`), reject],
      ];
    });
  const chain = (hook: 'forward' | 'output', filled: NftExpression[][]): NftCommand[] =>
    addFilledChain(table, { name: `withdrawn_${hook}`, hook: { type: 'filter', hook, priority } }, filled);
  return [
    ...families.map(({ family, own, set }) =>
      addTupleSet(
        table,
        { name: set, type: [family === 4 ? 'ipv4_addr' : 'ipv6_addr', 'inet_proto', 'inet_service', 'inet_service'] },
        own.map(({ guestAddress, protocol, guestPort, hostPort }) => [
          guestAddress,
          protocol,
          guestPort,
          Number(hostPort),
        ]),
      ),
    ),
    ...chain('forward', [...rules('original'), ...rules('reply')]),
    ...chain('output', rules('original')),
  ];
}
