/**
 * The mark of a whole test run: its processes carry it in their environment and its directories in their names, so that the set-up can tell what
 * the run left behind from what others do on the same machine.
 */

/** A few letters and digits; empty when a test runs by hand. */
export const runName = (): string => process.env['QRUN_TEST_RUN'] ?? '';

export const runMark = (): Record<string, string> => (runName() === '' ? {} : { QRUN_TEST_RUN: runName() });
