import type { Description, Step } from '../plan/step.ts';
import { resourceOf } from '../resources/registry.ts';

/** Exactly what taking a step does, and what gives it back: from the resource itself, so the dry run cannot drift from the run. */
export const describeStep = (step: Step): Description => resourceOf(step).describe(step);
