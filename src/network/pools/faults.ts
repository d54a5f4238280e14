/** What a network that is a card of the host's cannot honour: refused with the reason, never ignored. */
import type { WrittenMap } from '../../profile/definition.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { isHarmless } from '../harmless.ts';
import { portWhoFaults, unhonoured } from '../transport/tap.ts';
import { valueAt } from '../written.ts';
import type { PoolMode } from './mode.ts';

interface Refusal {
  readonly path: readonly string[];
  readonly why: string;
}

const ofCards: readonly Refusal[] = [
  ...unhonoured,
  { path: ['addresses'], why: 'addresses and names come from the network outside' },
  ...['name', 'stp', 'forwardDelay', 'mac'].map((key) => ({ path: ['bridge', key], why: 'it has no bridge' })),
];

const refusals: Readonly<Record<PoolMode, readonly Refusal[]>> = {
  macvtap: [...ofCards, { path: ['mtu'], why: 'macvtaps have the MTU of what they stand on' }],
  hostdev: [
    ...ofCards,
    { path: ['mtu'], why: 'the guest drives the card itself' },
    { path: ['isolatedPorts'], why: 'the switch of the card itself is between its virtual functions' },
    ...['ports', 'owner', 'group'].map((key) => ({
      path: [key],
      why: 'a card is given to a guest by vfio, which takes root: ordinary users have no ports here',
    })),
  ],
};

const parts: Readonly<Record<PoolMode, string>> = {
  macvtap: 'the card that macvtaps stand on',
  hostdev: 'the card whose virtual functions are handed out',
};

const itself = 'the card itself carries the frames';

export function poolFaults(written: WrittenMap, forward: PoolMode): PathFault[] {
  const at = (path: readonly string[], message: string): PathFault => ({ path, at: 'key', message });
  return [
    ...(forward === 'macvtap' ? portWhoFaults(written) : []),
    ...(isHarmless(valueAt(written, ['bridge', 'uplink']))
      ? [at(['forward'], `${parts[forward]} must be named: bridge: { uplink: eth1 }`)]
      : []),
    ...(isHarmless(written['isolatedPorts']) || isHarmless(written['hostAccess'])
      ? []
      : [at(['hostAccess'], 'with isolatedPorts the host reaches no guest either')]),
    ...(written['transport'] === 'vde' ? [at(['transport'], `forward: ${forward} has no switch: ${itself}`)] : []),
    ...refusals[forward].flatMap(({ path, why }) =>
      isHarmless(valueAt(written, path))
        ? []
        : [at(path, `forward: ${forward} cannot honour ${path.join('.')}: ${why}`)],
    ),
  ];
}
