/** Colour by meaning. Only on a terminal, and by the user's wish: NO_COLOR and FORCE_COLOR are Node's own to read. */
import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

export interface Styles {
  readonly coloured: boolean;
  readonly heading: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly faint: (text: string) => string;
  readonly strong: (text: string) => string;
}

/** The streams are made only if there may be colour: they cost milliseconds. */
export function stylesFor(fd: 1 | 2, env: Readonly<Record<string, string | undefined>>): Styles {
  const possible = isTerminal(fd) || (env['FORCE_COLOR'] ?? '') !== '';
  const coloured = possible && colours(fd);
  const as = (format: Format) => (text: string) =>
    // validated once, in `colours`: the stream cannot change while we run
    coloured ? styleText(format, text, { validateStream: false }) : text;
  return {
    coloured,
    heading: as('bold'),
    good: as('green'),
    warning: as('yellow'),
    bad: as('red'),
    faint: as('dim'),
    strong: as('bold'),
  };
}

/** Major number of /dev/null and the like: https://www.kernel.org/doc/Documentation/admin-guide/devices.txt */
const memoryDevices = 1;

/** Only a character device can be a terminal: for a pipe, a file or /dev/null, node:tty need not be loaded. */
export function isTerminal(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    return stats.isCharacterDevice() && stats.rdev >> 8 !== memoryDevices && isatty(fd);
  } catch {
    return false; // closed
  }
}

function colours(fd: 1 | 2): boolean {
  const stream = fd === 1 ? process.stdout : process.stderr;
  return styleText('bold', 'x', { validateStream: true, stream }) !== 'x';
}
