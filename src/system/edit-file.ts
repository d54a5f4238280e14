/** A file that a person edits: on a copy, and kept only if it is checked. */
import { chmodSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { readOwned, writeDurable } from './files.ts';
import { makeMissingDirectory } from './missing-directory.ts';
import { runOnTerminal } from './spawn.ts';

export interface EditOptions {
  /** What is replaced; its directory is made if it is missing. */
  readonly target: string;
  /** What the editor begins with. */
  readonly text: string;
  /** The copy, in a private directory of the user's. */
  readonly draft: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Throws for a text that is not to be kept; the copy then stays. */
  readonly validate: (text: string) => void | Promise<void>;
}

const maxBytes = 1024 * 1024;

/** @returns whether it was changed @throws QrunError `host-failed` when the editor fails, and what `validate` throws */
export async function editFile({ target, text, draft, env, validate }: EditOptions): Promise<boolean> {
  writeDurable(draft, text);
  const status = await runEditor(draft, env);
  if (status !== 0)
    throw new QrunError('host-failed', `the editor ended with status ${status}; ${target} is as it was`, {
      hint: `export EDITOR=nano; your text is ${draft}`,
    });
  const edited = readOwned(draft, { maxBytes })?.text ?? '';
  if (edited === text) {
    rmSync(draft, { force: true });
    return false;
  }
  await validate(edited);
  makeMissingDirectory(path.dirname(target), 0o755);
  const mode = (statSync(target, { throwIfNoEntry: false })?.mode ?? 0o644) & 0o777;
  writeDurable(target, edited, { mode });
  chmodSync(target, mode);
  rmSync(draft, { force: true });
  return true;
}

/** `$VISUAL` or `$EDITOR` may have arguments of its own, so it is a shell's word list, as it is for git and crontab. */
async function runEditor(file: string, env: EditOptions['env']): Promise<number> {
  const editor = env['VISUAL'] || env['EDITOR'] || 'vi';
  return await runOnTerminal('/bin/sh', ['-c', `${editor} "$1"`, 'qrun-edit', file]);
}
