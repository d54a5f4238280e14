/** A program of the profile's, before the start or after the end. Run directly, never through a shell. */
import { QrunError } from '../errors.ts';
import type { HookStep } from '../plan/step.ts';
import { shellWord } from '../shell-word.ts';
import type { System } from '../system/system.ts';
import type { Resource } from './resource.ts';

const hookTimeoutMs = 300_000;

export const hook: Resource<HookStep> = {
  once: true,

  describe: (step) => {
    const action = { argv: step.argv, env: step.env };
    return step.when === 'beforeStart' ? { acquire: [action], release: [] } : { acquire: [], release: [action] };
  },

  acquire: async (step, { system }) => {
    if (step.when === 'beforeStart') await run(step, system);
    else requireProgram(step, system);
    return {};
  },

  release: async (step, record, { system, sameBoot }) => {
    // without a record the run never got so far; after a reboot there is nothing left that it could tidy
    if (step.when === 'afterStop' && record !== undefined && sameBoot) await run(step, system);
  },
};

/** A hook that cannot be run after the end is told before the start. */
function requireProgram({ argv: [program = ''], when }: HookStep, system: System): void {
  if (system.which(program) !== undefined) return;
  throw new QrunError('missing-tool', `hook ${when}: there is no program ${program} that may be run`, {
    hint: `ls -l ${shellWord(program)}`,
  });
}

async function run(step: HookStep, system: System): Promise<void> {
  const [program, ...args] = step.argv;
  if (program === undefined) return;
  const { status, stderr } = await system.run(program, args, { env: step.env, timeoutMs: hookTimeoutMs });
  if (status === 0) return;
  throw new QrunError('host-failed', `hook ${step.when}: ${program} ended with status ${status}`, {
    causes: stderr.trim() === '' ? [] : [stderr.trim().slice(-2000)],
  });
}
