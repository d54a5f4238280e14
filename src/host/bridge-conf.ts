/**
 * What qemu-bridge-helper will make of its bridge.conf, told before QEMU starts. The helper's own words are "access denied by acl file" whatever
 * the reason. It reads lines into 4096 bytes, cuts each at its first blank, knows no comment behind a rule and no pattern; `deny` wins wherever it
 * stands, and one line that it does not know spoils the file. https://wiki.qemu.org/Features/HelperNetworking
 */
import path from 'node:path';

/** The bytes of a file, each as one character (latin1); or why there are none. `strange`: it is no file, or has no end. */
export type ConfText = { readonly text: string } | { readonly missing: 'absent' | 'unreadable' | 'strange' };

export interface ConfPlace {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The line as it stands there. */
  readonly text: string;
}

/** What the helper passes over without a word that would tell why. */
export interface SkippedPart {
  readonly place: ConfPlace;
  readonly reason: string;
  /** The file that this user may not read. */
  readonly hidden?: string;
}

export type BridgeVerdict =
  | { readonly verdict: 'allowed'; readonly rule: ConfPlace; readonly skipped: readonly SkippedPart[] }
  | {
      readonly verdict: 'denied';
      /** The `deny`; absent: nothing allows it. */
      readonly rule?: ConfPlace;
      /** An `allow` that was meant for this bridge, and what is wrong with it. */
      readonly near?: SkippedPart;
      readonly skipped: readonly SkippedPart[];
    }
  | { readonly verdict: 'invalid'; readonly place: ConfPlace; readonly reason: string }
  | { readonly verdict: 'absent' | 'unreadable' | 'strange'; readonly file: string };

export interface ConfInput {
  readonly bridge: string;
  /** The helper's own path. */
  readonly file: string;
  /** Reads as the helper's caller would. */
  readonly read: (file: string) => ConfText;
  /** Where relative paths of `include` begin: the working directory of QEMU. */
  readonly cwd: string;
}

export function predictBridgeConf({ bridge, file, read, cwd }: ConfInput): BridgeVerdict {
  const main = read(file);
  if ('missing' in main) return { verdict: main.missing, file };
  const rules: Rule[] = [];
  const skipped: SkippedPart[] = [];
  const fault = collectRules(main.text, { file, rules, skipped, read, cwd, open: [file], budget: { includes: 200 } });
  if (fault !== undefined) return { verdict: 'invalid', place: fault.place, reason: fault.reason };
  const name = Buffer.from(bridge, 'utf8').toString('latin1');
  const covers = (command: string) => (rule: Rule) =>
    rule.command === command && (rule.name === name || rule.name === 'all');
  const denied = rules.find(covers('deny'));
  if (denied !== undefined) return { verdict: 'denied', rule: denied.place, skipped };
  const allowed = rules.find(covers('allow'));
  if (allowed !== undefined) return { verdict: 'allowed', rule: allowed.place, skipped };
  const near = rules.flatMap((rule) => nearMiss(rule, name) ?? [])[0];
  return { verdict: 'denied', ...(near !== undefined && { near }), skipped };
}

interface Rule {
  readonly command: 'allow' | 'deny';
  readonly name: string;
  readonly place: ConfPlace;
}

interface Walk extends Pick<ConfInput, 'read' | 'cwd'> {
  readonly file: string;
  readonly rules: Rule[];
  readonly skipped: SkippedPart[];
  /** The files that are being read, the innermost last. */
  readonly open: readonly string[];
  /** Two links that lead to one another look like ever new files. */
  readonly budget: { includes: number };
}

interface ConfFault extends SkippedPart {
  /** The helper does not come back from it: it counts wherever it stands. */
  readonly fatal?: true;
}

/** Rules before a fault are kept: in an included file they count. */
function collectRules(text: string, walk: Walk): ConfFault | undefined {
  for (const { line, chunk } of chunksOf(text)) {
    const parsed = parseLine(chunk);
    if (parsed === undefined) continue;
    const place: ConfPlace = { file: walk.file, line, text: chunk.replace(/\r?\n$/, '') };
    if ('fault' in parsed) return { place, reason: parsed.fault };
    const { command, argument } = parsed;
    if (command !== 'include') walk.rules.push({ command, name: argument, place });
    else {
      const fault = include(argument, place, walk);
      if (fault !== undefined) return fault;
    }
  }
  return undefined;
}

/** As fgets reads into 4096 bytes: a longer line is several. A zero byte ends what is looked at, not what is read. */
function* chunksOf(text: string): Generator<{ readonly line: number; readonly chunk: string }> {
  const most = 4095;
  let line = 1;
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf('\n', at);
    const end = Math.min(newline < 0 ? text.length : newline + 1, at + most);
    yield { line, chunk: text.slice(at, end).replace(/\0[\s\S]*$/, '') };
    if (text[end - 1] === '\n') line += 1;
    at = end;
  }
}

type ParsedLine =
  | { readonly command: 'allow' | 'deny' | 'include'; readonly argument: string }
  | { readonly fault: string };

/** The bytes of a name with its end: IFNAMSIZ. */
const nameSize = 16;

/** Undefined: nothing stands there, or a comment. */
function parseLine(chunk: string): ParsedLine | undefined {
  const line = chunk.replace(/^[ \t\n\f\r]+/, '');
  if (line === '' || line.startsWith('#')) return undefined;
  const blank = line.includes(' ') ? line.indexOf(' ') : line.indexOf('\t');
  if (blank < 0) return { fault: 'a line is a command, a blank and a name' };
  const command = line.slice(0, blank);
  const argument = line.slice(blank + 1).replace(/^[ \t\n\f\r]+|[ \t\n\f\r]+$/g, '');
  if (command !== 'include' && argument.length >= nameSize)
    return { fault: `the name ${shown(argument)} has ${argument.length} bytes, and 15 is the most` };
  if (command === 'allow' || command === 'deny' || command === 'include') return { command, argument };
  return { fault: `${shown(command)} is no command of the helper's: allow, deny, include, in lower case` };
}

const roundAndRound = 'files that include themselves: the helper goes round until it crashes';

/** A fault of the included file ends that file alone. */
function include(argument: string, place: ConfPlace, walk: Walk): ConfFault | undefined {
  const file = path.resolve(walk.cwd, argument);
  const skip = (reason: string, hidden?: string): undefined =>
    void walk.skipped.push({ place, reason, ...(hidden !== undefined && { hidden }) });
  if (argument === '') return skip('include names no file');
  if (walk.open.includes(file) || (walk.budget.includes -= 1) < 0) return { place, reason: roundAndRound, fatal: true };
  const found = walk.read(file);
  if ('text' in found) {
    const fault = collectRules(found.text, { ...walk, file, open: [...walk.open, file] });
    if (fault?.fatal === true) return fault;
    if (fault !== undefined)
      walk.skipped.push({ place: fault.place, reason: `${fault.reason}; the rest of that file is not read` });
    return undefined;
  }
  if (found.missing === 'strange')
    return { place, reason: `${shown(file)} is no plain file: the helper may wait on it for ever`, fatal: true };
  if (found.missing === 'absent') return skip(`there is no ${shown(file)}`);
  return skip(`${shown(file)} cannot be read by this user`, file);
}

/** What people write and the helper takes for a name. */
function nearMiss({ command, name, place }: Rule, bridge: string): SkippedPart | undefined {
  if (command !== 'allow') return undefined;
  const words = name.split(/[\s,]+/);
  if (words.length > 1 && words.includes(bridge)) {
    const comment = words.some((word) => word.startsWith('#'));
    const reason = comment ? 'a comment behind a rule is taken for a part of the name' : 'a rule takes one name';
    return { place, reason };
  }
  if (/[*?[]/.test(name) && isGlobFor(name, bridge)) return { place, reason: 'the helper knows no patterns' };
  if (name.toLowerCase() === bridge.toLowerCase()) return { place, reason: 'upper and lower case are told apart' };
  return undefined;
}

/** `*` and `?` alone; from a bracket on anything. Good enough for a hint. */
function isGlobFor(pattern: string, name: string): boolean {
  const source = Array.from(pattern.replace(/\[.*$/s, '*').replaceAll(/\*+/g, '*'))
    .map((one) => (one === '*' ? '.*' : one === '?' ? '.' : one.replace(/[^A-Za-z0-9]/, String.raw`\$&`)))
    .join('');
  return new RegExp(`^${source}$`).test(name);
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 80));
