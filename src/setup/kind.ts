/** What `src/setup/items/` has a file for: one kind of item. */
import type { System } from '../system/system.ts';
import type { Before, SetupAction, SetupItem } from './item.ts';
import type { SetupEntry } from './record.ts';

/** The host, as items look at it. */
export interface SetupHost {
  readonly system: Pick<System, 'runNow' | 'which'>;
}

export interface SetupKind<I extends SetupItem> {
  /** Nothing is to be done. */
  readonly isDone: (item: I, host: SetupHost) => boolean;
  /** The rest is worth having without it: where the host refuses it, that is said, and setup goes on. */
  readonly optional?: true;
  /** What `isDone` sees may be half of it: once begun, all actions are made again. */
  readonly resumes?: true;
  /** What taking it back needs to know of the time before. Asked once, before anything of the item was done. */
  readonly before: (item: I, host: SetupHost) => Before;
  /** The same again, of an item that was done: somebody undid it, and has it otherwise since. Undefined: what is known still holds. */
  readonly anew?: (item: I, before: Before, host: SetupHost) => Before | undefined;
  /** In their order. After a kill they are made again from the start, so each must bear that; what is done already may be left out. */
  readonly actions: (item: I, before: Before, host: SetupHost) => readonly SetupAction[];
  /** Why it cannot be taken back now. Undefined: it can. */
  readonly whyKept: (item: I, before: Before, host: RecordedHost) => Kept | undefined;
  /** None: it is gone already. */
  readonly undo: (item: I, before: Before, host: SetupHost) => readonly SetupAction[];
}

/** Together with what setup recorded of it. */
export interface RecordedHost extends SetupHost {
  /** Of the item itself. */
  readonly state: SetupEntry['state'];
  /** All that there are. */
  readonly entries: readonly SetupEntry[];
}

export interface Kept {
  readonly why: string;
  /** It is somebody else's business from now on: setup does not remember it any longer. */
  readonly forget?: true;
}
