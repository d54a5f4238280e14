/**
 * A managed network in shell: under its lock it is taken up if it is not, and the VM's place on it is written down. The script leaves the same journal
 * and the same record as qrun's own start, so whoever comes next, a script or a qrun, finds the network and joins it, and `qrun gc` tidies what a killed
 * script left.
 */
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { NetworkScript } from '../network/network-script.ts';
import type { Description, MemberStep, Step } from '../plan/step.ts';
import { takeUpLines } from './shell-take-up.ts';
import { shellWord, shellWords } from '../shell-word.ts';

export type NetworkScripts = Readonly<Record<string, NetworkScript>>;

export interface JoinWith {
  readonly scripts: NetworkScripts;
  readonly describe: (step: Step) => Description;
  /** Of the locks that the script holds, and that nothing may have which outlives it. */
  readonly locks: readonly number[];
}

/** Behind what QEMU inherits; the shell reads one digit only. */
const lockFd = 9;
const patienceS = 30;

export function joinLines(step: MemberStep, { scripts, describe, locks }: JoinWith): readonly string[] {
  const script = scriptOf(step, scripts);
  const { network, users, fd, file, socket } = step;
  return [
    ...openLines(script.files.lock, lockFd),
    `flock -w ${patienceS} ${lockFd} || fail 4 ${shellWord(`network ${network}: another qrun has been at it for ${patienceS} s`)}`,
    ...openLines(users, fd),
    `flock -s -w 5 ${fd} || fail 4 ${shellWord(`network ${network} cannot be joined: ${users} is locked`)}`,
    // one that is up has a record of this boot
    `if ! grep -Fqs -- "\\"bootId\\":\\"$boot_id\\"" ${shellWord(script.files.record)}; then`,
    ...takeUpLines(script, { describe, locks: [...locks, lockFd] }).map((line) => `  ${line}`),
    'fi',
    `private_directory ${shellWord(path.dirname(file))}`,
    ...(socket === undefined ? [] : [`rm -f -- ${shellWord(socket)}`]),
    ...memberLines(step, describe),
    `exec ${lockFd}>&-`,
    ...(script.joined === undefined
      ? []
      : [`${shellWords(script.joined)} || fail 3 ${shellWord(`network ${network} could not be told of ${step.vm}`)}`]),
  ];
}

/** When its files are gone, whoever is last ends the network, and the script waits for it. 4: others are on it still. */
export function leaveLines(step: MemberStep, number: number, scripts: NetworkScripts): readonly string[] {
  const release = shellWords(scriptOf(step, scripts).release);
  return [`[ "$taken" -lt ${number} ] || { exec ${step.fd}>&-; ${release} || [ "$?" -eq 4 ]; } || left=1`];
}

function scriptOf({ network }: MemberStep, scripts: NetworkScripts): NetworkScript {
  const script = scripts[network];
  if (script === undefined) throw new QrunError('bug', `the script knows no network ${network}`);
  return script;
}

const openLines = (file: string, fd: number): readonly string[] => [
  `private_directory ${shellWord(path.dirname(file))}`,
  `[ ! -L ${shellWord(file)} ] || fail 3 ${shellWord(`${file} is a symbolic link`)}`,
  `exec ${fd}<>${shellWord(file)}`,
];

/** With the time, which only the script knows. Whole or not at all: the switch reads it as it appears. */
function memberLines(step: MemberStep, describe: JoinWith['describe']): readonly string[] {
  return describe(step).acquire.flatMap((action) => {
    if (!('op' in action) || action.op !== 'write') return [];
    const draft = shellWord(path.join(path.dirname(action.path), `.${path.basename(action.path)}.new`));
    const text = shellWord(action.content.replace(/\}$/, ',"since":"'));
    const write = `printf '%s%s"}' ${text} "$(date -u +%Y-%m-%dT%H:%M:%S.000Z)" >${draft}`;
    return [`${write} && mv -f -- ${draft} ${shellWord(action.path)}`];
  });
}
