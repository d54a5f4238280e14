import { QrunError } from '../errors.ts';
import { bugOf, errorDocument, renderBug, renderError } from './error.ts';
import { writeAll } from './output.ts';
import type { Report } from './report.ts';

/** Tells an error when the command goes on: one of several VMs failed. */
export function tellError({ json, styles, verbose }: Report): (error: unknown) => void {
  return (error) => {
    if (json) writeAll(2, `${JSON.stringify(errorDocument(error instanceof QrunError ? error : bugOf(error)))}\n`);
    else if (error instanceof QrunError) writeAll(2, renderError(error, styles.stderr));
    else writeAll(2, renderBug(error, { stack: verbose >= 2, styles: styles.stderr }));
  };
}
