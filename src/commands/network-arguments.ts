/** The arguments that handlers of network commands get. */
import type { OneLine } from '../network/one-line.ts';

export interface NetDefineArguments {
  /** `-`: the standard input. */
  readonly file: string;
  readonly name?: string;
  readonly force: boolean;
}
export interface NetArguments {
  readonly network: string;
}
export interface NetEditArguments extends NetArguments {
  readonly force: boolean;
}
export interface NetAutostartArguments extends NetArguments {
  readonly off: boolean;
}
export interface NetsArguments {
  readonly networks: readonly string[];
}
export interface NetUpArguments extends NetsArguments, OneLine {}
export interface NetDownArguments extends NetsArguments {
  readonly force: boolean;
}
export interface NetMapArguments {
  /** The picture's file; `-`: the standard output. */
  readonly svg?: string;
  readonly running: boolean;
}
export interface NetForwardArguments extends NetArguments {
  /** None: list them. */
  readonly rules: readonly string[];
  readonly remove: boolean;
}
