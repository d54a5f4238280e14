/** The monitor of a network's gateway, used under the network's lock: it serves one client. Its failures come as text of a success. */
import { QrunError } from '../errors.ts';
import type { NetworkForward } from '../network/network-plan.ts';
import type { NetworkName } from '../network/network.ts';
import { connectQmp, type QmpClient } from '../qmp/client.ts';

export interface GatewayOf {
  readonly name: NetworkName;
  readonly monitor: string;
  /** The id of the gateway's `-netdev user`. */
  readonly netdev: string;
}

export interface Gateway {
  /** @throws QrunError `host-failed` */
  readonly add: (forward: NetworkForward) => Promise<void>;
  /** One that is not there is as good as gone. @throws QrunError `host-failed` */
  readonly remove: (forward: NetworkForward) => Promise<void>;
}

/** @throws QrunError `host-failed` when it does not answer */
export async function withGateway<T>(of: GatewayOf, use: (gateway: Gateway) => Promise<T>): Promise<T> {
  const client = await connect(of);
  try {
    return await use({
      add: async (forward) => {
        const said = await client.hmp(`hostfwd_add ${of.netdev} ${hostSide(forward)}-${guestSide(forward)}`);
        if (said.trim() !== '') throw refused(of, forward, said);
      },
      remove: async (forward) => {
        const said = await client.hmp(`hostfwd_remove ${of.netdev} ${hostSide(forward)}`);
        if (!/ (removed|not found)\s*$/.test(said)) throw refused(of, forward, said);
      },
    });
  } finally {
    client.close();
  }
}

async function connect({ name, monitor }: GatewayOf): Promise<QmpClient> {
  try {
    return await connectQmp(monitor, { greetingTimeoutMs: 5000 });
  } catch (error) {
    throw new QrunError('host-failed', `network ${name}: its gateway does not answer`, {
      causes: [`${monitor}: ${error instanceof Error ? error.message : String(error)}`],
      hint: `qrun net info ${name}; qrun net up ${name}`,
      cause: error,
    });
  }
}

/** As slirp takes it; all parts are checked literals. */
const hostSide = ({ protocol, hostAddress, hostPort }: NetworkForward): string =>
  `${protocol}:${hostAddress}:${hostPort}`;
const guestSide = ({ guestAddress, guestPort }: NetworkForward): string => `${guestAddress}:${guestPort}`;

const refused = ({ name }: GatewayOf, forward: NetworkForward, said: string): QrunError =>
  new QrunError('host-failed', `network ${name}: its gateway refuses ${hostSide(forward)}-${guestSide(forward)}`, {
    causes: [said.trim()],
    hint: 'choose another port, or auto',
  });
