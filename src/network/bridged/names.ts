/** What a network of the host's is called there: its bridge, the bridge's MAC, its table of rules. The same on every run. Pure. */
import { digestOf } from '../../digest.ts';
import { parseMac, type IfName, type Mac } from '../../names.ts';
import type { Network } from '../network.ts';

type Named = Pick<Network, 'name' | 'bridge'>;

/** As written; else `qr-lan0` where that is a name that qrun makes, else `qr-` and a digest. */
export function bridgeNameOf({ name, bridge }: Named): IfName {
  if (bridge?.name !== undefined) return bridge.name;
  const readable = /^[a-z0-9][a-z0-9.-]{0,11}$/.test(name) ? name : digestOf(`bridge\0${name}`).slice(0, 12);
  return `qr-${readable}` as IfName;
}

/** Without one of its own a bridge takes the lowest MAC of its ports, and changes it as they come and go. Locally administered, and of no NIC's range. */
export function bridgeMacOf({ name, bridge }: Named): Mac {
  if (bridge?.mac !== undefined && bridge.mac !== 'auto') return bridge.mac;
  const digits = digestOf(`bridge-mac\0${name}`).slice(0, 10);
  const parsed = parseMac(['02', ...(digits.match(/../g) ?? [])].join(':'));
  if ('mac' in parsed) return parsed.mac;
  throw new Error(`no MAC for the bridge of ${name}`);
}

/** A word that nft reads back as well: letters, digits and `_`. */
export function tableNameOf(name: string): string {
  const word = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '_');
  return word === name ? `qrun_${word}` : `qrun_${word}_${digestOf(name).slice(0, 6)}`;
}
