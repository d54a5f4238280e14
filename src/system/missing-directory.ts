import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes a directory and what is missing above it, unless it is there. Not by `recursive`: where a parent is there and takes no children (/proc),
 * Node 20 tries for ever.
 */
export function makeMissingDirectory(directory: string, mode: number): void {
  if (existsSync(directory)) return;
  makeMissingDirectory(path.dirname(directory), mode);
  mkdirSync(directory, { mode });
}
