/** What stands in front of QEMU on its command line, and becomes QEMU: pid and descriptors stay. Pure. */
import type { LaunchPlan } from './launch-plan.ts';

/** Each time the whole path: the waiter is a shell, and its PATH is the user's. */
const envTool = '/usr/bin/env';

export function frontOf({ prefix, env = {} }: Pick<LaunchPlan['qemu'], 'prefix' | 'env'>): string[] {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [...prefix, ...(variables.length > 0 ? [envTool, ...variables] : [])];
}
