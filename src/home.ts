import { homedir } from 'node:os';

/** The user's home; a user that the system does not know, without HOME, has none, and then no place below it can be made. */
export function homeDirectory(): string {
  try {
    return homedir();
  } catch {
    return '/nonexistent';
  }
}
