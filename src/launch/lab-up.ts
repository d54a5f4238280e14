/**
 * `qrun up`: the networks and VMs of a lab, all or nothing. What can be refused is refused before anything is started. Then each VM starts as soon as
 * those that it comes after are as they should be, as many side by side as the order allows. The first failure, or a signal, cuts every wait short, and
 * what this command has started is ended again in the opposite order; what ran before runs on. A `kill -9` in the middle leaves ordinary VMs, which
 * `qrun down` ends.
 */
import { failpoint } from '../journal/failpoint.ts';
import type { Together } from '../lab/merge.ts';
import { throwIfInterrupted } from './interrupt.ts';
import type { LabContext } from './lab-context.ts';
import { undone } from './lab-errors.ts';
import { raiseNetworks, type Raised } from './lab-networks.ts';
import { loadProfiles, planLab } from './lab-plans.ts';
import { requireStanding } from './lab-standing.ts';
import { LabStart, type LabVmResult, type StartedVm } from './lab-start.ts';
import { undoLab } from './lab-undo.ts';

export interface LabUp {
  /** In the order of the files. */
  readonly vms: readonly LabVmResult[];
  readonly networks: readonly Raised[];
}

/** @throws QrunError of whatever kept the lab from being up; nothing that was started for it runs then */
export async function labUp(lab: Together, given: LabContext): Promise<LabUp> {
  const context = sayingOnce(given);
  const profiles = await loadProfiles(lab.vms, context);
  const raised: Raised[] = [];
  const started: StartedVm[] = [];
  try {
    await raiseNetworks(lab.networks, raised, context);
    const plans = await planLab(lab.vms, profiles, context);
    throwIfInterrupted(context);
    const start = new LabStart({ vms: lab.vms, profiles, plans, started }, context);
    const results = await start.run();
    failpoint('lab-started');
    await requireStanding(lab.vms, results, context);
    return { vms: results, networks: raised };
  } catch (error) {
    throw undone(error, await undoLab({ vms: lab.vms, started, raised }, context));
  }
}

/** A VM may be planned twice, and would warn twice. */
function sayingOnce(context: LabContext): LabContext {
  const said = new Set<string>();
  const warn = (message: string): void => {
    if (!said.has(message)) context.warn(message);
    said.add(message);
  };
  return { ...context, warn };
}
