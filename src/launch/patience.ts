/** Whom QEMU asks before it runs, and who may never answer. */
import { QrunError } from '../errors.ts';
import type { LaunchPlan } from '../plan/launch-plan.ts';
import type { Patience } from './ready.ts';

/** A switch answers in milliseconds. One that has not got the port that is asked for, or none left, does not answer at all. */
const switchMs = 10_000;

/** passt is there in a moment; QEMU 11.1, which closes a wrong descriptor now and then while it starts it, never. */
const passtMs = 30_000;

export function patienceFor(plan: LaunchPlan): { readonly patience?: Patience } {
  const patience = switchPatience(plan) ?? passtPatience(plan);
  return patience === undefined ? {} : { patience };
}

function switchPatience({ vm, steps }: LaunchPlan): Patience | undefined {
  const directories = steps.flatMap((step) => (step.kind === 'vde-switch' ? [step.directory] : []));
  if (directories.length === 0) return undefined;
  const over = new QrunError('host-failed', `${vm}: the VDE switch of ${directories.join(', ')} does not answer QEMU`, {
    hint: 'it has no free port, or not the port that is asked for: vde_switch -n, or leave port out',
  });
  return { ms: switchMs, over };
}

/** Where qrun starts it, it was there before QEMU. */
function passtPatience({ vm, nics, steps }: LaunchPlan): Patience | undefined {
  if (!nics.some(({ kind }) => kind === 'passt') || steps.some(({ kind }) => kind === 'passt')) return undefined;
  const over = new QrunError(
    'qemu-failed',
    `${vm}: QEMU starts passt, and did not come up within ${passtMs / 1000} s`,
    {
      hint: `start it again; qrun logs ${vm}`,
    },
  );
  return { ms: passtMs, over };
}
