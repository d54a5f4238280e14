/**
 * What every kind of step owes: to say what it would do, to do it, to give it back. A resource does not decide.
 */
import type { StepRecord } from '../journal/journal.ts';
import type { Description, MemberStep, Step } from '../plan/step.ts';
import type { System } from '../system/system.ts';

/** The way to the managed networks, which are a stage of their own: given by whoever starts and ends VMs. */
export interface NetworkDoor {
  /** Takes the network up if it is not, and a place on it. @returns the locked descriptor that QEMU is to inherit. @throws QrunError */
  readonly join: (step: MemberStep) => Promise<number>;
  /** Gives the place back; the network ends if nobody else holds it up. May be repeated. @throws QrunError `left-behind` */
  readonly leave: (step: MemberStep) => Promise<void>;
}

export interface AcquireContext {
  readonly system: System;
  readonly runId: string;
  /** Descriptors opened so far, by the number that QEMU is to see them under. Resources that open files add to it. */
  readonly descriptors: Map<number, number>;
  readonly warn: (message: string) => void;
  /** The records of the steps before this one, by id: the real ports of `auto` forwards. */
  readonly taken?: ReadonlyMap<string, StepRecord>;
  readonly networks?: NetworkDoor;
  /** Writes the record already now: for what must be provable before it is there. What acquire returns replaces it. */
  readonly record: (value: StepRecord) => void;
}

export interface ReleaseContext {
  readonly system: System;
  readonly runId: string;
  /** QEMU came up in that run: what was made to last stays. */
  readonly started: boolean;
  readonly sameBoot: boolean;
  readonly networks?: NetworkDoor;
}

export interface Resource<S extends Step = Step> {
  /** Pure: exactly what acquire and release do. */
  readonly describe: (step: S) => Description;
  /** @throws QrunError; whatever was half done is then given back by release. */
  readonly acquire: (step: S, context: AcquireContext) => Promise<StepRecord>;
  /** It only looks: there is nothing to give back, and the journal need not know of it. */
  readonly looksOnly?: (step: S) => boolean;
  /** Its release is begun first among those that go side by side: the kernel takes longest for it. */
  readonly takesLongest?: true;
  /** Released once, whatever comes of it: a hook that fails is told, and not run again and again. */
  readonly once?: true;
  /** May be repeated; "already gone" is success. No record: it may or may not have happened. */
  readonly release: (step: S, record: StepRecord | undefined, context: ReleaseContext) => Promise<void>;
}
