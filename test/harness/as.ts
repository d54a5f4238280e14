/**
 * Whom a program of a test runs as. Root's tests run qrun as an ordinary user unless they ask for root.
 */
import { isRoot, testFacts } from './facts.ts';

export type As = 'user' | 'root';

/** What goes in front of a command so that it runs as that user, with no capability left over. */
export function prefixFor(as: As): string[] {
  if (as === 'root') {
    if (!isRoot()) throw new Error('only root can run a test as root: call needsRoot(context) first');
    return [];
  }
  const { user } = testFacts();
  if (!isRoot() || user === undefined) return [];
  return ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--inh-caps=-all', '--'];
}

/** Who `as` is: the owner of the files that are made for it. */
export function ownerFor(as: As): { readonly uid: number; readonly gid: number; readonly name: string } {
  const { user } = testFacts();
  if (as === 'user' && isRoot() && user !== undefined) return user;
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, name: isRoot() ? 'root' : 'self' };
}
