/** The door to the harness: see README.md beside it. */
export { prefixFor, ownerFor, type As } from './as.ts';
export { must, refused } from './calls.ts';
export { isRoot, repository, testFacts, type GuestFiles, type TestFacts } from './facts.ts';
export { createHome, pidBehindPty, Home, type CallOptions, type HomeOptions } from './home.ts';
export { createNamespace, Namespace } from './namespace.ts';
export {
  bothQemus,
  needsEitherQemu,
  needsFile,
  needsGuest,
  needsQemu,
  needsResolver,
  needsRoot,
  needsSecondQemu,
  type WhichQemu,
} from './needs.ts';
export { isAlive, killAll, readChildren, readProcessesNaming, readTree, waitUntil } from './processes.ts';
export { Running, type Result } from './running.ts';
