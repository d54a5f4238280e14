/** `SetupOptions + SetupFacts → SetupPlan`. Pure: what is wrong is said here, before anything of the host is touched. */
import { QrunError } from '../errors.ts';
import { bridgeItems, completeBridge, keptBySetup, uplinksOf } from './bridge-items.ts';
import { faultsOfOptions } from './check.ts';
import { recordedGroup } from './conf-rule.ts';
import type { SetupFacts, SetupOptions } from './facts.ts';
import { generalItems } from './general-items.ts';
import { completeWay, wayItems, waysOf } from './host-access-items.ts';
import { idOf, type SetupItem } from './item.ts';

export interface SetupPlan {
  readonly items: readonly SetupItem[];
  /** Of earlier setups, and not wanted any more: taken back before the others are made. */
  readonly replaced: readonly SetupItem[];
  /** What setup does not do, and somebody should know. */
  readonly notes: readonly string[];
}

/** @throws QrunError */
export function planSetup(options: SetupOptions, facts: SetupFacts): SetupPlan {
  const fault = faultsOfOptions(options, facts)[0];
  if (fault !== undefined) throw fault;
  const group = options.group ?? recordedGroup(options.bridge, facts);
  const bridge = completeBridge(options, facts);
  const bridges = keptBySetup(facts, bridge);
  const way = wayItems(options, facts);
  const ways = waysOf(facts, completeWay(options, facts));
  const general = generalItems({ facts, group, bridges, uplinks: uplinksOf(facts, bridge), ways });
  if (bridge === undefined) {
    return {
      items: [...general, ...way.items],
      replaced: movedLines(general, facts),
      notes: [...way.notes, ...groupNotes(options, group)],
    };
  }
  const { items, replaced, notes } = bridgeItems(bridge, facts, group);
  return {
    items: [...general, ...items],
    replaced: [...movedLines(general, facts), ...replaced],
    notes: [...notes, ...groupNotes(options, group)],
  };
}

/** Lines that an earlier version put elsewhere in their file. */
function movedLines(items: readonly SetupItem[], { recorded }: SetupFacts): SetupItem[] {
  const placeOf = (item: SetupItem): string => (item.kind === 'line' ? (item.above ?? []).join(' ') : '');
  return recorded.flatMap(({ item }) => {
    const now = items.find((one) => idOf(one) === idOf(item));
    return item.kind === 'line' && now !== undefined && placeOf(now) !== placeOf(item) ? [item] : [];
  });
}

/** A setup without --group keeps what one with it made. */
function groupNotes({ bridge, group: asked }: SetupOptions, group: string | undefined): string[] {
  if (group === undefined) return [];
  const join = `who may use it joins the group: sudo usermod -aG ${group} USER, and logs in again`;
  if (asked !== undefined || bridge === undefined) return [join];
  return [
    `${bridge} is for the group ${group} alone, as an earlier setup had it; for everybody: sudo qrun setup --undo, and the same again`,
    join,
  ];
}

/** For those who call it without rights. */
export function sudoLine(options: SetupOptions & { readonly undo: boolean }): string {
  const { bridge, uplink, hostAccess, address, group, yes, undo } = options;
  const value = (flag: string, given: string | undefined): string[] => (given === undefined ? [] : [flag, given]);
  return [
    'sudo qrun setup',
    ...value('--bridge', bridge),
    ...value('--uplink', uplink),
    ...value('--host-access', hostAccess),
    ...value('--address', address),
    ...value('--group', group),
    ...(yes ? ['--yes'] : []),
    ...(undo ? ['--undo'] : []),
  ].join(' ');
}

export const notRoot = (options: SetupOptions & { readonly undo: boolean }): QrunError =>
  new QrunError('permission', 'setup changes the host, and needs root for it', {
    hint: sudoLine(options),
    causes: ['what it would do: the same with --dry-run'],
  });
