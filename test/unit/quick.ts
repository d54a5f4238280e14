/** `npm run check` wants an answer soon, and `npm test` takes the time: how often a property is tried, or how much a text has of something. */
export const runs = (whole: number): number => (process.env['QRUN_TEST_QUICK'] === '1' ? Math.ceil(whole / 10) : whole);
