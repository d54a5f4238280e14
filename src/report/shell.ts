/**
 * The plan as a POSIX shell script that runs by itself: the same lock, steps, arguments and descriptors, and a trap that gives back what the steps
 * give back. What it needs besides sh is flock, GNU tail, and what the plan itself runs.
 */
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { frontOf } from '../plan/front.ts';
import type { LaunchPlan } from '../plan/launch-plan.ts';
import type { Description, Step } from '../plan/step.ts';
import { optionLines } from './plan.ts';
import { AutoPorts } from './shell-ports.ts';
import { renderJournal } from './shell-journal.ts';
import type { NetworkScripts } from './shell-network.ts';
import { renderAcquire, renderRelease, withoutLocks, type StepContext } from './shell-step.ts';
import { shellWord, shellWords } from '../shell-word.ts';
import { visible } from './visible.ts';

/** dash reads descriptors of one digit only. */
const highestFd = 9;

export function renderShell(
  plan: LaunchPlan,
  describe: (step: Step) => Description,
  /** The managed networks that it joins, by name. */
  scripts: NetworkScripts = {},
): string {
  if (plan.qemu.fds.some(({ fd }) => fd > highestFd))
    throw new QrunError('not-implemented', `${plan.vm}: a shell script has no descriptors above ${highestFd}`);
  const ports = new AutoPorts(plan);
  const steps = plan.steps.map((step, index): StepContext => ({
    step,
    number: index + 1,
    ...describe(step),
    plan,
    ports,
    describe,
    scripts,
  }));
  const parts = [
    renderHead(plan),
    functions,
    renderReleaseFunction(steps, plan),
    traps,
    renderNeeds(plan),
    steps
      .flatMap((context) => [renderAcquire(context), ...(context.step.kind === 'vm-lock' ? [renderJournal(plan)] : [])])
      .join('\n'),
    renderSpawn(plan, steps, ports),
    renderWait(plan),
  ];
  return `${parts.filter((part) => part !== '').join('\n')}`;
}

function renderHead({ vm, profile, notes, steps }: LaunchPlan): string {
  const made = steps.some(({ kind }) => kind === 'disk' || kind === 'copy') ? " made=''" : '';
  return `#!/bin/sh
# The VM ${vm} as qrun would start it, in the foreground. Made by: qrun show ${vm} --shell
# Profile: ${visible(profile)}
# Exit status: 0 the guest powered off or was stopped, 1 QEMU failed or the guest crashed, 3 the host cannot,
# 4 it runs already, 5 something was left behind, 128+n ended by signal n.
${notes.map((note) => `# Note: ${visible(note)}\n`).join('')}set -eu
umask 077
taken=0${made} qemu='' signal='' signals=0 left='' journal=''
`;
}

const functions = `fail() { # STATUS MESSAGE
  printf '%s\\n' "$2" >&2
  exit "$1"
}

private_directory() { # PATH: one of our own, that nobody else can write
  # what root makes, the user that QEMU runs as must get through
  if [ "$(id -u)" -eq 0 ]; then mask=066; else mask=077; fi
  (umask "$mask" && mkdir -p -- "$1")
  case $(stat -c %u:%A -- "$1") in
    "$(id -u)":d????-??-?) ;;
    *) fail 3 "$1 is not a directory that you alone can write" ;;
  esac
}

started() { # QEMU's main loop has run
  grep -q '{"return"' -- "$events"
}
`;

function renderReleaseFunction(steps: readonly StepContext[], { logs }: LaunchPlan): string {
  const lines = steps.toReversed().flatMap(renderRelease);
  return `events=${shellWord(logs.events)}

release() { # all that was taken, last in first out, going on past errors
  status=$?
  trap - EXIT
  trap '' HUP INT TERM
  set +e
${lines.map((line) => `  ${line}\n`).join('')}  [ -z "$journal" ] || [ -n "$left" ] || rm -f -- "$journal"
  if [ -n "$left" ] && [ "$status" -eq 0 ]; then status=5; fi
  exit "$status"
}
`;
}

const traps = `on_signal() { # NUMBER: QEMU ends the guest, and then we end
  signal=$1 signals=$((signals + 1))
  qemu=\${qemu:-\${!:-}}
  [ -n "$qemu" ] || exit "$((128 + $1))"
  kill -TERM "$qemu" 2>/dev/null || :
}
trap 'on_signal 1' HUP
trap 'on_signal 2' INT
trap 'on_signal 15' TERM
trap release EXIT
`;

function renderNeeds({ steps, qemu, profile }: LaunchPlan): string {
  const root = qemu.prefix.length > 0 || steps.some(({ needsRoot }) => needsRoot);
  const lines = [
    ...(root ? [`[ "$(id -u)" -eq 0 ] || fail 3 'this was planned for root'`] : []),
    "command -v flock >/dev/null || fail 3 'flock is missing: apt-get install util-linux'",
    `cd -- ${shellWord(path.dirname(profile))}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** stdin, the event journal, the log, the lock and the console's log stand behind the numbers that the plan says. */
function renderSpawn(plan: LaunchPlan, steps: readonly StepContext[], ports: AutoPorts): string {
  const { qemu, logs, console } = plan;
  const words = ports.mark(qemu.argv);
  const front = frontOf(qemu);
  const prefix = front.length > 0 ? [shellWords(front)] : [];
  const command = [...prefix, shellWord(qemu.file), ...optionLines(words, ports.word), redirections(steps)];
  const follow = `tail -c +1 -f -s 0.1 --pid="$qemu" -- ${shellWord(logs.console)} ${withoutLocks(plan)} &\nfollower=$!\n`;
  return `
# QEMU holds the lock (descriptor 3) for as long as it lives
${command.join(' \\\n  ')} &
qemu=$!
${ports.tell()}${console === 'stdio' ? follow : ''}`;
}

function redirections(steps: readonly StepContext[]): string {
  const signs = { read: '<', append: '>>', 'read-write': '<>' } as const;
  return steps
    .flatMap(({ acquire }) => acquire)
    .flatMap((action) =>
      'op' in action && action.op === 'open' ? [`${action.fd}${signs[action.mode]}${shellWord(action.path)}`] : [],
    )
    .join(' ');
}

function renderWait({ logs, console }: LaunchPlan): string {
  return `
status=1
while :; do
  seen=$signals
  ended=0
  wait "$qemu" || ended=$?
  # 127: it was waited for already, and a signal came in between
  [ "$ended" -eq 127 ] || status=$ended
  [ "$seen" -ne "$signals" ] || break
done
${console === 'stdio' ? 'wait "$follower" || :\n' : ''}[ -z "$signal" ] || exit "$((128 + signal))"
if [ "$status" -ne 0 ]; then
  cat -- ${shellWord(logs.qemu)} >&2
  exit 1
fi
# after a panic QEMU itself ends well
if grep -q '"guest-panic"' -- "$events"; then exit 1; fi
`;
}
