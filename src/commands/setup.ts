import { QrunError } from '../errors.ts';
import { idOf, type SetupAction, type SetupItem } from '../setup/item.ts';
import { notRoot } from '../setup/plan.ts';
import { renderAction } from '../setup/render.ts';
import { applySetup, previewSetup, previewUndo, undoSetup, type LeftItem, type SetupContext } from '../setup/run.ts';
import type { SetupArguments } from './arguments.ts';
import type { CommandContext, Run } from './command.ts';

interface Told {
  readonly id: string;
  readonly what: string;
  readonly state: 'as-it-is' | 'changed' | 'would-change' | 'left';
  readonly actions: readonly string[];
  readonly why?: string;
}

export const run: Run<SetupArguments> = async ({ undo, dryRun, ...options }, context) => {
  const { report, system, places } = context;
  if (undo && Object.values(options).some((value) => typeof value === 'string'))
    throw new QrunError('usage', '--undo takes back all that setup made; it goes with no other option but --dry-run', {
      hint: 'sudo qrun setup --undo',
    });
  if (!dryRun && system.uid !== 0) throw notRoot({ ...options, undo });
  const told: Told[] = [];
  const setup: SetupContext = { system, places, tell: teller(told, dryRun, context) };
  const left = undo ? (dryRun ? previewUndo(setup) : await undoSetup(setup)) : [];
  const { notes } = undo
    ? { notes: [] }
    : dryRun
      ? await previewSetup(options, setup)
      : await applySetup(options, setup);
  if (report.json) report.document({ items: [...told, ...left.map(leftOf)], notes });
  else tellEnd({ told, left, notes, undo }, context);
  return left.length === 0 ? 0 : 5;
};

/** Each item before it is done. A dry run is a result; what happens is told like everything that happens. */
function teller(told: Told[], dryRun: boolean, { report }: CommandContext): SetupContext['tell'] {
  return (item: SetupItem, actions: readonly SetupAction[]) => {
    const changes = actions.length > 0;
    const lines = actions.flatMap(renderAction);
    const state = changes ? (dryRun ? 'would-change' : 'changed') : 'as-it-is';
    told.push({ id: idOf(item), what: item.what, state, actions: actions.map((one) => renderAction(one).join('\n')) });
    if (!changes) return report.detail(`${item.what}: is so already`);
    const text = [`${item.what}:`, ...lines.map((line) => `    ${line}`)].join('\n');
    if (!dryRun) return report.note(text);
    return report.json ? undefined : report.out(text);
  };
}

const leftOf = ({ item, why }: LeftItem): Told => ({
  id: idOf(item),
  what: item.what,
  state: 'left',
  actions: [],
  why,
});

interface End {
  readonly told: readonly Told[];
  readonly left: readonly LeftItem[];
  readonly notes: readonly string[];
  readonly undo: boolean;
}

function tellEnd({ told, left, notes, undo }: End, { report }: CommandContext): void {
  for (const { item, why } of left) report.warn(`left: ${item.what}: ${why}`);
  if (left.length === 0 && told.every(({ state }) => state === 'as-it-is'))
    report.note(undo ? 'setup has made nothing here' : 'all of it is so already');
  for (const note of notes) report.note(`note: ${note}`);
}
