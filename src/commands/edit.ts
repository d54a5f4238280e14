import { editProfile } from '../launch/profiles.ts';
import type { EditArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<EditArguments> = async ({ profile, force }, context) => {
  const changed = await editProfile(profile, force, launchContext(context));
  context.report.note(changed ? `${profile}: kept` : `${profile}: unchanged`);
  return 0;
};
