import { createProfile } from '../launch/profiles.ts';
import type { NewArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<NewArguments> = async (args, context) => {
  const file = await createProfile(args, launchContext(context));
  context.report.note(`wrote ${file}; qrun edit ${args.name}, qrun show ${args.name}, qrun ${args.name}`);
  if (context.report.json) context.report.document({ name: args.name, file });
  return 0;
};
