/** passt in a script: started before QEMU, and ended after it if it did not end by itself. */
import { passtCommand } from '../plan/passt-command.ts';
import type { PasstStep } from '../plan/step.ts';
import type { AutoPorts } from './shell-ports.ts';
import { shellWord } from '../shell-word.ts';

/** It goes into the background by itself when it listens; the lock (descriptor 3) is not for it to keep. */
export function passtLines(step: PasstStep, ports: AutoPorts): readonly string[] {
  const words = passtCommand(step, ({ step: id, port }) => (port === 'auto' ? ports.marked(id) : port));
  const log = shellWord(step.log);
  return [
    `rm -f -- ${shellWord(step.socket)} ${shellWord(step.pidFile)} ${log}`,
    `: >${log}`,
    ...(step.owner === undefined ? [] : [`chown -- ${step.owner.uid}:${step.owner.gid} ${log}`]),
    `said=$(${words.map(ports.word).join(' ')} 2>&1 </dev/null 3>&-) || fail 3 "passt ended: $said"`,
  ];
}

/** Only a process that has this very socket among its arguments is signalled: the number may be another's by now. */
export function releasePasst({ socket, pidFile }: PasstStep, number: number): readonly string[] {
  const [socketWord, pidWord] = [shellWord(socket), shellWord(pidFile)];
  return [
    `if [ "$taken" -ge ${number} ]; then`,
    `  passt=$(cat -- ${pidWord} 2>/dev/null)`,
    '  for try in 1 2 3 4 5 6 7 8 9 10; do',
    `    [ -n "$passt" ] && tr '\\0' '\\n' 2>/dev/null <"/proc/$passt/cmdline" | grep -Fxqs -- ${socketWord} || break`,
    '    kill "$passt" 2>/dev/null',
    '    sleep 0.1',
    '  done',
    `  rm -f -- ${socketWord} ${pidWord} || left=1`,
    'fi',
  ];
}
