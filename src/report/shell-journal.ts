/**
 * The journal that a script begins under the VM lock: the same file as a run's of qrun's own, with the intents of all steps at once, so that a script that
 * was killed is given back by `qrun gc` and the next run, and `qrun ps` and `stop` see its VM.
 */
import path from 'node:path';
import type { LaunchPlan } from '../plan/launch-plan.ts';
import type { Step } from '../plan/step.ts';
import { shellWord } from '../shell-word.ts';

/** What stands for a run id: what a dead script left is tidied by the next script by itself. */
const scriptRunId = 'script';

export function renderJournal({ vm, steps, logs }: Pick<LaunchPlan, 'vm' | 'steps' | 'logs'>): string {
  const directory = path.dirname(logs.events);
  const file = shellWord(path.join(directory, 'journal'));
  const lines = steps.filter(({ kind }) => kind !== 'vm-lock').flatMap(linesOf);
  return `# what is taken from here on, for qrun gc if this script is killed
private_directory ${shellWord(directory)}
case $(head -n 1 -- ${file} 2>/dev/null) in
  '' | *'"runId":"${scriptRunId}"'*) ;;
  *) fail 3 ${shellWord(`an earlier run of ${vm} left things behind; qrun gc ${vm} gives them back`)} ;;
esac
boot_id=$(cat /proc/sys/kernel/random/boot_id)
journal=${file}
printf '%s\\n' "{\\"v\\":1,\\"runId\\":\\"${scriptRunId}\\",\\"bootId\\":\\"$boot_id\\",\\"vm\\":\\"${vm}\\",\\"startedAt\\":\\"$(date -u +%Y-%m-%dT%H:%M:%S.000Z)\\"}" >"$journal"
printf '%s\\n' ${lines.map((line) => shellWord(JSON.stringify(line))).join(' \\\n  ')} >>"$journal"
`;
}

/** A hook after the end is owed as soon as anything is taken; of what else is taken only the look at it tells. */
function linesOf(step: Step): unknown[] {
  const intent = { intent: step };
  const owed = step.kind === 'hook' && step.when === 'afterStop';
  return owed ? [intent, { record: step.id, value: {} }] : [intent];
}
