/** A host with a bridge, a card and a tap of the user's own, as facts. */
import type { HostLink } from '../../../src/host/host-link.ts';
import type { LinkDoor } from '../../../src/host/link-door.ts';

export const aHostLink = (name: string, changes: Partial<HostLink> = {}): HostLink => ({
  name,
  kind: 'other',
  index: 2,
  mac: '52:54:00:00:00:01',
  mtu: 1500,
  up: true,
  alias: '',
  uppers: [],
  ...changes,
});

export const aLinkDoor = (changes: Partial<LinkDoor> = {}): LinkDoor => ({
  links: {
    br0: aHostLink('br0', { kind: 'bridge' }),
    eth0: aHostLink('eth0'),
    tap0: aHostLink('tap0', { kind: 'tap', master: 'br0', tap: { owner: 1000, multiQueue: false } }),
  },
  others: ['br0', 'eth0', 'lo', 'tap0'],
  rights: 'own',
  tun: { state: 'ok' },
  vhost: { state: 'absent' },
  groups: [1000],
  ipv6: true,
  seed: 'a0123456789012345678',
  ways: { eth0: { addresses: ['10.0.5.1/24', 'fd00:5::1/64'], networks: [], strict: false } },
  ...changes,
});
