/** `qrun down`: the VMs of a lab power down in the opposite order, as many side by side as it allows; then its networks end, unless others are on them. */
import { exitStatusOf } from '../errors.ts';
import type { Together } from '../lab/merge.ts';
import type { NetworkName } from '../network/network.ts';
import type { VmName } from '../names.ts';
import { hostFailureOf } from '../system/failure.ts';
import { descend } from './descend.ts';
import type { LabContext } from './lab-context.ts';
import { lowerNetwork, titleOf } from './lab-networks.ts';
import { stopVm } from './stop-vm.ts';
import { readVm } from './vms.ts';

export interface LabDownContext extends LabContext {
  /** Is given each error as it comes: one VM that cannot be stopped keeps no other up. */
  readonly tellError: (error: unknown) => void;
}

export interface LabDown {
  readonly vms: readonly { readonly vm: VmName; readonly stopped: boolean }[];
  readonly networks: readonly { readonly network: NetworkName; readonly state: 'down' | 'in-use' | 'was-down' }[];
  /** The highest exit status. */
  readonly status: number;
}

/** Guests that power down keep no processor of ours busy. */
const stopsAtOnce = 32;
/** Who is not gone by then is told of: nobody should look at nothing for a minute. */
const soonMs = 2000;

export async function labDown(lab: Together, context: LabDownContext): Promise<LabDown> {
  const stopped = new Map<VmName, boolean>();
  const networks: LabDown['networks'][number][] = [];
  let status = 0;
  const attempt = async (name: string, act: () => Promise<void>): Promise<void> => {
    try {
      await act();
    } catch (caught) {
      const error = hostFailureOf(caught);
      status = Math.max(status, exitStatusOf(error));
      context.tell(name, 'failed', 'could not be ended');
      context.tellError(error);
    }
  };
  const stop = (vms: Together['vms']): Promise<void> =>
    descend(
      vms,
      ({ name }) =>
        attempt(name, async () => {
          stopped.set(name, await stopOne(name, context));
        }),
      stopsAtOnce,
    );
  await stop(lab.vms);
  // an `up` that was at work meanwhile may have started what was passed; what it starts from now on it ends itself, for it sees what was stopped
  if ([...stopped.values()].includes(true))
    await stop(
      lab.vms.filter(({ name }) => stopped.get(name) === false && readVm(context, name, true).pid !== undefined),
    );
  for (const { name: network } of lab.networks.toReversed())
    await attempt(titleOf(network), async () => {
      const state = await lowerNetwork(network, context);
      networks.push({ network, state });
      context.tell(titleOf(network), 'done', networkWords[state]);
    });
  return { vms: lab.vms.map(({ name }) => ({ vm: name, stopped: stopped.get(name) ?? false })), networks, status };
}

const networkWords = {
  down: 'is down',
  'in-use': 'stays until the last VM has left it',
  'was-down': 'was not up',
} as const;

async function stopOne(name: VmName, context: LabContext): Promise<boolean> {
  const { state, record } = readVm(context, name);
  const timeoutS = context.timeoutS ?? record?.shutdownTimeoutS ?? 60;
  let told = timeoutS === 0;
  const tellWait = (): void => {
    if (told) return;
    told = true;
    context.tell(name, 'working', `${state === 'paused' ? 'was paused, and ' : ''}has ${timeoutS} s to power down`);
  };
  if (state === 'paused') tellWait();
  const ran = await stopVm(name, context, {
    from: 'power-down',
    ...(context.timeoutS !== undefined && { timeoutS: context.timeoutS }),
    onProgress: (rung, elapsedMs) => {
      if (elapsedMs >= soonMs) tellWait();
      context.tell(name, 'waiting', `${rung}, ${Math.round(elapsedMs / 1000)} s`);
    },
  });
  context.tell(name, 'done', ran ? 'stopped' : 'did not run');
  return ran;
}
