/** `qrun alias`: which profiles may be called by their bare names in a shell, and which would hide a command. Reads PATH, changes nothing. */
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { isPath } from '../host/definition-files.ts';
import { listProfiles } from '../host/profile-files.ts';
import type { VmName } from '../names.ts';
import type { Places } from '../places.ts';
import { shellNames, type AliasShell } from '../report/shell-names.ts';
import type { System } from '../system/system.ts';
import { findTool } from '../system/tools.ts';

export interface Alias {
  readonly name: VmName;
  readonly command: readonly string[];
}

export interface SkippedAlias {
  readonly name: VmName;
  /** What it would hide: a program's path, or what the shell makes of the name. */
  readonly hides: string;
  /** The profile is one of the package's, not of the user's. */
  readonly example: boolean;
}

export interface Aliases {
  readonly shell: AliasShell;
  readonly aliases: readonly Alias[];
  readonly skipped: readonly SkippedAlias[];
}

/** @param shell undefined: what `$SHELL` says @throws QrunError `usage` when that is none that is known */
export function planAliases(
  shell: string | undefined,
  { places, system }: { readonly places: Places; readonly system: Pick<System, 'env'> },
): Aliases {
  const chosen = shellOf(shell ?? path.basename(system.env['SHELL'] ?? ''), system.env['SHELL']);
  const aliases: Alias[] = [];
  const skipped: SkippedAlias[] = [];
  for (const { name, file, example } of listProfiles(places)) {
    const hides = hiddenBy(name, chosen, system.env);
    // `run`: a VM may be called like a command
    if (hides === undefined) aliases.push({ name, command: ['qrun', 'run', isPath(name) ? file : name] });
    else skipped.push({ name, hides, example });
  }
  return { shell: chosen, aliases, skipped };
}

/** Shells that take bash's syntax of an alias. */
const likeBash = ['bash', 'sh', 'dash', 'ash', 'ksh', 'mksh'];

function shellOf(name: string, written: string | undefined): AliasShell {
  if (name === 'zsh' || name === 'fish') return name;
  if (likeBash.includes(name)) return 'bash';
  const why = written ? `there are no aliases for $SHELL, which is ${written}` : '$SHELL does not tell the shell';
  throw new QrunError('usage', why, { hint: 'qrun alias --shell bash|zsh|fish' });
}

function hiddenBy(name: VmName, shell: AliasShell, env: System['env']): string | undefined {
  if (name === 'qrun') return 'qrun itself';
  if (shellNames[shell].has(name)) return `${shell}'s own ${name}`;
  // also for root any program counts: an alias hides it, whoever it belongs to
  return findTool(name, { env, uid: 1 });
}
