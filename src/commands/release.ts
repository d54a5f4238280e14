/**
 * `__release VM RUN STATUS`: what the waiter runs when QEMU ended.
 * `__release --network NET RUN`: what a network's watcher runs when nobody is on it.
 * `__release --joined NET`: what a script runs when its VM is on the network.
 */
import { QrunError } from '../errors.ts';
import { finishRun } from '../launch/end.ts';
import { parseVmName } from '../names.ts';
import type { RawArguments } from './arguments.ts';
import type { CommandContext, Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<RawArguments> = async ({ words }, context) => {
  if (words[0] === '--joined') return await tellJoined(words[1], context);
  if (words[0] === '--network') return await releaseNetwork(words.slice(1), context);
  const [name, runId, status] = words;
  if (name === undefined || runId === undefined) throw new QrunError('usage', '__release VM RUN STATUS');
  await finishRun(parseVmName(name), launchContext(context), {
    runId,
    ...(status !== undefined && { qemuStatus: Number(status) }),
  });
  return 0;
};

async function releaseNetwork([name, runId]: readonly string[], context: CommandContext): Promise<number> {
  if (name === undefined || runId === undefined) throw new QrunError('usage', '__release --network NET RUN');
  const { endIfUnused } = await import('../networks/take-down.ts');
  // 4: somebody is on it again, and the watcher goes on watching
  return (await endIfUnused(parseVmName(name), launchContext(context), { runId })) === 'in-use' ? 4 : 0;
}

async function tellJoined(name: string | undefined, context: CommandContext): Promise<number> {
  if (name === undefined) throw new QrunError('usage', '__release --joined NET');
  const { tellAfterJoin } = await import('../networks/tell-members.ts');
  await tellAfterJoin(parseVmName(name), launchContext(context));
  return 0;
}
