/** What the router of the network outside must be told for guests that are routed as they are. */
import { addressOn, readUplinks, type Uplink } from '../host/uplinks.ts';
import { subnetsOf } from '../network/bridged/free-subnets.ts';
import type { Network } from '../network/network.ts';
import { parseInterfaceAddress } from '../subnet.ts';

interface Outside {
  readonly uplinks: readonly Uplink[];
  readonly addressOf: (uplink: Uplink) => string | undefined;
}

const here = (): Outside => ({ uplinks: readUplinks(), addressOf: addressOn });

/** Commands for it, one for each network; none of another mode than `route`. */
export function outsideRoutes(definition: Network, { uplinks, addressOf }: Outside = here()): string[] {
  if (definition.forward !== 'route') return [];
  const dev = definition.route?.dev;
  return subnetsOf(definition).flatMap((written): string[] => {
    const subnet = parseInterfaceAddress(written)?.subnet;
    if (subnet === undefined) return [];
    const { family, cidr } = subnet;
    const name = dev ?? uplinks.find((one) => one.family === family)?.name;
    const address = name === undefined ? undefined : addressOf({ family, name });
    return [`ip${family === 6 ? ' -6' : ''} route add ${cidr} via ${address ?? 'ADDRESS-OF-THIS-HOST'}`];
  });
}
