/** One action of a step in shell. */
import type { Action } from '../plan/step.ts';
import { shellWord, shellWords } from '../shell-word.ts';

/** The function that waits for a file; the script that has an `await` must have it. */
export const awaitFunction: readonly string[] = [
  'await_path() { # PATH',
  '  tries=0',
  '  while [ ! -e "$1" ]; do',
  '    tries=$((tries + 1))',
  '    [ "$tries" -le 100 ] || return 1',
  '    sleep 0.1',
  '  done',
  '}',
];

export const owned = (
  file: string,
  owner: { readonly uid: number; readonly gid: number } | undefined,
): readonly string[] => (owner === undefined ? [] : [`chown -- ${owner.uid}:${owner.gid} ${shellWord(file)}`]);

/** Nothing for what only qrun itself, or the step's own lines, can do. */
export function lineOf(action: Action): string {
  if ('argv' in action) {
    const variables = Object.entries(action.env ?? {}).map(([name, value]) => shellWord(`${name}=${value}`));
    const command =
      variables.length > 0 ? ['env', ...variables, shellWords(action.argv)].join(' ') : shellWords(action.argv);
    return action.stdin === undefined ? command : `printf %s ${shellWord(action.stdin)} | ${command}`;
  }
  switch (action.op) {
    case 'mkdir':
      return [`mkdir -m ${action.mode} -- ${shellWord(action.path)}`, ...owned(action.path, action.owner)].join(' && ');
    case 'open':
      // opened where QEMU is started; here only seen to be there, and to be a file of ours
      return action.mode === 'read' ? `[ -f ${shellWord(action.path)} ]` : `touch -- ${shellWord(action.path)}`;
    case 'write':
      return `rm -f -- ${shellWord(action.path)} && printf %s ${shellWord(action.content)} >${shellWord(action.path)}`;
    case 'copy':
      return `cp -- ${shellWord(action.from)} ${shellWord(action.to)}`;
    case 'rotate':
      return `if [ -e ${shellWord(action.path)} ]; then mv -f -- ${shellWord(action.path)} ${shellWord(`${action.path}.1`)}; fi`;
    case 'remove':
      return `rm -rf -- ${shellWord(action.path)}`;
    case 'spawn': {
      const variables = Object.entries(action.env ?? {}).map(([name, value]) => shellWord(`${name}=${value}`));
      return `env ${variables.join(' ')} setsid ${shellWords(action.command)} </dev/null >>${shellWord(action.log)} 2>&1 3>&- &`;
    }
    case 'await':
      return `await_path ${shellWord(action.path)}`;
    case 'check-node':
      return `[ "$(stat -c %t:%T -- ${shellWord(action.path)})" = "$(printf %x:%x $(tr : ' ' </sys/class/net/${shellWord(action.link)}/tap${action.index}/dev))" ]`;
    case 'check-tap':
      return `[ "$(cat /sys/class/net/${shellWord(action.name)}/carrier 2>/dev/null)" != 1 ]`;
    case 'kill':
    case 'lock':
    case 'check-port':
    case 'check-group':
    case 'check-socket':
    case 'check-switch':
      return ':';
  }
}
