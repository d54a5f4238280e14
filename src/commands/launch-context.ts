import type { LaunchContext } from '../launch/prepare.ts';
import type { CommandContext } from './command.ts';

/** What the stages of a launch get to see of a command. */
export function launchContext(context: CommandContext): LaunchContext {
  return { system: context.system, places: context.places, warn: context.report.warn };
}
