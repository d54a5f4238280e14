/** One step of a plan in shell: taking it, and giving it back. */
import path from 'node:path';
import { pciLockFile } from '../pci-address.ts';
import type { LaunchPlan } from '../plan/launch-plan.ts';
import type { Description, DirectoryStep, DiskStep, NftStep, SocketPathStep, Step, VfioStep } from '../plan/step.ts';
import { renderAction } from './action.ts';
import { lineOf, owned } from './shell-action.ts';
import { hostWayLines, releaseHostWay } from './shell-host-way.ts';
import { passtLines, releasePasst } from './shell-passt.ts';
import type { AutoPorts } from './shell-ports.ts';
import { joinLines, leaveLines, type NetworkScripts } from './shell-network.ts';
import { shellWord } from '../shell-word.ts';
import { visible } from './visible.ts';

export interface StepContext extends Description {
  readonly step: Step;
  /** From 1, in the order of taking. */
  readonly number: number;
  readonly plan: LaunchPlan;
  readonly ports: AutoPorts;
  readonly describe: (step: Step) => Description;
  /** The managed networks that its VM joins. */
  readonly scripts: NetworkScripts;
}

/** The intent first, as in the journal: what is half taken is given back too. */
export function renderAcquire(context: StepContext): string {
  const { step, number } = context;
  const lines = linesOf(context);
  if (lines.length === 0) return '';
  return [`# ${visible(step.id)}`, `taken=${number}`, ...lines, ''].join('\n');
}

function linesOf({ step, number, acquire, plan, ports, describe, scripts }: StepContext): readonly string[] {
  switch (step.kind) {
    case 'vm-lock':
      return lockLines(step.file, step.fd, plan.vm);
    case 'port':
      return ports.acquire(step);
    case 'group':
      return []; // QEMU says itself what is wrong
    case 'socket-path':
      return socketPathLines(step);
    case 'vde-switch':
      return switchLines(step.directory);
    case 'disk':
      return diskLines(step, { number, acquire });
    case 'copy':
      return ifMissing(step.to, [
        privateDirectory(step.to),
        `cp -- ${shellWord(step.from)} ${shellWord(`${step.to}.new`)}`,
        ...owned(`${step.to}.new`, step.owner),
        `made="$made ${number} "`,
        `mv -- ${shellWord(`${step.to}.new`)} ${shellWord(step.to)}`,
      ]);
    case 'hook':
      return hookLines(acquire, plan);
    case 'directory':
      return directoryLines(step, { number, acquire });
    case 'open-file':
    case 'file':
      return [privateDirectory(step.path), ...acquire.map(lineOf)];
    case 'member':
      return joinLines(step, { scripts, describe, locks: locksOf(plan) });
    case 'passt':
      return passtLines(step, ports);
    case 'port-lease':
      return portLines(step.lock, step.fd, step.network);
    case 'host-network':
    case 'switch-directory':
    case 'port-node':
    case 'link':
    case 'uplink':
    case 'sysctl':
    case 'resolver':
    case 'tap-check':
    case 'tap-node':
      return acquire.map((action) => `${lineOf(action)} || fail 3 ${shellWord(`failed: ${renderAction(action)}`)}`);
    case 'nft':
      return ruleLines(step, { number, acquire });
    case 'host-access':
      return hostWayLines(step, acquire);
    case 'link-names':
    case 'service':
      return acquire.map(lineOf);
    case 'vfio':
      return cardLines(step, acquire);
  }
}

type Acquired = Pick<StepContext, 'number' | 'acquire'>;

const diskLines = (step: DiskStep, { number, acquire }: Acquired): readonly string[] => [
  ...(step.temporary ? [`rm -f -- ${shellWord(step.file)}`] : []),
  ...ifMissing(step.file, [
    ...(step.ownDirectory ? [privateDirectory(step.file)] : []),
    `made="$made ${number} "`,
    ...acquire.map(lineOf),
    ...owned(step.file, step.owner),
  ]),
];

/** Under the lock, whatever lies there is a dead run's, unless a VM of that name has another state directory. */
const directoryLines = ({ path: directory }: DirectoryStep, { number, acquire }: Acquired): readonly string[] => [
  privateDirectory(directory),
  `! grep -Fqs -- ${shellWord(` ${directory}/`)} /proc/net/unix || {`,
  `  taken=${number - 1}`,
  `  fail 4 ${shellWord(`${directory} has the sockets of a VM that runs`)}`,
  '}',
  `rm -rf -- ${shellWord(directory)}`,
  ...acquire.map(lineOf),
];

/** They are made whole or not at all: where that failed, a table of that name is another's, and is not to be removed. */
const ruleLines = ({ owner }: NftStep, { number, acquire }: Acquired): readonly string[] =>
  acquire.map(
    (action) =>
      `${lineOf(action)} || { taken=${number - 1}; fail 3 ${shellWord(`the rules of ${owner} could not be made`)}; }`,
  );

/** Any user may lock what all may read: QEMU inherits it. */
function cardLines({ address, fd }: VfioStep, acquire: Description['acquire']): readonly string[] {
  return [
    `exec ${fd}<${shellWord(pciLockFile(address))}`,
    `flock -n ${fd} || fail 4 ${shellWord(`another guest has the card ${address}`)}`,
    ...acquire.map((action) => `${lineOf(action)} || fail 3 ${shellWord(`failed: ${renderAction(action)}`)}`),
  ];
}

function hookLines(acquire: Description['acquire'], plan: LaunchPlan): readonly string[] {
  return acquire.map(
    (action) =>
      `${lineOf(action)} ${withoutLocks(plan)} || fail 3 ${shellWord(`hook failed: ${renderAction(action)}`)}`,
  );
}

function socketPathLines({ path: file, use }: SocketPathStep): readonly string[] {
  const word = shellWord(file);
  const directory = path.dirname(file);
  return [
    `[ -d ${shellWord(directory)} ] || fail 2 ${shellWord(`${file}: there is no directory ${directory}`)}`,
    `if [ -L ${word} ] || { [ -e ${word} ] && [ ! -S ${word} ]; }; then fail 2 ${shellWord(`${file} is no socket`)}; fi`,
    ...(use === 'bind' ? [`! { ${hasSocket(file)}; } || fail 4 ${shellWord(`the socket ${file} is in use`)}`] : []),
  ];
}

function switchLines(directory: string): readonly string[] {
  const control = `${directory}/ctl`;
  const message = `no VDE switch listens in ${directory}: vde_switch -s ${shellWord(directory)}`;
  return [
    `[ ! -L ${shellWord(directory)} ] || fail 2 ${shellWord(`${directory} is a symbolic link`)}`,
    `{ ${hasSocket(control)}; } || fail 3 ${shellWord(message)}`,
  ];
}

/** The path is what stands behind seven columns, to the end of the line. */
const hasSocket = (file: string): string =>
  `[ -S ${shellWord(file)} ] && sed -E 's/^([^ ]+ +){7}//' /proc/net/unix | grep -Fxqs -- ${shellWord(file)}`;

function lockLines(file: string, fd: number, vm: string): readonly string[] {
  const word = shellWord(file);
  return [
    privateDirectory(file),
    `[ ! -L ${word} ] || fail 3 ${shellWord(`${file} is a symbolic link`)}`,
    `exec ${fd}<>${word}`,
    `flock -n ${fd} || fail 4 ${shellWord(`${vm} runs already`)}`,
  ];
}

/** The file is root's: it is there, and nothing else can be in its place. */
function portLines(file: string, fd: number, network: string): readonly string[] {
  return [
    `exec ${fd}<>${shellWord(file)}`,
    `flock -n ${fd} || fail 4 ${shellWord(`the port of network ${network} is taken: make the script anew`)}`,
  ];
}

function ifMissing(file: string, lines: readonly string[]): readonly string[] {
  return [`if [ ! -e ${shellWord(file)} ]; then`, ...lines.map((line) => `  ${line}`), 'fi'];
}

const privateDirectory = (file: string): string => `private_directory ${shellWord(path.dirname(file))}`;

/** Lines of the release function. */
export function renderRelease({ step, number, release, plan, scripts }: StepContext): readonly string[] {
  if (step.kind === 'socket-path') return releaseSocket(step, number);
  if (step.kind === 'host-access') return releaseHostWay(step, number, release);
  if (step.kind === 'passt') return releasePasst(step, number);
  const lines = release.map(
    (action) => `[ "$taken" -lt ${number} ] || ${lineOf(action)}${hookFds(step, plan)} || left=1`,
  );
  if (step.kind === 'member') return [...lines, ...leaveLines(step, number, scripts)];
  const made = madeFile(step);
  if (made === undefined) return lines;
  // what was made to last goes only if QEMU never ran
  return [
    ...lines,
    `case $made in *' ${number} '*) started || rm -f -- ${shellWord(made)} || left=1 ;; esac`,
    ...(step.kind === 'copy'
      ? [`[ "$taken" -lt ${number} ] || rm -f -- ${shellWord(`${step.to}.new`)} || left=1`]
      : []),
  ];
}

/** A socket that nobody has any more. */
function releaseSocket({ path: file, use }: SocketPathStep, number: number): readonly string[] {
  if (use === 'connect') return [];
  const word = shellWord(file);
  return [`[ "$taken" -lt ${number} ] || [ ! -S ${word} ] || { ${hasSocket(file)}; } || rm -f -- ${word} || left=1`];
}

const hookFds = (step: Step, plan: LaunchPlan): string => (step.kind === 'hook' ? ` ${withoutLocks(plan)}` : '');

/** The descriptors of the script's locks, which nothing but QEMU may have. */
const locksOf = ({ steps }: Pick<LaunchPlan, 'steps'>): readonly number[] =>
  steps.flatMap((step) =>
    step.kind === 'vm-lock' || step.kind === 'member' || step.kind === 'vfio' || step.kind === 'port-lease'
      ? [step.fd]
      : [],
  );

export const withoutLocks = (plan: Pick<LaunchPlan, 'steps'>): string =>
  locksOf(plan)
    .map((fd) => `${fd}>&-`)
    .join(' ');

function madeFile(step: Step): string | undefined {
  if (step.kind === 'disk') return step.file;
  return step.kind === 'copy' ? step.to : undefined;
}
