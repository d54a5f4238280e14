/** The command monitor of a running VM, used briefly and by one at a time: QMP serves one client, a second gets no greeting. */
import { QrunError } from '../errors.ts';
import { connectQmp, type QmpClient } from '../qmp/client.ts';
import { withLock } from '../system/flock.ts';

export interface MonitorOf {
  readonly vm: string;
  readonly qmp: string;
  readonly lock: string;
}

const busyTimeoutMs = 10_000;

/** @throws QrunError `in-use` when somebody else keeps the monitor busy, `host-failed` when it does not answer */
export async function withMonitor<T>({ vm, qmp, lock }: MonitorOf, use: (client: QmpClient) => Promise<T>): Promise<T> {
  return await withLock(lock, busyTimeoutMs, async () => {
    const client = await connect(vm, qmp);
    try {
      return await use(client);
    } finally {
      client.close();
    }
  });
}

async function connect(vm: string, qmp: string): Promise<QmpClient> {
  try {
    return await connectQmp(qmp, { greetingTimeoutMs: 5000 });
  } catch (error) {
    throw new QrunError('host-failed', `${vm}: its monitor does not answer`, {
      causes: [`${qmp}: ${error instanceof Error ? error.message : String(error)}`],
      hint: `qrun ps; qrun kill ${vm}`,
      cause: error,
    });
  }
}
