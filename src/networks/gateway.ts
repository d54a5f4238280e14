/** The monitor of a network's gateway, used under the network's lock: it serves one client. Its failures come as text of a success. */
import { QrunError } from '../errors.ts';
import type { NetworkForward } from '../network/network-plan.ts';
import type { NetworkName } from '../network/network.ts';
import { connectQmp, type QmpClient } from '../qmp/client.ts';
import { parseUsernet } from '../qmp/usernet.ts';
import { delay } from '../system/delay.ts';

export interface GatewayOf {
  readonly name: NetworkName;
  readonly monitor: string;
  /** The id of the gateway's `-netdev user`. */
  readonly netdev: string;
}

export interface Gateway {
  /** One that is there already is as good as added. @throws QrunError `host-failed` */
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
        if (said.trim() !== '' && !(await has(client, of, forward))) throw refused(of, forward, said);
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

async function has(client: QmpClient, { netdev }: GatewayOf, forward: NetworkForward): Promise<boolean> {
  const rows = parseUsernet(await client.hmp('info usernet'));
  return rows.some(
    (row) =>
      row.netdev === netdev &&
      row.state === 'HOST_FORWARD' &&
      row.protocol.toLowerCase() === forward.protocol &&
      (row.source === '*' ? '0.0.0.0' : row.source) === forward.hostAddress &&
      row.sourcePort === forward.hostPort &&
      row.destination === forward.guestAddress &&
      row.destinationPort === forward.guestPort,
  );
}

/** As long as it takes its keeper to start it again, on a busy machine too. */
const patienceMs = 20_000;

async function connect({ name, monitor }: GatewayOf): Promise<QmpClient> {
  for (const began = Date.now(); ; await delay(100)) {
    try {
      return await connectQmp(monitor, { greetingTimeoutMs: patienceMs });
    } catch (error) {
      const isStarting = error instanceof QrunError && error.code === 'host-failed';
      if (isStarting && Date.now() - began < patienceMs) continue;
      throw new QrunError('host-failed', `network ${name}: its gateway does not answer`, {
        causes: [`${monitor}: ${error instanceof Error ? error.message : String(error)}`],
        hint: `qrun net info ${name}; qrun net up ${name}`,
        cause: error,
      });
    }
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
