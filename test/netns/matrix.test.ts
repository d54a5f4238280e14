/** Who reaches whom on a host with networks of every mode, as `qrun net up` makes them: sender, receiver, protocol, with real packets. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isRoot, needsFile, needsRoot } from '../harness/harness.ts';
import {
  addressesOf,
  createMatrixHost,
  gateOf,
  guests,
  type Addresses,
  type GuestName,
  type MatrixHost,
  type MatrixName,
} from './a-matrix-host.ts';
import type { Ask } from './a-rules-host.ts';

let host: MatrixHost;
beforeAll(async () => {
  if (isRoot()) host = await createMatrixHost();
});
afterAll(async () => {
  if (isRoot()) await host.dispose();
});

/**
 * `=` it gets there, and is seen as who it is; `m` as the host, by the host's address on the receiver's link; `.` it does not.
 * `gate`: the host, by its address on the sender's own link; `gate1`: by that on another network's bridge; `card`: by that on up0.
 */
const table = `
from  n1 n2 m1 r1 p1 i1 i2 j1 gate gate1 card out far
n1    -  =  .  m  m  .  .  .  =    =     =    m   m
n2    =  -  .  m  m  .  .  .  =    =     =    m   m
m1    .  .  -  .  .  .  .  .  =    =     =    m   .
r1    .  .  .  -  =  .  .  .  =    =     =    =   =
p1    .  .  .  =  -  .  .  .  =    =     =    =   =
i1    .  .  .  .  .  -  =  .  =    .     .    .   .
i2    .  .  .  .  .  =  -  .  =    .     .    .   .
j1    .  .  .  .  .  .  .  -  =    .     .    .   .
host  m  m  m  m  m  m  m  m  -    -     -    m   m
out   .  .  .  =  =  .  .  .  =    -     =    -   =
far   .  .  .  =  =  .  .  .  =    -     =    =   -
`;

const ways = ['tcp', 'udp', 'icmp'] as const;
type Receiver = GuestName | 'out' | 'far' | 'gate' | 'gate1' | 'card';

const isGuest = (name: string): name is GuestName => Object.hasOwn(guests, name);

/** Where it is asked, and who answers there. */
function placeOf(from: MatrixName, to: Receiver): { readonly at: Addresses; readonly who: MatrixName } {
  if (to === 'card') return { at: gateOf('out'), who: 'host' };
  if (to === 'gate1') return { at: gateOf(from === 'm1' ? 'n1' : 'm1'), who: 'host' };
  if (to === 'gate') return { at: gateOf(from === 'host' ? 'n1' : from), who: 'host' };
  return { at: addressesOf(to), who: to };
}

function wantedOf(mark: string, { how, from, to, at }: { how: string; from: MatrixName; to: Receiver; at: number }) {
  if (mark === '.') return expect.stringMatching(/^no: /);
  if (how === 'icmp') return 'pong';
  const { who } = placeOf(from, to);
  const seen = mark === 'm' ? (to === 'out' || to === 'far' || isGuest(to) ? gateOf(to) : []) : ownOf(from);
  return `${who} sees ${seen[at] ?? ''}`;
}

const ownOf = (from: MatrixName): Addresses => (from === 'host' ? gateOf('out') : addressesOf(from));

test('sender × receiver × TCP, UDP and ICMP × IPv4 and IPv6, on nat, route, open and isolated', async (context) => {
  needsRoot(context);
  for (const tool of ['nft', 'dnsmasq']) needsFile(context, `/usr/sbin/${tool}`);
  const [head = '', ...lines] = table.trim().split('\n');
  const [, ...receivers] = head.split(/ +/) as [string, ...Receiver[]];
  const rows = lines.map((line) => line.split(/ +/) as [MatrixName, ...string[]]);
  const found = await Promise.all(
    rows.map(async ([from, ...marks]) => {
      const asks = receivers.flatMap((to, column) => {
        const mark = marks[column] ?? '-';
        if (mark === '-') return [];
        const { at } = placeOf(from, to);
        return at.flatMap((address, family) =>
          ways.map((how) => ({ mark, ask: { how, to: address } satisfies Ask, to, family })),
        );
      });
      const [passing, stopped] = [asks.filter(({ mark }) => mark !== '.'), asks.filter(({ mark }) => mark === '.')];
      const party = host.parties[from];
      const answers = await Promise.all([
        party.ask(
          passing.map(({ ask }) => ask),
          'pass',
        ),
        party.ask(
          stopped.map(({ ask }) => ask),
          'stop',
        ),
      ]);
      return [...passing, ...stopped].map((one, index) => ({ from, ...one, answer: answers.flat()[index] }));
    }),
  );
  const all = found.flat();
  expect(all).toHaveLength(768);
  expect(all).toEqual(
    all.map((one) => ({
      ...one,
      answer: wantedOf(one.mark, { how: one.ask.how, from: one.from, to: one.to, at: one.family }),
    })),
  );
  // and not one way either, where only the answer would be held up
  for (const [column, to] of receivers.entries()) {
    if (to === 'gate' || to === 'gate1' || to === 'card') continue;
    const senders = rows.flatMap(([from, ...marks]) => ('=m'.includes(marks[column] ?? '-') ? [from] : []));
    const [heard = ''] = await host.parties[to].ask([{ how: 'heard', to: '' }], 'pass');
    expect({ to, heard: heard.split(' ').toSorted() }).toEqual({ to, heard: senders.toSorted() });
  }
});

type Forwarded = readonly [at: Addresses, port: number, seen: Addresses | 'stop'];

/** Whether who asks that port of the host's gets to its guest, and as whom that guest sees it. */
async function expectForwarded(from: MatrixName, [at, port, seen]: Forwarded): Promise<void> {
  const asks = at.flatMap((to) => (['tcp', 'udp'] as const).map((how) => ({ how, to, port })));
  const answers = await host.parties[from].ask(asks, seen === 'stop' ? 'stop' : 'pass');
  const to = { 8060: 'n1', 8062: 'r1', 8064: 'i1' }[port] ?? '';
  const wanted = asks.map((_ask, index) =>
    seen === 'stop' ? expect.stringMatching(/^no: /) : `${to} sees ${seen[index < 2 ? 0 : 1]}`,
  );
  expect({ from, at, port, answers }).toEqual({ from, at, port, answers: wanted });
}

test('forwards of nat, route and isolated: from outside, from the host, from guests of any network but an isolated one', async (context) => {
  needsRoot(context);
  const [card, here] = [gateOf('out'), ['127.0.0.1', gateOf('out')[1]] as const];
  const own = gateOf('n1');
  await Promise.all([
    expectForwarded('out', [card, 8060, addressesOf('out')]),
    expectForwarded('out', [card, 8062, addressesOf('out')]),
    expectForwarded('out', [card, 8064, gateOf('i1')]),
    expectForwarded('far', [gateOf('far'), 8060, addressesOf('far')]),
    expectForwarded('host', [here, 8060, own]),
    expectForwarded('host', [card, 8062, gateOf('r1')]),
    expectForwarded('host', [here, 8064, gateOf('i1')]),
    // hairpin: by the host's address to the next guest on the same bridge
    expectForwarded('n2', [card, 8060, own]),
    expectForwarded('n2', [own, 8060, own]),
    expectForwarded('i2', [gateOf('i1'), 8064, gateOf('i1')]),
    // of other networks
    expectForwarded('r1', [card, 8060, addressesOf('r1')]),
    expectForwarded('m1', [card, 8060, 'stop']),
    expectForwarded('p1', [gateOf('p1'), 8064, gateOf('i1')]),
    expectForwarded('j1', [gateOf('j1'), 8064, 'stop']),
    expectForwarded('i1', [gateOf('i1'), 8060, 'stop']),
  ]);
});

test('what is refused is told, and so is what concerns a connection: unreachable ports come back through NAT', async (context) => {
  needsRoot(context);
  const told = async (from: MatrixName, at: Addresses): Promise<string[]> =>
    await host.parties[from].ask(
      at.map((to) => ({ how: 'closed', to, port: 9 })),
      'pass',
    );
  const refused = async (from: MatrixName, at: Addresses): Promise<string[]> =>
    await host.parties[from].ask(
      at.map((to) => ({ how: 'tcp', to })),
      'pass',
    );
  const [nat, narrow, route, ...rejected] = await Promise.all([
    told('n1', addressesOf('out')),
    told('m1', addressesOf('out')),
    told('r1', addressesOf('out')),
    refused('out', addressesOf('n1')),
    refused('i1', addressesOf('out')),
    refused('i1', gateOf('out')),
    refused('j1', addressesOf('n1')),
    refused('m1', addressesOf('far')),
  ]);
  for (const answers of [nat, narrow, route]) expect(answers).toEqual(['told: ECONNREFUSED', 'told: ECONNREFUSED']);
  for (const answers of rejected)
    expect(answers).toEqual([expect.stringMatching(/^no: E/), expect.stringMatching(/^no: E/)]);
});

test('ports of NAT are those of the range, in IPv4 and IPv6; open has no rules, and others have tables of their own', async (context) => {
  needsRoot(context);
  const asks = addressesOf('out').flatMap((to) => (['tcp', 'udp'] as const).map((how) => ({ how, to, port: 7001 })));
  const [four, six] = gateOf('out');
  expect(await host.parties.m1.ask(asks, 'pass')).toEqual(
    [four, four, six, six].map((address) => expect.stringMatching(`^out sees ${address} at 4000[0-9]$`)),
  );
  const { nftables } = JSON.parse(host.must('nft -j list tables')) as {
    nftables: { table?: { family: string; name: string } }[];
  };
  const tables = nftables.flatMap(({ table: one }) => (one === undefined ? [] : [`${one.family} ${one.name}`]));
  expect(tables.toSorted()).toEqual(
    ['nat0', 'nat1', 'way0', 'lone0', 'lone1']
      .flatMap((name) => [`inet qrun_${name}`, `bridge qrun_${name}`])
      .toSorted(),
  );
});

test('what is for a group, or for all on a link, is not translated', async (context) => {
  needsRoot(context);
  needsFile(context, '/usr/bin/socat');
  const { out } = host.parties;
  const groups = ['239.1.2.3', 'ff05::1234', '255.255.255.255'] as const;
  out.must('ip address add 239.1.2.3/32 dev eth0 autojoin');
  out.must('ip address add ff05::1234/128 dev eth0 autojoin');
  host.must('ip route add 239.1.2.3/32 dev up0');
  host.must('ip route add 255.255.255.255/32 dev up0');
  host.must('ip -6 route add ff05::1234/128 dev up0 table local');
  // the host itself, by its address on the bridge: of what comes from guests none is forwarded
  const own = gateOf('n1');
  const ask = (to: string): string => {
    const [family, from, at] = to.includes(':') ? [6, `[${own[1]}]`, `[${to}]`] : [4, own[0], to];
    const socket = `UDP${family}-DATAGRAM:${at}:7000,bind=${from}:0,broadcast,so-bindtodevice=up0`;
    return host.parties.host.namespace.run(['socat', '-t', '0.3', '-', socket], '?').stdout;
  };
  for (const to of groups) await expect.poll(() => ask(to), { timeout: 60_000 }).toBe(`out sees ${ownFor(own, to)}`);
  for (const to of addressesOf('out'))
    await expect.poll(() => ask(to), { timeout: 60_000 }).toBe(`out sees ${ownFor(gateOf('out'), to)}`);
});

const ownFor = ([four, six]: Addresses, to: string): string => (to.includes(':') ? six : four);
