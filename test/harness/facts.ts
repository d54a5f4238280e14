/**
 * What the set-up (test/setup) found and made, as one JSON file: where qrun is, whom to run it as, the guest, the second QEMU.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Something the set-up could not provide says why, and the tests that need it are skipped with that reason. */
export type Provided<T> = T | { readonly why: string };

export interface TestUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface TestFacts {
  readonly v: 1;
  /** The `bin/qrun.js` under test: of the unpacked npm package under `npm test`, else of the clone. */
  readonly bin: string;
  /** A node that the test user can run. */
  readonly node: string;
  /** The ordinary user that root's tests run qrun as; absent when the tests themselves run as an ordinary user. */
  readonly user?: TestUser;
  readonly guest: Provided<GuestFiles>;
  /** The host's own QEMU and qemu-img. */
  readonly qemu: Provided<{ readonly file: string }>;
  /** QEMU of the next Debian release. */
  readonly secondQemu: Provided<{ readonly file: string }>;
  /** Unpacked packages. Absent: an older set-up made these facts. */
  readonly resolvers?: Provided<Readonly<Record<Resolver, string>>>;
}

/** Two that have a program resolvconf, and the one that is told by resolvectl, with a bus. */
export type Resolver = 'openresolv' | 'resolvconf' | 'systemd-resolved';

export interface GuestFiles {
  readonly vmlinuz: string;
  readonly initrd: string;
  /** Words for the kernel that make it quiet and quick. Add the guest's own: see test/guest/README.md. */
  readonly append: string;
}

export const repository = path.resolve(import.meta.dirname, '../..');

let facts: TestFacts | undefined;

/** @throws Error when the set-up has not run yet */
export function testFacts(): TestFacts {
  if (facts !== undefined) return facts;
  const file = process.env['QRUN_TEST_FACTS'] ?? path.join(repository, '.cache/test-facts.json');
  try {
    facts = JSON.parse(readFileSync(file, 'utf8')) as TestFacts;
  } catch (error) {
    throw new Error(`no test facts in ${file}: run "node test/setup/run.mjs prepare" once`, { cause: error });
  }
  return facts;
}

export const isRoot = (): boolean => process.getuid?.() === 0;
