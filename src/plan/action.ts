/** What a resource says that it does: one source with the doing. Pure. */

/** What acquiring, or releasing, a step does: for the dry run, for the JSON and for the shell script. One source with the doing. */
export type Action =
  | { readonly argv: readonly string[]; readonly stdin?: string; readonly env?: Readonly<Record<string, string>> }
  | {
      readonly op: 'mkdir';
      readonly path: string;
      readonly mode: string;
      readonly owner?: { readonly uid: number; readonly gid: number };
    }
  | {
      readonly op: 'open';
      readonly path: string;
      readonly fd: number;
      readonly mode: 'read' | 'append' | 'read-write';
    }
  | { readonly op: 'lock'; readonly path: string; readonly fd: number; readonly shared?: true }
  | { readonly op: 'write'; readonly path: string; readonly content: string }
  | { readonly op: 'copy'; readonly from: string; readonly to: string }
  | {
      readonly op: 'check-port';
      readonly protocol: 'tcp' | 'udp';
      readonly address: string;
      readonly port: number | 'auto';
    }
  | { readonly op: 'check-group'; readonly address: string; readonly port: number; readonly interface: string }
  | { readonly op: 'check-socket'; readonly path: string; readonly use: 'bind' | 'connect' }
  | { readonly op: 'check-switch'; readonly path: string }
  | { readonly op: 'check-tap'; readonly name: string }
  /** That a device node is that of this interface, and not of another network's. */
  | { readonly op: 'check-node'; readonly path: string; readonly link: string; readonly index: number }
  /** Started in a session of its own, and left running. */
  | SpawnAction
  | { readonly op: 'await'; readonly path: string }
  | { readonly op: 'kill'; readonly what: string }
  | { readonly op: 'rotate'; readonly path: string }
  | { readonly op: 'remove'; readonly path: string };

export interface SpawnAction {
  readonly op: 'spawn';
  /** The whole of it, keeper and all. */
  readonly command: readonly string[];
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What it is for, told to people in place of the command: */
  readonly purpose?:
    /** it runs this program, and, with `restart`, runs it again whenever it ends; */
    | { readonly keeps: string; readonly argv: readonly string[]; readonly restart: boolean }
    /** it runs this when nobody shares the lock any more. */
    | { readonly watches: string; readonly argv: readonly string[] };
}

/** What a step does, and what gives it back. */
export interface Description {
  readonly acquire: readonly Action[];
  readonly release: readonly Action[];
}
