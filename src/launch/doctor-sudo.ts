/** Whether sudo does what a run would ask of it, where config.yaml allows sudo. */
import { QrunError } from '../errors.ts';
import type { Step } from '../plan/step.ts';
import type { Sudo } from '../privileged.ts';
import { runPrivileged } from '../resources/privilege.ts';
import type { System } from '../system/system.ts';

type Asking = Pick<System, 'uid' | 'which' | 'runNow'>;

/** What makes interfaces, with nothing to make: a list of what sudo allows would not tell for what it wants a password. */
const nothing = ['ip', '-batch', '-'] as const;

/** Undefined: it can be tried, or somebody will be asked. Root needs none. */
export function faultOfSudo(system: Asking, sudo: Sudo): QrunError | undefined {
  const absent = faultOfAbsence(system, sudo);
  if (absent !== undefined || system.uid === 0 || sudo === 'ask') return absent;
  try {
    runPrivileged(system, nothing, { stdin: '', sudo });
    return undefined;
  } catch (error) {
    if (error instanceof QrunError) return error;
    throw error;
  }
}

function faultOfAbsence({ uid, which }: Asking, sudo: Sudo): QrunError | undefined {
  if (uid === 0 || which('sudo') !== undefined) return undefined;
  return new QrunError('missing-tool', `config.yaml says sudo: ${sudo}, and there is no sudo on the PATH`, {
    hint: 'as root: apt-get install sudo',
  });
}

/** Of the plan's steps those that go by sudo. To take a card is more than can be tried: of that it is asked whether there is a sudo. */
export function faultOfSudoIn(steps: readonly Step[], system: Asking): QrunError | undefined {
  const sudoOf = (kind: 'link' | 'vfio'): Sudo | undefined =>
    steps.flatMap((step) => (step.kind === kind && step.sudo !== undefined ? [step.sudo] : []))[0];
  const [links, cards] = [sudoOf('link'), sudoOf('vfio')];
  if (links !== undefined) return faultOfSudo(system, links);
  return cards === undefined ? undefined : faultOfAbsence(system, cards);
}
