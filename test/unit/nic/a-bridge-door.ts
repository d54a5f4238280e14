/** A host that is prepared for `kind: bridge`, as facts. */
import type { BridgeDoor } from '../../../src/host/bridge-door.ts';

export const helperFile = '/usr/lib/qemu/qemu-bridge-helper';
const place = { file: '/etc/qemu/bridge.conf', line: 1, text: 'allow br0' };

export const aBridgeDoor = (
  changes: Partial<Omit<BridgeDoor, 'bridge' | 'helper'>> & {
    readonly bridge?: Partial<BridgeDoor['bridge']>;
    readonly helper?: Partial<BridgeDoor['helper']>;
  } = {},
): BridgeDoor => ({
  conf: { verdict: 'allowed', rule: place, skipped: [] },
  tun: { state: 'ok' },
  gain: 'ok',
  ...changes,
  bridge: { name: 'br0', state: 'bridge', up: true, mtu: 1500, ...changes.bridge },
  helper: {
    file: helperFile,
    found: true,
    told: false,
    rights: 'capability',
    gains: ['net_admin'],
    conf: '/etc/qemu/bridge.conf',
    ...changes.helper,
  },
});
