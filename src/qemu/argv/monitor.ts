/**
 * Two monitors. The one on QEMU's own descriptors 0 and 1 is the event journal: it reads its commands from a file, and writes the greeting, its
 * answers and every event to a file that any number of waiters may follow. The socket is for commands; it serves one client at a time.
 */
import { escapeComma } from '../option.ts';
import { changedIndexes } from './boot.ts';
import type { ArgvInput } from './input.ts';

export function monitorArgs({ sockets }: ArgvInput): string[] {
  return [
    '-chardev',
    'stdio,id=events,signal=off',
    '-mon',
    'chardev=events,mode=control',
    '-chardev',
    `socket,id=qmp,path=${escapeComma(sockets.qmp)},server=on,wait=off`,
    '-mon',
    'chardev=qmp,mode=control',
  ];
}

/**
 * What QEMU reads on descriptor 0, when its main loop runs: the first answer means that the start succeeded, the second says whether the guest
 * is paused (`-S`), the others put the boot order right that counts after `boot.once`.
 */
export function buildMonitorInput(input: ArgvInput): string {
  const commands: object[] = [{ execute: 'qmp_capabilities' }, { execute: 'query-status', id: 'status' }];
  for (const [id, value] of changedIndexes(input)) {
    const path = `/machine/peripheral/${id}`;
    commands.push({ execute: 'qom-set', id: 'boot', arguments: { path, property: 'bootindex', value } });
  }
  return commands.map((command) => `${JSON.stringify(command)}\n`).join('');
}
