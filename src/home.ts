import { homedir, userInfo } from 'node:os';
import path from 'node:path';

/**
 * The user's home: HOME, or what the system says where that is empty or no absolute path, for a home in the working directory would be another one
 * in each. A user that the system does not know has none then, and no place below it can be made.
 */
export function homeDirectory(): string {
  try {
    const home = homedir();
    if (path.isAbsolute(home)) return home;
    const known = userInfo().homedir;
    return path.isAbsolute(known) ? known : nowhere;
  } catch {
    return nowhere;
  }
}

const nowhere = '/nonexistent';
