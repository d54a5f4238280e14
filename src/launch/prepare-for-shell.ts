/** A plan, and what a script of it needs of the managed networks that the VM joins. */
import type { NetworkScript } from '../network/network-script.ts';
import type { LaunchPlan } from '../plan/launch-plan.ts';
import { prepare, type LaunchContext, type LaunchOptions } from './prepare.ts';

export interface PreparedForShell {
  readonly plan: LaunchPlan;
  /** By name. */
  readonly scripts: Readonly<Record<string, NetworkScript>>;
}

/** The VM's addresses on them are reserved, as its MACs are: the script has them in it. */
export async function prepareForShell(
  argument: string,
  options: LaunchOptions,
  context: LaunchContext,
): Promise<PreparedForShell> {
  const { plan, networks } = await prepare(argument, options, context);
  if (Object.keys(networks).length === 0) return { plan, scripts: {} };
  const { prepareScript } = await import('../networks/prepare-script.ts');
  const members = plan.steps.filter((step) => step.kind === 'member');
  const scripts: Record<string, NetworkScript> = {};
  for (const network of Object.values(networks)) {
    const own = members.filter((step) => step.network === network.name);
    // a port of root's is taken, and nothing is taken up
    if (own.length === 0) continue;
    scripts[network.name] = await prepareScript(network, own, context);
  }
  // once more, with what is reserved now
  return { plan: (await prepare(argument, options, context)).plan, scripts };
}
