/** The line of bridge.conf that lets users on a bridge: all of them, or a group's members alone. Pure. */
import type { ConfFact, SetupFacts } from './facts.ts';
import type { FileItem, LineItem, SetupItem } from './item.ts';
import { removeLine } from './line-edit.ts';
import { ownFile } from './own-file.ts';
import type { SetupEntry } from './record.ts';

export interface ConfRule {
  readonly rule: string;
  /** Of bridge.conf, if there is none yet. */
  readonly mode: number;
  /** A file that the rule includes: bridge.conf is everybody's to read, and its mode is kept, so what is a group's alone stands beside it. */
  readonly included?: { readonly path: string; readonly text: string; readonly file: SetupItem };
  /** The file as the rule finds it. */
  readonly conf: ConfFact;
  /** A line of an earlier setup that let others on the bridge as well: it is taken out first. */
  readonly replaced?: LineItem;
}

/** The helper reads its files with its caller's rights, so that who may not read a rule does not have it. */
export function confRule(bridge: string, group: string | undefined, facts: SetupFacts): ConfRule {
  const rule = `allow ${bridge}`;
  const { helper } = facts;
  if (group === undefined) return { rule, mode: 0o644, conf: facts.conf };
  const own = ownLine(facts, rule);
  const wider = own !== undefined && own.item.group !== group ? own : undefined;
  const conf = wider === undefined ? facts.conf : without(facts.conf, wider);
  const replaced = wider === undefined ? {} : { replaced: wider.item };
  if (conf.text === undefined) return { rule, mode: 0o640, conf, ...replaced };
  if (!conf.everybodyReads) return { rule, mode: 0o640, conf: facts.conf };
  const path = includedPath(helper.conf, bridge);
  const what = `${bridge} for the group ${group} alone`;
  const file = ownFile({ what, path, lines: [rule], mode: 0o640, group });
  return { rule: `include ${path}`, mode: 0o644, included: { path, text: `${rule}\n`, file }, conf, ...replaced };
}

interface OwnLine {
  readonly item: LineItem;
  readonly before: SetupEntry['before'];
}

function ownLine({ recorded, helper }: SetupFacts, line: string): OwnLine | undefined {
  return recorded.flatMap(({ item, before }) =>
    item.kind === 'line' && item.path === helper.conf && item.line === line ? [{ item, before }] : [],
  )[0];
}

function without(conf: ConfFact, { item, before: { end } }: OwnLine): ConfFact {
  const was = end === 'absent' || end === 'open-end' ? end : 'whole';
  const text = conf.text === undefined ? undefined : removeLine(conf.text, item.line, { before: was });
  const { text: _, ...others } = conf;
  return text === undefined ? { everybodyReads: true } : { ...others, text };
}

const includedPath = (conf: string, bridge: string): string =>
  `${conf.slice(0, conf.lastIndexOf('/'))}/qrun-${bridge}.conf`;

/** It lets users, or a group, on the bridge. */
export const isRuleOf = (item: FileItem | LineItem, bridge: string, conf: string): boolean =>
  item.path === (item.kind === 'file' ? includedPath(conf, bridge) : conf) &&
  (item.kind === 'file' || item.line === `allow ${bridge}`);

/** Whom an earlier setup let on the bridge; for a bridge that it has not met, whoever it last made a group for. */
export function recordedGroup(bridge: string | undefined, facts: SetupFacts): string | undefined {
  const { recorded, helper } = facts;
  if (bridge !== undefined) {
    const path = includedPath(helper.conf, bridge);
    const file = recorded.find(({ item }) => item.kind === 'file' && item.path === path)?.item;
    if (file?.kind === 'file') return file.group;
    const line = ownLine(facts, `allow ${bridge}`);
    if (line !== undefined) return line.item.group;
  }
  return recorded.flatMap(({ item }) => (item.kind === 'group' ? [item.name] : [])).at(-1);
}
