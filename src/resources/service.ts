/**
 * Programs of a network's that run for as long as it does. Each has a keeper, a small `sh` that starts it again when it ends, and there is a watcher,
 * another `sh`, that waits until no VM is on the network any more and then runs its release. All of them are in sessions of their own and carry
 * `QRUN_SERVICE=MARK`, so that they are found and ended whatever became of their parents; a kill of any one of them leaves the others to do their work.
 */
import { existsSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { readHostLink } from '../host/host-link.ts';
import type { StepRecord } from '../journal/journal.ts';
import type { ServiceStep } from '../plan/step.ts';
import { shellWord } from '../shell-word.ts';
import { delay } from '../system/delay.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { readTail } from '../system/files.ts';
import { endMarked, type Marked } from '../system/marked.ts';
import { endGroups, parseLeaders, renderLeaders } from '../system/process-group.ts';
import { killProcess, readProcess } from '../system/processes.ts';
import { spawnDetached } from '../system/spawn.ts';
import type { Resource } from './resource.ts';
import { findElsewhere, findOwn, isPause, markName, programName } from './service-program.ts';

const keeperName = 'qrun-keeper';
const watcherName = 'qrun-watcher';

/**
 * A program that ends at once, again and again, is started every 3 s; one that SIGTERM has ended (143) was told to read its files anew, and is at once. Its input is the keeper's own: nothing, and never its end. The time is read by
 * the shell itself, in tenths of a second (`123.45` is `123` and a nought): another program first would hold up the one that is waited for.
 */
const keeperScript = `trap '' HUP INT QUIT PIPE
shift
quick=0
while :; do
  read -r began rest </proc/uptime
  "$@"
  status=$?
  if [ "$status" -eq 143 ]; then quick=0; continue; fi
  echo "$(date '+%F %T') $1 ended with status $status, and is started again"
  read -r ended rest </proc/uptime
  if [ $((\${ended%.*}0 - \${began%.*}0)) -gt 50 ]; then quick=0; else quick=$((quick + 1)); fi
  if [ "$quick" -lt 5 ]; then sleep 0.05; else sleep 3; fi
done`;

const onceScript = `trap '' HUP INT QUIT PIPE
shift
exec "$@"`;

/**
 * The first so many words are locks, the others are the release. flock blocks until the last of those that share one is gone, whether it ended well or was killed. A release that finds somebody on the network
 * again, or at work on it, says 4: then the watch goes on. So it does when flock itself was killed.
 */
const watcherScript = `trap '' HUP INT QUIT PIPE
count=$1
shift
while :; do
  left=$count
  for file do
    [ "$left" -gt 0 ] && flock -x "$file" true || break
    left=$((left - 1))
  done
  if [ "$left" -eq 0 ]; then
    (shift "$count"; exec "$@")
    rc=$?
    [ "$rc" -eq 4 ] || exit "$rc"
  fi
  sleep 1
done`;

/** Of a moment on a quiet machine. Who gives up says so before. */
const defaultReadyMs = 30_000;
const graceMs = 1000;
/** After SIGKILL: it is gone as soon as a busy machine lets it. */
const lastMs = 15_000;

export const service: Resource<ServiceStep> = {
  describe: (step) => ({
    acquire: [
      ...step.programs.map((program) => ({
        op: 'spawn' as const,
        command: keeperCommand(program),
        log: step.log,
        env: { [markName]: step.mark, [programName]: program.name },
        purpose: { keeps: program.name, argv: program.argv, restart: program.restart },
      })),
      ...(step.watch === undefined
        ? []
        : [
            {
              op: 'spawn' as const,
              command: watcherCommand(step.watch),
              log: step.log,
              env: { [markName]: step.mark },
              purpose: { watches: step.watch.users, argv: step.watch.release },
            },
          ]),
      ...step.awaits.map((file) => ({ op: 'await' as const, path: file })),
    ],
    release: [{ op: 'kill', what: `${markName}=${step.mark}` }],
  }),

  acquire: async (step, { system }) => {
    ensurePrivateDirectory(path.dirname(step.log), { uid: system.uid });
    const from = sizeOf(step.log);
    const keepers = startPrograms(step, step.programs, system.env);
    if (step.watch !== undefined) startWatcher(step, system.env);
    await waitUntilReady(step, { from, env: system.env });
    const leaders = step.watch === undefined ? renderLeaders(keepers) : undefined;
    return leaders === undefined ? unknownKeepers : { keepers: leaders };
  },

  release: async (step, record, { sameBoot }) => {
    if (sameBoot && (await endKnown(step, record))) return;
    const left = await endMarked(() => findOwn(step), { isKeeper, graceMs });
    requireNoneElsewhere(step);
    if (left.length === 0) return;
    throw new QrunError('left-behind', `${step.title}: ${left.map(({ pid }) => `pid ${pid}`).join(', ')} did not end`, {
      hint: `kill -9 ${left.map(({ pid }) => pid).join(' ')}`,
    });
  },
};

/** What this run of it has in another network namespace is ended from there: by its pid here it would be anybody. */
function requireNoneElsewhere(step: ServiceStep): void {
  const [one] = findElsewhere(step);
  if (one === undefined) return;
  throw new QrunError('left-behind', `${step.title}: pid ${one.pid} runs in another network namespace`, {
    hint: `nsenter -t ${one.pid} -n qrun net down ${step.network}`,
  });
}

/** In a record: all processes are looked through for the mark. */
const unknownKeepers = { keepers: '' } as const;

/** Where all keepers are the ones that were started first, nothing of the service is elsewhere. A watcher may be who runs the release: it is not signalled so. */
async function endKnown(step: ServiceStep, record: StepRecord | undefined): Promise<boolean> {
  const leaders = parseLeaders(String(record?.['keepers'] ?? ''));
  if (step.watch !== undefined || leaders.length !== step.programs.length) return false;
  return await endGroups(leaders, { mark: `${markName}=${step.mark}`, graceMs });
}

export interface ServiceState {
  /** By program: its own processes' pids; empty when it does not run. */
  readonly running: Readonly<Record<string, readonly number[]>>;
  readonly keepers: Readonly<Record<string, readonly number[]>>;
  readonly watched: boolean;
}

/** What of a service runs, looked up among all processes. */
export function readService(step: ServiceStep): ServiceState {
  const found = findOwn(step);
  const of = (keepers: boolean) =>
    Object.fromEntries(
      step.programs.map(({ name }) => [
        name,
        found
          .filter((one) => one.variables[programName] === name && isKeeper(one) === keepers && isWorker(one, keepers))
          .map(({ pid }) => pid),
      ]),
    );
  // a watcher's children have its mark too, and are no program
  return { running: of(false), keepers: of(true), watched: found.some(isWatcher) };
}

/** Programs that run, and that nobody would start again. */
export const findUnkept = (step: ServiceStep, { running, keepers }: ServiceState): string[] =>
  step.programs
    .filter(({ name, restart }) => restart && (running[name]?.length ?? 0) > 0 && keepers[name]?.length === 0)
    .map(({ name }) => name);

/** Programs that do not run, or whose sockets, or file of a pid, are gone while they do. */
export function findMissing(step: ServiceStep, { running }: Pick<ServiceState, 'running'>): string[] {
  return step.programs
    .filter(
      (program) =>
        running[program.name]?.length === 0 ||
        [...(program.makes ?? []), ...pidFilesOf(step, program)].some((file) => !existsSync(file)) ||
        (program.opens !== undefined && !isOpen(program.opens)),
    )
    .map(({ name }) => name);
}

/** One that is down does not say. */
const isOpen = (name: string): boolean => {
  const link = readHostLink(name);
  return link !== undefined && link.tap?.attached !== false;
};

export interface MendOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Before anything is started: the keepers are others from then on, and the step's record is this. */
  readonly record: (record: StepRecord) => void;
}

export interface Mended {
  /** Programs that did not run. */
  readonly started: readonly string[];
  /** Those that did, without their keeper or with their sockets gone. */
  readonly anew: readonly string[];
}

/** Starts what is missing of a service, and anew what follows it or has lost its sockets. */
export async function mendService(step: ServiceStep, { env, record }: MendOptions): Promise<Mended> {
  const state = readService(step);
  const { running, keepers, watched } = state;
  const unkept = findUnkept(step, state);
  const lost = [...new Set([...findMissing(step, state), ...unkept])];
  const deaf = step.programs.filter(({ name }) => lost.includes(name) && (running[name]?.length ?? 0) > 0);
  const from = sizeOf(step.log);
  for (const { name } of deaf) for (const pid of running[name] ?? []) killProcess(pid);
  await waitUntilGone(
    deaf.flatMap(({ name, restart }) => (restart && !unkept.includes(name) ? [] : (running[name] ?? []))),
  );
  const missing = step.programs.filter(
    ({ name, restart }) => lost.includes(name) && !(restart && (keepers[name]?.length ?? 0) > 0),
  );
  if (missing.length > 0) record(unknownKeepers);
  removePidFiles(step, missing);
  startPrograms(step, missing, env);
  for (const { name, follows } of step.programs) {
    if (missing.some((program) => program.name === follows)) for (const pid of running[name] ?? []) killProcess(pid);
  }
  if (step.watch !== undefined && !watched) startWatcher(step, env);
  await waitUntilReady(step, { from, env });
  const namesOf = (programs: ServiceStep['programs']): string[] => programs.map(({ name }) => name);
  return { started: namesOf(missing.filter((one) => !deaf.includes(one))), anew: namesOf(deaf) };
}

/** That of a program that was killed would say that the one which comes is ready. */
function removePidFiles(step: ServiceStep, missing: ServiceStep['programs']): void {
  for (const file of missing.flatMap((program) => pidFilesOf(step, program))) rmSync(file, { force: true });
}

const pidFilesOf = ({ awaits }: ServiceStep, { name }: ServiceStep['programs'][number]): string[] =>
  awaits.filter((file) => path.basename(file) === `${name}.pid`);

/** One that is started at once would find what it needs still taken. */
async function waitUntilGone(pids: readonly number[]): Promise<void> {
  const runs = (pid: number): boolean => !'ZX'.includes(readProcess(pid)?.state ?? 'X');
  for (const end = performance.now() + lastMs; pids.some(runs) && performance.now() < end;) await delay(readyPollMs);
}

/** @returns the pids of their keepers */
function startPrograms(
  step: ServiceStep,
  programs: ServiceStep['programs'],
  env: Readonly<Record<string, string | undefined>>,
): number[] {
  return programs.map((program) => {
    const [file = '', ...args] = keeperCommand(program);
    return spawnDetached(file, args, {
      log: step.log,
      cwd: '/',
      // options for the node that runs qrun are not meant for the one that runs the switch
      env: { ...env, NODE_OPTIONS: undefined, [markName]: step.mark, [programName]: program.name },
    });
  });
}

function startWatcher(step: ServiceStep, env: Readonly<Record<string, string | undefined>>): void {
  if (step.watch === undefined) return;
  const [file = '', ...args] = watcherCommand(step.watch);
  spawnDetached(file, args, { log: step.log, cwd: '/', env: { ...env, [markName]: step.mark } });
}

function keeperCommand({ name, argv, restart }: ServiceStep['programs'][number]): string[] {
  return [
    '/bin/sh',
    '-c',
    restart ? keeperScript : onceScript,
    restart ? keeperName : `${keeperName}-once`,
    name,
    ...argv,
  ];
}

function watcherCommand({ users, ports = [], release }: NonNullable<ServiceStep['watch']>): string[] {
  const locks = [users, ...ports];
  return ['/bin/sh', '-c', watcherScript, watcherName, String(locks.length), ...locks, ...release];
}

const isWatcher = (one: Marked): boolean => one.argv[3] === watcherName;
const isKeeper = (one: Marked): boolean => one.argv[3] === keeperName || isWatcher(one);
const isWorker = (one: Marked, keepers: boolean): boolean => keepers || !isPause(one);

interface Attempt {
  /** Where in the log it begins. */
  readonly from: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

async function waitUntilReady(step: ServiceStep, { from, env }: Attempt): Promise<void> {
  const end = performance.now() + (step.readyMs ?? defaultReadyMs);
  for (;;) {
    const missing = [
      ...step.awaits.flatMap((file) => (existsSync(file) ? [] : [`${file} is not there`])),
      ...step.programs.flatMap(({ name, opens }) =>
        opens === undefined || isOpen(opens) ? [] : [`${name} does not get ${opens}`],
      ),
    ];
    if (missing.length === 0) return;
    if (performance.now() > end || hasGivenUp(step, from)) throw await notReady(step, { missing, from, env });
    await delay(readyPollMs);
  }
}

const readyPollMs = 1;

const endLine = /^\d{4}-\d\d-\d\d [\d:]+ \S+ ended with status \d+, and is started again$/;

const hasGivenUp = (step: ServiceStep, from: number): boolean =>
  step.givesUpAfter !== undefined &&
  wordsSince(step.log, from).filter((line) => endLine.test(line)).length >= step.givesUpAfter;

interface NotReady extends Attempt {
  /** In words. */
  readonly missing: readonly string[];
}

async function notReady(step: ServiceStep, { missing, from, env }: NotReady): Promise<QrunError> {
  const said = wordsSince(step.log, from).filter((line) => line.trim() !== '' && !endLine.test(line));
  // one that is started again says it again
  const causes = [...new Set(said)].slice(-5);
  const taken = (await import('./taken-port.ts')).findTakenPort(causes, env);
  if (taken !== undefined)
    return new QrunError('in-use', `${step.title} did not come up: ${taken.message}`, { causes, hint: taken.hint });
  const why = step.givesUpAfter === undefined ? undefined : causes.at(-1);
  return new QrunError('host-failed', `${step.title} did not come up: ${why ?? missing.join(', ')}`, {
    causes,
    hint: `cat ${shellWord(step.log)}`,
  });
}

function wordsSince(log: string, from: number): string[] {
  const size = sizeOf(log);
  // with the line end before it
  return size <= from ? [] : readTail(log, size - from + 1).split('\n');
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
