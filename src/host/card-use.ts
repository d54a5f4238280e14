/** What shares a network card's frames: macvtaps and macvlans. In mode passthru there is one, and it has the card's own MAC, which no other can have. */
import path from 'node:path';
import type { NamedLink } from '../link-owner.ts';
import type { HostLink } from './host-link.ts';
import { attributeOf } from './sysfs.ts';

export interface CardUse extends NamedLink {
  /** It has the card for itself alone. */
  readonly alone: boolean;
}

/** One is enough to be in the way, and there may be hundreds. */
const most = 8;

/** Read from sysfs. @param parent the card */
export function readCardUses({ mac, uppers }: Pick<HostLink, 'mac' | 'uppers'>): CardUse[] {
  return uppers.slice(0, most).flatMap((name): CardUse[] => {
    const text = (file: string): string => attributeOf(path.join('/sys/class/net', name, file));
    // VLANs and ipvlans say what they are, and some kernels' macvlans do not
    const type = /^DEVTYPE=(.*)$/m.exec(text('uevent'))?.[1] ?? 'macvlan';
    if (type !== 'macvlan' && type !== 'macvtap') return [];
    return [{ name, alias: text('ifalias'), alone: text('address') === mac }];
  });
}
