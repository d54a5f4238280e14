/** The interface that a network's guests get out by, where its definition names one: rules name it too, and it may come and go. */
import { readHostLink } from '../host/host-link.ts';
import type { Network } from '../network/network.ts';

/** What is to be told where it is not there, or is down: nothing breaks, and nobody gets out. */
export function faultOfWayOut({ name, nat, route }: Pick<Network, 'name' | 'nat' | 'route'>): string | undefined {
  const device = nat?.dev ?? route?.dev;
  if (device === undefined) return undefined;
  const link = readHostLink(device);
  if (link?.up === true) return undefined;
  const why = link === undefined ? `there is no interface ${device}` : `${device} is down`;
  return `network ${name}: ${why}: its guests get out by it alone, when it is there`;
}
