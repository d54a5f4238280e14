/**
 * What one would type without qrun: the plan's own arguments, with plain files and sockets where qrun hands QEMU descriptors.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * @param {{qemu: {file: string, argv: string[]}}} plan of `qrun show --json`
 * @param {string} directory for its sockets, logs and pid file
 * @param {string} name tells several in one directory apart
 * @returns {string[]} argv with -daemonize
 */
export function bareArgv({ qemu }, directory, name) {
  const at = (what) => path.join(directory, `${name}.${what}`);
  const words = [];
  for (let index = 0; index < qemu.argv.length; index++) {
    const word = qemu.argv[index];
    if (word === '-add-fd') index++;
    else words.push(plainWord(word, at));
  }
  return [qemu.file, ...words, '-daemonize', '-pidfile', at('pid')];
}

function plainWord(word, at) {
  // with -daemonize there is no stdin: the second monitor only writes
  if (word.startsWith('stdio,')) return `file,id=${/\bid=(\w+)/.exec(word)[1]},path=${at('events')}`;
  return word
    .replace(/,(?:spawn|elevateprivileges)=deny\b/g, '') // -daemonize forks and asks for its own session
    .replace(/\bpath=[^,]*\/(qmp|console)\b/, (_, socket) => `path=${at(socket)}`)
    .replace(/\blogfile=\/dev\/fdset\/\d+/, `logfile=${at('log')}`);
}

/** Ends it by its pid file. @returns {number} its pid */
export function killBare(directory, name) {
  const pid = Number(readFileSync(path.join(directory, `${name}.pid`), 'utf8'));
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`${name}.pid holds no pid`);
  process.kill(pid, 'SIGKILL');
  return pid;
}
