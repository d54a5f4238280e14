/**
 * What a command is: data that the parser, the help, the completion and the man page are made from, and a handler that is loaded when it runs.
 */
import type { Places } from '../places.ts';
import type { Report } from '../report/report.ts';
import type { System } from '../system/system.ts';

export interface CommandContext {
  /** Made when it is first asked for. */
  readonly system: System;
  readonly places: Places;
  readonly report: Report;
  readonly version: string;
}

/** What `src/commands/NAME.ts` exports as `run`: gives the exit status. @throws QrunError */
export type Run<A> = (args: A, context: CommandContext) => Promise<number>;

/** Arguments as a handler sees them: a boolean, a text, a number, or a list of texts. */
export type ArgumentValue = boolean | string | number | readonly string[] | undefined;
export type Arguments<A> = { readonly [K in keyof A]: ArgumentValue };

/**
 * What the shell offers as a value. A `vm` has state of its own, a `running` one runs; a `network` is defined or up, an `up-network` is up; `text` and
 * `words` are anybody's guess.
 */
export type ValueKind =
  | 'profile'
  | 'lab'
  | 'vm'
  | 'running'
  | 'network'
  | 'up-network'
  | 'file'
  | 'words'
  | 'shell'
  | 'text';

interface Positional {
  readonly as: 'positional';
  /** In capitals, as in the help: `NAME`. */
  readonly label: string;
  readonly values: ValueKind;
  readonly summary: string;
  readonly choices?: readonly string[];
}
interface Option {
  readonly as: 'option';
  readonly short?: string;
  readonly summary: string;
}
interface ValueOption extends Option {
  /** What the value is called in the help: `SECONDS`. */
  readonly label: string;
  readonly values?: ValueKind;
  readonly choices?: readonly string[];
}

/** One argument's description; its `type` follows from the type that the handler wants. */
export type ArgumentSpec =
  | (Positional & { readonly type: 'string'; readonly required: boolean })
  /** Several: all that are left. `required` asks for one at least. */
  | (Positional & {
      readonly type: 'strings';
      readonly required: boolean;
      /** From its first word on nothing is an option of ours any more, nor is `--`: they are words of a command for somebody else. */
      readonly verbatim?: true;
    })
  | (Option & { readonly type: 'boolean' })
  | (ValueOption & { readonly type: 'string'; readonly default?: string })
  | (ValueOption & { readonly type: 'number'; readonly default?: number })
  | (ValueOption & { readonly type: 'strings' })
  /** Everything after `--`. */
  | { readonly as: 'rest'; readonly type: 'strings'; readonly label: string; readonly summary: string };

type TypeName<V> = V extends boolean
  ? 'boolean'
  : V extends number
    ? 'number'
    : V extends string
      ? 'string'
      : 'strings';
type SpecOf<V> = Extract<ArgumentSpec, { readonly type: unknown }> & { readonly type: TypeName<NonNullable<V>> };

/** The first word of commands that are called by two: `net` of `net ls`. */
export interface CommandGroup {
  readonly name: string;
  /** One line, no full stop. */
  readonly summary: string;
}

export interface Command<A extends Arguments<A>> {
  /** One word, or a group's name and another: `net ls`. */
  readonly name: string;
  /** One line, no full stop. */
  readonly summary: string;
  /** Not in the help: for qrun itself. */
  readonly hidden?: boolean;
  /** The words are handed over as they are; the command has one argument, `words`. */
  readonly raw?: boolean;
  /** Its documents have a schema: `schema/NAME.schema.json`, with `-` for the blank of a name. */
  readonly document?: boolean;
  /** Which part of the bundle it uses: commands of one family share a code cache. Default: `light`. */
  readonly family?: 'profile' | 'network' | 'net-up' | 'net-down';
  /** By the name that the handler knows it under; the option is that name in kebab-case. Positionals in their order. */
  readonly arguments: { readonly [K in keyof A]-?: SpecOf<A[K]> };
  /** Options of which only one may be given. */
  readonly exclusive?: readonly (readonly string[])[];
  readonly examples: readonly { readonly line: string; readonly means: string }[];
  readonly load: () => Promise<{ readonly run: Run<A> }>;
}

/** A command whose arguments' type has been left behind: how the list holds it. */
export interface AnyCommand extends Omit<Command<Record<string, never>>, 'arguments' | 'load'> {
  readonly arguments: Readonly<Record<string, ArgumentSpec>>;
  readonly load: () => Promise<{ readonly run: Run<Readonly<Record<string, ArgumentValue>>> }>;
}

/** Holds a command's data to the type of its handler's arguments. */
export function command<A extends Arguments<A>>(definition: Command<A>): AnyCommand {
  // the parser makes the arguments from this very description, so the handler gets the type that it was checked against
  return definition as unknown as AnyCommand;
}

/** The option that an argument is given by: `dryRun` is `dry-run`. */
export const flagOf = (argument: string): string => argument.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The group that a command of two words belongs to. */
export const groupOf = (name: string): string | undefined => (name.includes(' ') ? name.split(' ')[0] : undefined);
