import path from 'node:path';
import { defineConfig } from 'vitest/config';

const root = path.resolve(import.meta.dirname, '..');
const minuteMs = 60_000;

/** Four tiers, a project each, one after another: what starts machines must not starve what counts milliseconds of patience. */
const config = defineConfig({
  root,
  test: {
    projects: [
      {
        root,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          pool: 'threads',
          isolate: false,
          maxWorkers: 2,
          testTimeout: minuteMs,
          sequence: { groupOrder: 0 },
        },
      },
      // limits for what hangs: a test of seconds may take minutes on a machine that does ten other things
      tier('cli', 1, { maxWorkers: 2, testTimeout: 5 * minuteMs }),
      tier('netns', 2, { maxWorkers: 2, testTimeout: 5 * minuteMs }),
      tier('vm', 3, { maxWorkers: 2, testTimeout: 6 * minuteMs }),
    ],
  },
});

interface TierOptions {
  readonly maxWorkers: number;
  readonly testTimeout: number;
}

function tier(name: string, groupOrder: number, { maxWorkers, testTimeout }: TierOptions) {
  return {
    root,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      pool: 'forks' as const,
      maxWorkers,
      testTimeout,
      hookTimeout: testTimeout,
      teardownTimeout: minuteMs,
      // vitest's own is a second
      expect: { poll: { timeout: minuteMs } },
      sequence: { groupOrder },
    },
  };
}

// oxlint-disable-next-line import/no-default-export -- vitest reads the default export
export default config;
