/** The ports of a network of root's, and whose they are. Read only. */
import { portInWords, type HostNetwork } from '../network/host-network.ts';
import { readPortMembers, readPortUsers, strangerOn } from './port-users.ts';

export interface PortInfo {
  readonly device: string;
  readonly mac: string;
  /** The address that its guest gets; null where the network has no DHCP of its own. */
  readonly ip: string | null;
  /** Whom it is kept for, else who has it or had it last; of another user's: `alice/web1`. */
  readonly vm: string | null;
  /** `taken`: it is on the network; `kept`: root keeps it for that VM, which the definition or a forward names; `free`: others may have it too. */
  readonly state: 'taken' | 'kept' | 'free';
  /** Who has it without a VM: `a process of alice (pid 4711)`. */
  readonly by?: string;
}

export function listPorts(host: HostNetwork, uid: number): PortInfo[] {
  const taken = new Set(readPortMembers(host, uid).map(({ mac }) => mac));
  const users = readPortUsers(host, uid);
  return host.ports.map((port): PortInfo => {
    const { mac, ip, kept } = port;
    const by = taken.has(mac) ? undefined : strangerOn(port);
    return {
      device: portInWords(port),
      mac,
      ip: ip ?? null,
      vm: users.find((one) => one.mac === mac)?.vm ?? null,
      state: taken.has(mac) || by !== undefined ? 'taken' : kept === undefined ? 'free' : 'kept',
      ...(by !== undefined && { by }),
    };
  });
}
