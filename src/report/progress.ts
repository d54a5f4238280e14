/** One line on a terminal's stderr that tells what is waited for. Silent elsewhere: a log file wants no spinner. */
import { writeSync } from 'node:fs';
import { visible } from './visible.ts';

export interface Progress {
  readonly update: (label: string) => void;
  /** Takes the line away. May be called again. */
  readonly done: () => void;
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameMs = 100;
/** What is done sooner than this is not worth a line. */
const quietMs = 300;

const silent: Progress = { update: () => {}, done: () => {} };

export function startProgress(
  label: string,
  shown: boolean,
  write: (text: string) => void = (text) => {
    try {
      writeSync(2, text);
    } catch {
      // a terminal that went away takes its progress with it
    }
  },
): Progress {
  if (!shown) return silent;
  let current = label;
  let frame = 0;
  let drawn = false;
  const begun = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - begun < quietMs) return;
    drawn = true;
    write(`\r\u001b[K${frames[frame++ % frames.length] ?? ''} ${visible(current)}`);
  }, frameMs);
  timer.unref();
  return {
    update: (next) => {
      current = next;
    },
    done: () => {
      clearInterval(timer);
      if (drawn) write('\r\u001b[K');
      drawn = false;
    },
  };
}
