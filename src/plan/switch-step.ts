/** Steps about VDE switches. */
import type { StepCommon } from './step.ts';

/** A VDE switch that somebody runs, joined by QEMU itself: looked at before, because QEMU says the same for whatever is wrong. */
export interface VdeSwitchStep extends StepCommon {
  readonly kind: 'vde-switch';
  readonly directory: string;
  /** The account of QEMU, when root starts it. */
  readonly runAs?: { readonly name: string; readonly uid: number; readonly gid: number };
  /** The number that nobody else is to be at. Absent: any will do, or whoever shares it is welcome. */
  readonly port?: number;
  /** The uid that it runs as: others may make sockets beside its own. Absent: whoever's. */
  readonly owner?: number;
  /** Root's command that makes it again. Absent: it is nobody's that qrun knows. */
  readonly mend?: string;
}

/** The directory of a switch that others join: in one of root's own, and of the account that the switch runs as. */
export interface SwitchDirectoryStep extends StepCommon {
  readonly kind: 'switch-directory';
  readonly path: string;
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly mode: number;
}
