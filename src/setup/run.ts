/** Setup, its way back, and the telling of both: all from the same plan or record. */
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { failpoint } from '../journal/failpoint.ts';
import type { Places } from '../places.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { withLock } from '../system/flock.ts';
import type { System } from '../system/system.ts';
import { riskOfUplink } from './check.ts';
import type { SetupOptions } from './facts.ts';
import { faultOfActions, readPowers } from './forecast.ts';
import { idOf, type SetupAction, type SetupItem } from './item.ts';
import { kindOf } from './items/registry.ts';
import { perform } from './perform.ts';
import { planSetup, type SetupPlan } from './plan.ts';
import { readSetupFacts } from './read-facts.ts';
import {
  entryOf,
  handedOn,
  makeHostDirectory,
  readRecord,
  removeRecord,
  withEntry,
  withoutEntry,
  writeRecord,
  type SetupEntry,
  type SetupRecord,
} from './record.ts';
import { forgetSwitchedOn, networksThatForward, switchedOn } from './switched-on.ts';

export interface SetupContext {
  readonly system: System;
  readonly places: Places;
  /** Told before it is done. No actions: it is so already. */
  readonly tell: (item: SetupItem, actions: readonly SetupAction[]) => void;
}

const lockMs = 60_000;

/** Two setups at once would each undo what the other recorded. The lock is where nothing outlives the boot. */
async function alone<T>({ places }: SetupContext, act: () => T | Promise<T>): Promise<T> {
  ensurePrivateDirectory(places.runtime, { uid: 0 });
  return await withLock(path.join(places.runtime, 'setup.lock'), lockMs, act);
}

/** What would be done, and nothing else. Needs no rights, but sees no more than its user may. */
export async function previewSetup(options: SetupOptions, context: SetupContext): Promise<SetupPlan> {
  const { plan, record, facts } = await readPlan({ ...options, yes: true }, context);
  for (const item of plan.replaced)
    context.tell(item, kindOf(item).undo(item, entryOf(record, item)?.before ?? {}, context));
  for (const item of plan.items) context.tell(item, actionsOf(item, record, context));
  const risk = options.yes ? undefined : riskOfUplink(options, facts);
  return risk === undefined ? plan : { ...plan, notes: [`${risk}: it is refused without --yes`, ...plan.notes] };
}

/** @throws QrunError what stands in the way, before anything is done; or what failed: a second setup goes on from there */
export async function applySetup(options: SetupOptions, context: SetupContext): Promise<SetupPlan> {
  return await alone(context, async () => {
    const { plan, record } = await readPlan(options, context);
    foresee(plan, record, context);
    let now = record;
    const keep = (next: SetupRecord): void => {
      now = next;
      writeRecord(context.places, now);
    };
    const made = makeHostDirectory(context.places);
    const first = { ...now, made: [...new Set([...now.made, ...made])] };
    try {
      keep(first);
    } catch (error) {
      // what is not written down nobody would take back
      if (record.made.length + record.entries.length === 0) removeRecord(context.places, first);
      throw error;
    }
    for (const item of plan.replaced) takeBack(item, now, { ...context, keep });
    const refused: string[] = [];
    for (const item of plan.items) {
      try {
        applyItem(item, now, { ...context, keep });
      } catch (error) {
        if (kindOf(item).optional !== true || !(error instanceof QrunError)) throw withWayOn(error, item);
        refused.push(`${item.what}: ${[error.message, ...error.causes].join('; ')}`);
      }
    }
    return { ...plan, notes: [...refused, ...plan.notes] };
  });
}

/** @throws QrunError what this host, or this root, cannot do of it */
function foresee({ items }: SetupPlan, record: SetupRecord, context: SetupContext): void {
  const needed = items.filter((item) => kindOf(item).optional !== true);
  const fault = faultOfActions(
    needed.flatMap((item) => actionsOf(item, record, context)),
    readPowers(),
  );
  if (fault !== undefined) throw fault;
}

async function readPlan(options: SetupOptions, { system, places }: SetupContext) {
  const record = lookedAtAnew(readRecord(places), options, system);
  const facts = await readSetupFacts({ system, places, options, record });
  return { plan: planSetup(options, facts), record, facts };
}

/** What was there before is another thing where somebody undid an item: the plan is made from it. */
function lookedAtAnew(record: SetupRecord, { bridge }: SetupOptions, system: System): SetupRecord {
  const entries = record.entries.map((entry): SetupEntry => {
    const { item, before, state } = entry;
    if (item.kind !== 'uplink' || item.bridge !== bridge || state !== 'done') return entry;
    return { ...entry, before: kindOf(item).anew?.(item, before, { system }) ?? before };
  });
  return { ...record, entries };
}

interface Keeping extends SetupContext {
  readonly keep: (record: SetupRecord) => void;
}

/** @throws QrunError why it stays: what was asked for would not be so */
function takeBack(item: SetupItem, record: SetupRecord, context: Keeping): void {
  const entry = entryOf(record, item);
  if (entry === undefined) return;
  const kept = undoEntry(entry, record.entries, context);
  if (kept !== undefined) throw new QrunError('host-failed', `${item.what}: ${kept.why}`);
  context.keep(handedOn(record, item));
  failpoint(`setup ${idOf(item)} replaced`);
}

function applyItem(item: SetupItem, record: SetupRecord, context: Keeping): void {
  const id = idOf(item);
  const known = entryOf(record, item);
  const actions = actionsOf(item, record, context);
  context.tell(item, actions);
  if (actions.length === 0) {
    if (known !== undefined && known.state === 'begun')
      context.keep(withEntry(record, { ...known, item, state: 'done' }));
    return;
  }
  const before = known?.before ?? kindOf(item).before(item, context);
  const begun = withEntry(record, { item, before, state: 'begun' });
  context.keep(begun);
  failpoint(`setup ${id} begun`);
  doActions(`setup ${id}`, actions, context);
  context.keep(withEntry(begun, { item, before, state: 'done' }));
  failpoint(`setup ${id} done`);
}

/** None: it is so already. */
function actionsOf(item: SetupItem, record: SetupRecord, host: SetupContext): readonly SetupAction[] {
  const kind = kindOf(item);
  const known = entryOf(record, item);
  const halfway = kind.resumes === true && known?.state === 'begun';
  if (!halfway && kind.isDone(item, host)) return [];
  return kind.actions(item, known?.before ?? kind.before(item, host), host);
}

function doActions(id: string, actions: readonly SetupAction[], host: SetupContext): void {
  for (const [index, action] of actions.entries()) {
    perform(action, host);
    failpoint(`${id} ${index + 1}`);
  }
}

function withWayOn(error: unknown, item: SetupItem): unknown {
  if (!(error instanceof QrunError)) return error;
  return new QrunError(error.code, `${item.what}: ${error.message}`, {
    hint: error.hint ?? 'mend it and give the same command again: it goes on from here (or: sudo qrun setup --undo)',
    causes: [...error.causes, 'what was done before it is recorded: sudo qrun setup --undo takes it back'],
    cause: error,
    status: error.status,
  });
}

export interface LeftItem {
  readonly item: SetupItem;
  readonly why: string;
}

/** Takes back what setup made, last in first out, going on past what fails. Nothing recorded: nothing is done. */
export async function undoSetup(context: SetupContext): Promise<LeftItem[]> {
  const { entries, made } = readRecord(context.places);
  if (entries.length === 0 && made.length === 0 && switchedOn(context).length === 0) return [];
  return await alone(context, () => {
    let now = readRecord(context.places);
    const left: LeftItem[] = undoSwitchedOn(context);
    for (const entry of now.entries.toReversed()) {
      const kept = undoEntry(entry, now.entries, context);
      if (kept !== undefined) left.push({ item: entry.item, why: kept.why });
      if (kept !== undefined && kept.forget !== true) continue;
      now = withoutEntry(now, entry.item);
      writeRecord(context.places, now);
      failpoint(`undo ${idOf(entry.item)} done`);
    }
    if (now.entries.length === 0) removeRecord(context.places, now);
    return left;
  });
}

function undoSwitchedOn(context: SetupContext): LeftItem[] {
  const entries = switchedOn(context);
  const needed = keptForNetworks(entries, context);
  if (needed.length > 0) return needed;
  const left = entries.flatMap((entry) => {
    const kept = undoEntry(entry, entries, context);
    return kept === undefined || kept.forget === true ? [] : [{ item: entry.item, why: kept.why }];
  });
  if (left.length === 0) forgetSwitchedOn(context);
  return left;
}

function keptForNetworks(entries: readonly SetupEntry[], context: SetupContext): LeftItem[] {
  const names = entries.length === 0 ? [] : networksThatForward(context);
  if (names.length === 0) return [];
  const why = `network ${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} up: sudo qrun net down ${names[0]}`;
  return entries.map(({ item }) => ({ item, why }));
}

/** What `--undo` would do. */
export function previewUndo(context: SetupContext): LeftItem[] {
  const recorded = readRecord(context.places).entries;
  const switched = switchedOn(context);
  const needed = keptForNetworks(switched, context);
  return [...needed, ...previewEntries([...recorded, ...(needed.length > 0 ? [] : switched)], context)];
}

function previewEntries(entries: readonly SetupEntry[], context: SetupContext): LeftItem[] {
  return entries.toReversed().flatMap(({ item, before, state }) => {
    const kept = kindOf(item).whyKept(item, before, { ...context, state, entries });
    // ports of ours go before the bridge does
    if (kept !== undefined && (item.kind !== 'bridge' || kept.forget === true)) return [{ item, why: kept.why }];
    context.tell(item, kindOf(item).undo(item, before, context));
    return [];
  });
}

function undoEntry({ item, before, state }: SetupEntry, entries: readonly SetupEntry[], context: SetupContext) {
  const kind = kindOf(item);
  const kept = kind.whyKept(item, before, { ...context, state, entries });
  if (kept !== undefined) return kept;
  const actions = kind.undo(item, before, context);
  context.tell(item, actions);
  try {
    doActions(`undo ${idOf(item)}`, actions, context);
    return undefined;
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
    return { why: [error.message, ...error.causes].join('; ') };
  }
}
