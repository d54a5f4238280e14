/** What networks of the host's have switched on and left so, as others may have come to need it: forwarding. Undone together with what setup made. */
import { existsSync, rmSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { readNetworkRecord } from '../networks/record.ts';
import { listNetworkState } from '../networks/state-names.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { Places } from '../places.ts';
import { dotted, readSwitchedOn, switchedOnFile } from '../resources/sysctl.ts';
import type { System } from '../system/system.ts';
import type { SetupEntry } from './record.ts';

interface Look {
  readonly system: Pick<System, 'bootId'>;
  readonly places: Places;
}

const known: readonly string[] = ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding'];

/** As if setup had recorded it. None that was not so already. */
export function switchedOn({ system, places }: Look): SetupEntry[] {
  const values = readSwitchedOn(switchedOnFile(places.host), system.bootId())?.values ?? {};
  return known.flatMap((name): SetupEntry[] => {
    const value = values[name];
    if (value !== '0') return [];
    const key = dotted(name);
    return [
      {
        item: { kind: 'sysctl', what: `${key}, which networks need`, key, value: '1' },
        before: { value },
        state: 'done',
      },
    ];
  });
}

export const forgetSwitchedOn = ({ places }: Pick<Look, 'places'>): void =>
  rmSync(switchedOnFile(places.host), { force: true });

/** Names of the networks that need it now; one that cannot be read may be one of them. */
export function networksThatForward({ system, places }: Look): string[] {
  return listNetworkState(places).filter((name) => {
    const files = networkFiles(places, name);
    if (!existsSync(files.journal)) return false;
    try {
      const record = readNetworkRecord(files);
      if (record === undefined) return true;
      return record.bootId === system.bootId() && record.plan.steps.some(({ id }) => id === 'sysctl:forwarding');
    } catch (error) {
      if (error instanceof QrunError) return true;
      throw error;
    }
  });
}
