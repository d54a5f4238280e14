/** The lines for `ip -batch` that make a bridge of a network's own. Pure. https://docs.kernel.org/networking/bridge.html */
import type { Mac } from '../names.ts';
import { checked } from './link-commands.ts';

export interface BridgeLink {
  readonly name: string;
  readonly alias: string;
  readonly mac: Mac;
  readonly mtu: number;
  /** With their prefixes. */
  readonly addresses: readonly string[];
  readonly stp: boolean;
  readonly forwardDelayS: number;
}

export function bridgeCommands({ name, alias, mac, mtu, addresses, stp, forwardDelayS }: BridgeLink): string[] {
  return checked([
    [
      ...['link', 'add', 'name', name, 'address', mac, 'type', 'bridge'],
      // the kernel counts in hundredths, and without STP takes no less than none
      ...['stp_state', stp ? '1' : '0', 'forward_delay', String(forwardDelayS * 100)],
    ],
    ['link', 'set', 'dev', name, 'alias', alias],
    // one that it is made with changes with its ports
    ...(mtu === 1500 ? [] : [['link', 'set', 'dev', name, 'mtu', String(mtu)]]),
    // a network is this host's alone: nobody else has its addresses, and guests are not kept waiting
    ...addresses.map((address) => [
      'address',
      'add',
      address,
      'dev',
      name,
      ...(address.includes(':') ? ['nodad'] : []),
    ]),
    ['link', 'set', 'dev', name, 'up'],
  ]);
}

/** Guests' ports that reach the bridge's own host alone, and no other port like them. */
export const isolatedCommand = (name: string): string =>
  checked([['link', 'set', 'dev', name, 'type', 'bridge_slave', 'isolated', 'on']])[0] ?? '';
