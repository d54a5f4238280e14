/**
 * Counts a vitest run and says why each test was skipped. Writes `{passed, failed, skipped, reasons, errors}` to QRUN_TEST_TALLY.
 */
import { writeFileSync } from 'node:fs';

class TallyReporter {
  onTestRunEnd(modules, errors) {
    const tally = { passed: 0, failed: 0, skipped: 0, reasons: {}, errors: errors.length };
    for (const module of modules) {
      // a file that could not be loaded, or a hook that failed, has no failed test to show for it
      tally.failed += module.errors().length;
      for (const suite of module.children.allSuites()) tally.failed += suite.errors().length;
      for (const test of module.children.allTests()) count(tally, module, test);
    }
    if (process.env.QRUN_TEST_TALLY) writeFileSync(process.env.QRUN_TEST_TALLY, JSON.stringify(tally));
  }
}

function count(tally, module, test) {
  const { state, note } = test.result();
  if (state === 'passed') tally.passed++;
  else if (state === 'failed') tally.failed++;
  else {
    tally.skipped++;
    // a module that could not be collected leaves its tests pending; that failure is counted above
    const reason = note ?? (test.options.mode === 'todo' ? 'to be written' : 'no reason given');
    const key = `${module.project.name}: ${reason}`;
    tally.reasons[key] = (tally.reasons[key] ?? 0) + 1;
  }
}

// oxlint-disable-next-line import/no-default-export -- vitest loads the default export
export default TallyReporter;
