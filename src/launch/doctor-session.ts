/** What `qrun doctor` says of what the system allows an ordinary user: VMs that outlive the session, user namespaces. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { readIdentity } from '../host/accounts.ts';
import { namesIn, textOf } from '../system/glance.ts';
import type { System } from '../system/system.ts';
import type { Check } from './doctor.ts';

export function examineSession(system: System): Check[] {
  return [checkOfSession(readSession(system)), checkOfUserNamespaces(readUserNamespaces())];
}

export interface SessionFacts {
  readonly user: string;
  /** systemd-logind keeps sessions here. */
  readonly logind: boolean;
  readonly linger: boolean;
  readonly conf: LogindConf;
}

export interface LogindConf {
  readonly killUserProcesses: boolean;
  readonly killOnly: readonly string[];
  readonly killExclude: readonly string[];
}

/** With lingering alone the processes of a session still end with it where they are killed: they must be of another scope. */
export function checkOfSession({ user, logind, linger, conf }: SessionFacts): Check {
  const base = { id: 'session', what: 'VMs that outlive the session' };
  const kills =
    conf.killUserProcesses &&
    !conf.killExclude.includes(user) &&
    (conf.killOnly.length === 0 || conf.killOnly.includes(user));
  if (!logind) return { ...base, state: 'ok', evidence: 'no systemd-logind: nobody ends them', mend: null };
  const lingers = `${user} ${linger ? 'lingers' : 'does not linger'}`;
  if (!kills) {
    const why = conf.killUserProcesses ? `KillUserProcesses=yes, and not for ${user}` : 'KillUserProcesses=no';
    return { ...base, state: 'ok', evidence: `${why}; ${lingers}`, mend: null };
  }
  const scope = 'systemd-run --user --scope qrun run -d NAME';
  return {
    ...base,
    state: 'warn',
    evidence: `KillUserProcesses=yes: a VM ends with the session in which it was started; ${lingers}`,
    mend: linger ? scope : `loginctl enable-linger ${user} && ${scope}`,
  };
}

/**
 * @param texts in the order in which they are read, the main file first. What a distribution has built in stands in its main file behind a `#`.
 */
export function parseLogind(texts: readonly string[]): LogindConf {
  const valueOf = (key: string): string | undefined =>
    texts.flatMap((text) => [...text.matchAll(new RegExp(`^[ \\t]*${key}[ \\t]*=[ \\t]*(.*)$`, 'gm'))]).at(-1)?.[1];
  const builtIn = texts.flatMap((text) => /^#KillUserProcesses=(\S+)/m.exec(text)?.[1] ?? []).at(0);
  const words = (key: string, otherwise: readonly string[]): readonly string[] =>
    valueOf(key)?.trim().split(/\s+/).filter(Boolean) ?? otherwise;
  return {
    killUserProcesses: /^(1|yes|y|true|t|on)$/i.test((valueOf('KillUserProcesses') ?? builtIn ?? 'no').trim()),
    killOnly: words('KillOnlyUsers', []),
    killExclude: words('KillExcludeUsers', ['root']),
  };
}

const confDirectories = ['/usr/lib/systemd', '/usr/local/lib/systemd', '/run/systemd', '/etc/systemd'];

function readSession(system: System): SessionFacts {
  const user = readIdentity(system).name;
  // the first main file from the end counts alone; of parts the name decides who comes last
  const main = confDirectories.map((directory) => textOf(`${directory}/logind.conf`)).findLast((text) => text !== '');
  const parts = new Map(
    confDirectories.flatMap((directory) =>
      namesIn(`${directory}/logind.conf.d`).map((file) => [file, path.join(directory, 'logind.conf.d', file)] as const),
    ),
  );
  const names = [...parts.keys()].filter((file) => file.endsWith('.conf')).toSorted();
  return {
    user,
    logind: existsSync('/run/systemd/sessions') || existsSync('/run/systemd/seats'),
    linger: existsSync(path.join('/var/lib/systemd/linger', user)),
    conf: parseLogind([main ?? '', ...names.map((name) => textOf(parts.get(name) ?? ''))]),
  };
}

export interface UserNamespaceFacts {
  /** Undefined: this kernel has no such setting. */
  readonly apparmor: string | undefined;
  readonly clone: string | undefined;
  readonly most: string | undefined;
}

/** Debian's and Ubuntu's kernels have settings of their own; any has the last one. */
export function checkOfUserNamespaces({ apparmor, clone, most }: UserNamespaceFacts): Check {
  const base = { id: 'user-namespaces', what: "user namespaces (networks in a namespace of the user's own, to come)" };
  const refused = (key: string, value: string, better: string): Check => ({
    ...base,
    state: 'warn',
    evidence: `${key} is ${value}: ordinary users may not have them, or may do nothing in them`,
    mend: `sudo sysctl -w ${key}=${better}`,
  });
  if (most === '0') return refused('user.max_user_namespaces', most, '15000');
  if (clone === '0') return refused('kernel.unprivileged_userns_clone', clone, '1');
  if (apparmor !== undefined && apparmor !== '0')
    return refused('kernel.apparmor_restrict_unprivileged_userns', apparmor, '0');
  if (most === undefined) return { ...base, state: 'warn', evidence: 'this kernel has no user namespaces', mend: null };
  return {
    ...base,
    state: 'ok',
    evidence: `user.max_user_namespaces is ${most}, and nothing restricts them`,
    mend: null,
  };
}

function readUserNamespaces(): UserNamespaceFacts {
  const read = (key: string): string | undefined => textOf(`/proc/sys/${key}`).trim() || undefined;
  return {
    apparmor: read('kernel/apparmor_restrict_unprivileged_userns'),
    clone: read('kernel/unprivileged_userns_clone'),
    most: read('user/max_user_namespaces'),
  };
}
