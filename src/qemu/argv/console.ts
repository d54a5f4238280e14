/**
 * The serial line: always a socket, always with a log, whoever is attached. The log is a descriptor that QEMU inherits, because the account
 * that root's QEMU runs as could not open the file.
 */
import { escapeComma } from '../option.ts';
import type { ArgvInput } from './input.ts';
import { deviceArgs } from './device.ts';
import { machineFamily } from './machine-family.ts';

/** The descriptor of the console's log; it must be opened for appending, and not for reading. */
const consoleLogFd = 4;

export function consoleArgs({ profile, capabilities, sockets }: ArgvInput): string[] {
  const family = machineFamily(profile.machine);
  const isaSerial = family === 'q35' || family === 'pc' || family === 'microvm';
  return [
    '-add-fd',
    `fd=${consoleLogFd},set=1`,
    '-chardev',
    `socket,id=console,path=${escapeComma(sockets.console)},server=on,wait=off,logfile=/dev/fdset/1,logappend=on`,
    ...(isaSerial
      ? deviceArgs({ driver: 'isa-serial', id: 'serial0', chardev: 'console' }, capabilities.version)
      : ['-serial', 'chardev:console']),
  ];
}
