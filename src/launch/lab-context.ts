/** What the stages of a lab get beside what a launch gets: somebody who is told how it goes. */
import type { Mark } from '../report/progress-list.ts';
import type { LaunchContext } from './prepare.ts';

export interface LabContext extends LaunchContext {
  /** How a VM or network (`network lab`) stands now. */
  readonly tell: (name: string, mark: Mark, text: string) => void;
  /** Seconds that each wait, or each guest's power-down, may take, whatever the files say. */
  readonly timeoutS?: number;
}
