/**
 * What a test needs and may not find. A test that cannot run here is skipped with a reason, and the reason is counted at the end.
 */
import { accessSync, constants } from 'node:fs';
import type { TestContext } from 'vitest';
import { isRoot, testFacts, type GuestFiles, type Provided, type Resolver } from './facts.ts';

type Skipping = Pick<TestContext, 'skip'>;

export function needsRoot(context: Skipping): void {
  if (!isRoot()) context.skip('needs root');
}

/** Root's tests have an ordinary user beside them; a test that needs both kinds is for root. */
export function needsFile(context: Skipping, file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch {
    context.skip(`needs ${file}`);
  }
}

/** The kernel and initramfs of test/guest. */
export function needsGuest(context: Skipping): GuestFiles {
  return provided(context, testFacts().guest);
}

/** The host's own QEMU. */
export function needsQemu(context: Skipping): string {
  return provided(context, testFacts().qemu).file;
}

/** The QEMU of the next Debian release. */
export function needsSecondQemu(context: Skipping): string {
  return provided(context, testFacts().secondQemu).file;
}

/** The unpacked package of that name. */
export function needsResolver(context: Skipping, name: Resolver): string {
  const older = { why: 'an older set-up' };
  const directory = provided<Partial<Record<Resolver, string>>>(context, testFacts().resolvers ?? older)[name];
  return directory ?? context.skip(older.why);
}

/** For `test.for(bothQemus)`: the test asks for its binary with `needsEitherQemu(context, which)`. */
export const bothQemus = ['host', 'second'] as const;
export type WhichQemu = (typeof bothQemus)[number];

export function needsEitherQemu(context: Skipping, which: WhichQemu): string {
  return which === 'host' ? needsQemu(context) : needsSecondQemu(context);
}

function provided<T extends object>(context: Skipping, value: Provided<T>): T {
  if ('why' in value) return context.skip(value.why);
  return value as T;
}
