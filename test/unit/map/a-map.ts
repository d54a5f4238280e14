/** Maps for tests: short ways to say what was found, and arbitrary ones. */
import fc from 'fast-check';
import { buildMap, type Found, type FoundNetwork, type FoundNic, type FoundVm } from '../../../src/map/build-map.ts';
import type { MapDocument, MapForward } from '../../../src/map/map-document.ts';
import type { Nic } from '../../../src/profile/profile.ts';
import { anyText } from '../any-text.ts';

type Written = { readonly [K in Nic['kind']]: Partial<Extract<Nic, { kind: K }>> & { readonly kind: K } }[Nic['kind']];

export function nicOf(id: string, written: Written, more: Partial<FoundNic> = {}): FoundNic {
  return {
    id,
    kind: written.kind,
    model: 'virtio-net-pci',
    mac: '52:54:00:00:00:01',
    ips: [],
    forwards: [],
    source: '',
    written: { id, model: 'virtio-net-pci', queues: 1, vhost: 'auto', ...written } as unknown as Nic,
    ...more,
  };
}

export const forwardOf = (hostPort: number, guestPort: number, guest: string | null = null): MapForward => ({
  protocol: 'tcp',
  hostAddress: '127.0.0.1',
  hostPort,
  guest,
  guestPort,
});

export const userNic = (id: string, more: Partial<FoundNic> = {}): FoundNic => nicOf(id, { kind: 'user' }, more);
export const mcastNic = (id: string, address = '230.0.0.1'): FoundNic =>
  nicOf(id, { kind: 'mcast', group: { address, port: 12_345 } });
export const networkNic = (id: string, network: string, more: Partial<FoundNic> = {}): FoundNic =>
  nicOf(id, { kind: 'network', network }, { network, ...more });

export const vmOf = (vm: string, nics: readonly FoundNic[], state = 'running'): FoundVm => ({ vm, state, nics });
export const networkOf = (name: string, more: Partial<FoundNetwork> = {}): FoundNetwork => ({
  name,
  state: 'up',
  forward: 'nat',
  transport: 'hub',
  scope: 'user',
  subnet: '10.44.0.0/24',
  forwards: [],
  ...more,
});

/** Any text that a file, a path or a state could bring along, hostile ones too. */
const oddText = fc.oneof(
  fc.string({ maxLength: 50 }),
  anyText({ maxLength: 20 }),
  fc.constantFrom('</text>', ']]>', '&amp;', '"\'<', '\u0000', '\ud800', '\u202e', '日本語日本語', 'a'.repeat(300)),
);
const anyForward = fc.record({
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  hostAddress: fc.constantFrom('127.0.0.1', '::1', '%eth0'),
  hostPort: fc.oneof(fc.integer({ min: 1, max: 65_535 }), fc.constant('auto' as const)),
  guest: fc.option(oddText),
  guestPort: fc.integer({ min: 1, max: 65_535 }),
});

const anyWritten: fc.Arbitrary<Written> = fc.oneof(
  fc.record({ kind: fc.constant('user' as const), restrict: fc.boolean() }),
  fc.record({ kind: fc.constant('passt' as const) }),
  fc.constantFrom('230.0.0.1', '230.0.0.2').map((address) => ({ kind: 'mcast' as const, group: { address, port: 1 } })),
  oddText.map((path) => ({ kind: 'stream' as const, listen: { path } })),
  fc.constantFrom('/a', '/b').map((socket) => ({ kind: 'vde' as const, socket })),
  fc.constantFrom('lab0', 'lab1', 'lab2').map((network) => ({ kind: 'network' as const, network })),
  fc.constant({ kind: 'macvtap' as const, parent: 'eth0' as never }),
);

const anyNic = fc
  .tuple(oddText, anyWritten, fc.array(anyForward, { maxLength: 9 }), fc.array(oddText, { maxLength: 2 }))
  .map(([id, written, forwards, ips]) => nicOf(id, written, { forwards, ips }));

const anyVm = fc.record({
  state: fc.oneof(fc.constantFrom('running', 'stopped', 'paused'), oddText),
  nics: fc.array(anyNic, { maxLength: 5 }),
  suffix: oddText,
});

/** Ids are different in one VM. */
const numbered = ({ written, ...nic }: FoundNic, index: number): FoundNic => {
  const id = `${index}${nic.id}`;
  return { ...nic, id, ...(written !== undefined && { written: { ...written, id } }) };
};

const anyFound: fc.Arbitrary<Found> = fc.record({
  vms: fc
    .array(anyVm, { maxLength: 30 })
    .map((vms) => vms.map(({ state, nics, suffix }, index) => vmOf(`vm${index}${suffix}`, nics.map(numbered), state))),
  networks: fc
    .array(fc.tuple(fc.constantFrom('nat', 'isolated', 'bridge'), fc.array(anyForward, { maxLength: 9 }), oddText), {
      maxLength: 10,
    })
    .map((networks) =>
      networks.map(([forward, forwards, text], index) =>
        networkOf(index < 3 ? `lab${index}` : `${text}${index}`, { forward, forwards, subnet: text }),
      ),
    ),
});

export const anyMap: fc.Arbitrary<MapDocument> = anyFound.map((found) => buildMap(found));
