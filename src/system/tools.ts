/**
 * Where a tool is. Root's PATH is not trusted as it stands: a directory that somebody else can write to could hold anything under that name.
 */
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { faultOfDirectory } from './directories.ts';

/** Debian keeps these out of an ordinary user's PATH, and `ip`, `bridge` and `nft` are there. */
const alwaysSearched = ['/usr/sbin', '/sbin'];

export interface ToolSearch {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  /** Directories that were looked at, and whether root alone can write them: tools lie side by side. */
  readonly seen?: Map<string, boolean>;
}

/** The absolute path of a tool on PATH, or undefined. Relative entries of PATH are never searched. */
export function findTool(tool: string, { env, uid, seen = new Map() }: ToolSearch): string | undefined {
  if (tool === '' || tool.includes('\0')) return undefined;
  if (tool.includes('/')) return path.isAbsolute(tool) && isProgram(tool) ? tool : undefined;
  for (const directory of searchPath(env['PATH'])) {
    const file = path.join(directory, tool);
    if (!isProgram(file)) continue;
    if (uid === 0 && !isRootsAlone(file, seen)) continue;
    return file;
  }
  return undefined;
}

function searchPath(written: string | undefined): string[] {
  const directories = (written ?? '/usr/bin:/bin').split(':').filter((entry) => path.isAbsolute(entry));
  return [...new Set([...directories, ...alwaysSearched])];
}

function isRootsAlone(file: string, seen: Map<string, boolean>): boolean {
  const { uid, mode } = statSync(file);
  if (uid !== 0 || (mode & 0o022) !== 0) return false;
  const directory = path.dirname(file);
  const known = seen.get(directory) ?? faultOfDirectory(directory, { uid: 0 }) === undefined;
  seen.set(directory, known);
  return known;
}

function isProgram(file: string): boolean {
  try {
    // most are not there, and an exception takes long to make
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return false;
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
