/**
 * Which processes of a service are a program of it, and signals for them. A mark in the environment is inherited by whatever somebody starts from a copy
 * of it. So a program that keeps its arguments as they are (`exact`) is known by those and by its network as well, and by its start time once more at the
 * signal: a pid may be somebody else's by then.
 */
import type { ServiceStep } from '../plan/step.ts';
import { findMarked, killMarked, type Marked } from '../system/marked.ts';
import { isOfThisNetwork } from '../system/processes.ts';

export const markName = 'QRUN_SERVICE';
export const programName = 'QRUN_SERVICE_PROGRAM';

type Program = ServiceStep['programs'][number];

/** Its processes in this network namespace: keepers, watchers, programs, and what those start; nobody else's that has the mark too. */
export const findOwn = (step: ServiceStep): Marked[] =>
  findMarked(markName, step.mark).filter((one) => isOwn(step, one));

/** Those that are seen, and run where this qrun has no business. */
export const findElsewhere = (step: ServiceStep): Marked[] =>
  findMarked(markName, step.mark).filter((one) => hasItsWords(step, one) && !isHere(step, one));

export const isOwn = (step: ServiceStep, one: Marked): boolean => hasItsWords(step, one) && isHere(step, one);

/** @param signal what it is told; its keeper is not */
export function signalProgram(step: ServiceStep, name: string, signal: NodeJS.Signals): void {
  const program = step.programs.find((one) => one.name === name);
  if (program === undefined) return;
  for (const one of findOwn(step))
    if (one.variables[programName] === name && isProgram(one, program)) killMarked(one, signal);
}

const isHere = ({ programs }: ServiceStep, { pid }: Marked): boolean =>
  programs.every(({ exact }) => exact !== true) || isOfThisNetwork(pid);

function hasItsWords({ programs }: ServiceStep, one: Marked): boolean {
  const program = programs.find(({ name }) => name === one.variables[programName]);
  return program?.exact !== true || isProgram(one, program) || isOfKeeper(one);
}

/** It runs as it is, or a shell that sees to its files first becomes it. */
function isProgram({ argv }: Marked, { argv: words }: Program): boolean {
  const own = words.slice(-argv.length);
  return argv.length > 1 && own.length === argv.length && own.every((word, index) => word === argv[index]);
}

/** The keeper itself, and what it waits and tells the time with. */
const isOfKeeper = (one: Marked): boolean =>
  ['qrun-keeper', 'qrun-keeper-once'].includes(one.argv[3] ?? '') || isPause(one);

/** A keeper's `sleep` and `date` are not the program. */
export const isPause = ({ argv }: Marked): boolean => /^(sleep (0\.05|3)|date .*)$/.test(argv.join(' '));
