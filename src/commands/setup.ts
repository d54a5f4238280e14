import { QrunError } from '../errors.ts';
import type { SetupAction, SetupItem } from '../setup/item.ts';
import { notRoot } from '../setup/plan.ts';
import { renderAction } from '../setup/render.ts';
import { applySetup, previewSetup, previewUndo, undoSetup, type LeftItem, type SetupContext } from '../setup/run.ts';
import type { SetupArguments } from './arguments.ts';
import type { CommandContext, Run } from './command.ts';

export const run: Run<SetupArguments> = async ({ undo, dryRun, ...options }, context) => {
  const { report, system, places } = context;
  if (undo && Object.values(options).some((value) => typeof value === 'string'))
    throw new QrunError('usage', '--undo takes back all that setup made; it goes with no other option but --dry-run', {
      hint: 'sudo qrun setup --undo',
    });
  if (!dryRun && system.uid !== 0) throw notRoot({ ...options, undo });
  let changes = 0;
  const tell = (item: SetupItem, actions: readonly SetupAction[]): void => {
    if (actions.length === 0) return report.detail(`${item.what}: is so already`);
    changes += 1;
    const lines = [`${item.what}:`, ...actions.flatMap(renderAction).map((line) => `    ${line}`)].join('\n');
    return dryRun ? report.out(lines) : report.note(lines);
  };
  const setup: SetupContext = { system, places, tell };
  if (undo) return tellLeft(dryRun ? previewUndo(setup) : await undoSetup(setup), changes, context);
  const { notes } = dryRun ? await previewSetup(options, setup) : await applySetup(options, setup);
  if (changes === 0) report.note('all of it is so already');
  for (const note of notes) report.note(`note: ${note}`);
  return 0;
};

function tellLeft(left: readonly LeftItem[], changes: number, { report }: CommandContext): number {
  for (const { item, why } of left) report.warn(`left: ${item.what}: ${why}`);
  if (changes === 0 && left.length === 0) report.note('setup has made nothing here');
  return left.length === 0 ? 0 : 5;
}
