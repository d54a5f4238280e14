/** A managed network in shell: its lock is shared, it is taken up if it is not, and the VM's place on it is written down. */
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import type { LaunchPlan } from '../plan/launch-plan.ts';
import type { Action, Description, MemberStep, Step } from '../plan/step.ts';
import { shellWord } from './shell-word.ts';

export interface NetworkLines {
  readonly plan: LaunchPlan;
  readonly describe: (step: Step) => Description;
  readonly lineOf: (action: Action) => string;
}

/** Whoever waits for the last share to go ends the network: the watcher that is started with it. */
export function joinLines(step: MemberStep, { plan, describe, lineOf }: NetworkLines): readonly string[] {
  const network = plan.networks.find((one) => one.network === step.network);
  if (network === undefined) throw new QrunError('bug', `the plan has no network ${step.network}`);
  const users = shellWord(step.users);
  return [
    `private_directory ${shellWord(path.dirname(step.users))}`,
    `[ ! -L ${users} ] || fail 3 ${shellWord(`${step.users} is a symbolic link`)}`,
    `exec ${step.fd}<>${users}`,
    `flock -s -w 5 ${step.fd} || fail 4 ${shellWord(`network ${step.network} cannot be joined: ${step.users} is locked`)}`,
    `if [ ! -e ${shellWord(upMark(network))} ]; then (`,
    ...takeUp(network, { plan, describe, lineOf }).map((line) => `  ${line}`),
    `) ${sharedFds(plan)} || fail 3 ${shellWord(`network ${step.network} could not be taken up`)}; fi`,
    `private_directory ${shellWord(path.dirname(step.file))}`,
    ...describe(step).acquire.flatMap((action) => ('op' in action && action.op === 'lock' ? [] : [lineOf(action)])),
  ];
}

/** What is there when the network is up. */
function upMark({ steps, network }: NetworkPlan): string {
  const mark = steps.flatMap((step) => (step.kind === 'service' ? step.awaits : []))[0];
  if (mark === undefined) throw new QrunError('bug', `network ${network}: nothing says whether it is up`);
  return mark;
}

function takeUp({ steps, network, forwards }: NetworkPlan, { describe, lineOf }: NetworkLines): string[] {
  if (forwards.some(({ hostPort }) => hostPort === 'auto')) {
    throw new QrunError('not-implemented', `network ${network}: a script cannot choose the port of a forward`, {
      hint: `qrun net up ${network}`,
    });
  }
  return [
    'set -e',
    ...steps.flatMap((step) => [
      ...directoriesOf(step).map((directory) => `private_directory ${shellWord(directory)}`),
      ...(step.kind === 'directory' ? [`rm -rf -- ${shellWord(step.path)}`] : []),
      ...describe(step).acquire.map(lineOf),
    ]),
  ];
}

function directoriesOf(step: Step): string[] {
  if (step.kind === 'directory' || step.kind === 'file') return [path.dirname(step.path)];
  return step.kind === 'service' ? [path.dirname(step.log)] : [];
}

/** None of the script's own locks may be held by what outlives it. */
function sharedFds({ steps }: LaunchPlan): string {
  const fds = steps.flatMap((step) => (step.kind === 'member' ? [step.fd] : []));
  return [3, ...fds].map((fd) => `${fd}>&-`).join(' ');
}
