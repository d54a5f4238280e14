/** Steps that start programs and keep them. */
import type { StepCommon } from './step.ts';

/** Programs of a network's, kept going by a small `sh` until the network ends. Known again by `QRUN_SERVICE=run` in their environment. */
export interface ServiceStep extends StepCommon {
  readonly kind: 'service';
  /** What `ps` shows it as: `qrun-net lab`. */
  readonly title: string;
  readonly network: string;
  /** Marks the processes as this run's. */
  readonly mark: string;
  readonly programs: readonly {
    readonly name: string;
    readonly argv: readonly string[];
    /** Sockets that it makes when it starts: it is of no use without them, and is started anew. */
    readonly makes?: readonly string[];
    /** An interface that it has open: it is of no use without that, either. */
    readonly opens?: string;
    /** It keeps its arguments, and its network namespace, as they are: what has not got them is not it. */
    readonly exact?: true;
    /** Started again when it ends. False: its end is for good (a VDE switch, whose guests could not join again). */
    readonly restart: boolean;
    /** The program that it must be started again with: it would not find a new one by itself. */
    readonly follows?: string;
  }[];
  readonly log: string;
  /** These are there when it is ready. */
  readonly awaits: readonly string[];
  /** How long that may take. Default: 30 s. */
  readonly readyMs?: number;
  /** A program of it that has ended so often before it was ready will not be. Default: it is waited for. */
  readonly givesUpAfter?: number;
  /** When nobody holds `users` any more, `release` is run; absent for a pinned network. */
  readonly watch?: {
    readonly users: string;
    /** Locks of ports for ordinary users: who has one is on it as well. */
    readonly ports?: readonly string[];
    readonly release: readonly string[];
  };
}

/** A port of the host's that passt itself binds. */
export interface PasstForward {
  readonly protocol: 'tcp' | 'udp';
  /** Literal IPv4 or IPv6 address. */
  readonly address: string;
  readonly port: number | 'auto';
  readonly guestPort: number;
  /** The port step whose record has the real port. */
  readonly step: string;
}

/**
 * passt, started before QEMU and ended after it. It goes into the background when it listens on `socket`, and ends by itself when QEMU has gone. Its
 * own arguments prove that it is this VM's: they have the path of the socket.
 */
export interface PasstStep extends StepCommon {
  readonly kind: 'passt';
  /** The program and its options, forwards left out: plan/passt-command adds them when their ports are known. */
  readonly argv: readonly string[];
  readonly forwards: readonly PasstForward[];
  readonly socket: string;
  readonly pidFile: string;
  readonly log: string;
  /** Whom it runs as, when root starts it. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}
