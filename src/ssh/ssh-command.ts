/**
 * The command line of ssh for a VM. The VM's name is ssh's destination, so that `Host web1` of the user's own configuration counts (user, identity), while
 * address, port and host keys are ours: https://man.openbsd.org/ssh_config
 */
import { QrunError } from '../errors.ts';
import type { WayIn } from './way-in.ts';

export interface SshCommand {
  readonly vm: string;
  readonly way: WayIn;
  /** Where this VM's host keys are kept. */
  readonly knownHosts: string;
  readonly user?: string;
  /** Words for the guest, as they are. */
  readonly command: readonly string[];
  /** What the user wrote for ssh itself: options, then perhaps a command. */
  readonly own: readonly string[];
}

/** ssh's arguments. @throws QrunError `usage` for a user that is none, `unsafe-state` for a path that ssh cannot be told */
export function buildSshArgs({ vm, way, knownHosts, user, command, own }: SshCommand): string[] {
  const settings = settingsOf(vm, way, knownHosts).filter(([name]) => !isSet(name, own));
  const options = [
    ...settings.flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    '-p',
    String(way.port),
    ...(user === undefined ? [] : ['-l', checkedUser(user)]),
  ];
  // ssh reads options behind its destination too, up to the first word of a command, unless `--` ended them before it
  return own.length > 0 ? [...options, vm, ...own, ...command] : [...options, '--', vm, ...command];
}

type Setting = readonly [name: string, value: string];

function settingsOf(vm: string, way: WayIn, knownHosts: string): Setting[] {
  const file = quotedPath(knownHosts);
  return [
    ['HostName', way.address.replaceAll('%', '%%')],
    ['HostKeyAlias', vm],
    ['UserKnownHostsFile', file],
    ['GlobalKnownHostsFile', '/dev/null'],
    ['StrictHostKeyChecking', 'accept-new'],
    // a user's setting for loopback must not turn the check off: every forward is on loopback
    ['NoHostAuthenticationForLocalhost', 'no'],
    // what the user has for all hosts, or for a host of this name, would lead elsewhere: to a proxy, or to another VM that had this port before
    ['ProxyCommand', 'none'],
    ['ControlPath', 'none'],
  ];
}

/** Those may be the user's to say; never where it goes, nor whose keys are looked at. */
const yielding = ['UserKnownHostsFile', 'GlobalKnownHostsFile', 'StrictHostKeyChecking', 'ProxyCommand', 'ControlPath'];

/** The user's own word for a setting counts; of two, ssh takes the first, which would be ours. */
function isSet(name: string, own: readonly string[]): boolean {
  const written = new RegExp(`^\\s*${name}\\b`, 'i');
  return yielding.includes(name) && settingsIn(own).some((setting) => written.test(setting));
}

/** What stands behind `-o`, in the same word or the next. */
function settingsIn(words: readonly string[]): string[] {
  return words.flatMap((word, index) => {
    if (words[index - 1] === '-o') return [word];
    return word.startsWith('-o') ? [word.slice(2)] : [];
  });
}

/** ssh splits the value into words, and expands `%` and `${…}`. */
function quotedPath(file: string): string {
  // oxlint-disable-next-line no-control-regex -- a line end would begin another setting
  if (/["\\\u0000-\u001f]|\$\{/.test(file)) {
    throw new QrunError('unsafe-state', `${JSON.stringify(file)}: ssh cannot be told of a file with such a name`, {
      hint: 'set QRUN_STATE_DIR to a directory with a plain name',
    });
  }
  return `"${file.replaceAll('%', '%%')}"`;
}

/** It may not become an option, nor a command of a shell that ssh starts (CVE-2023-51385). */
function checkedUser(user: string): string {
  if (/^[^-\s'"`$\\;&<>|(){}\p{Cc}][^\s'"`$;&<>|(){}\p{Cc}]{0,255}$/u.test(user)) return user;
  throw new QrunError('usage', `${JSON.stringify(user.slice(0, 60))} is no name of a user`, {
    hint: 'qrun ssh NAME --user USER',
  });
}
