/** The way from a VM's steps to the managed networks. What lies behind it is loaded only when a step needs it. */
import type { PreparedNetwork } from '../networks/prepare-network.ts';
import type { NetworkDoor } from '../resources/resource.ts';
import { QrunError } from '../errors.ts';
import type { LaunchContext } from './prepare.ts';

/** @param networks those that the plan was made with; none are needed to leave */
export function networkDoor(
  context: LaunchContext,
  networks: Readonly<Record<string, PreparedNetwork>> = {},
): NetworkDoor {
  return {
    join: async (step) => {
      const network = networks[step.network];
      if (network === undefined) throw new QrunError('bug', `the network ${step.network} was not prepared`);
      const { joinNetwork } = await import('../networks/bring-up.ts');
      return await joinNetwork(step, network, context);
    },
    leave: async (step) => {
      const { leaveNetwork } = await import('../networks/bring-up.ts');
      await leaveNetwork(step, context);
    },
  };
}
