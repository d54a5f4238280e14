import { createProfile } from '../launch/profiles.ts';
import { commandNamed, groupNamed } from './list.ts';
import type { NewArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<NewArguments> = async (args, context) => {
  const file = await createProfile(args, launchContext(context));
  const { name } = args;
  const isCommand = [commandNamed(name), groupNamed(name)].some((one) => one !== undefined);
  context.report.note(`wrote ${file}; qrun edit ${name}, qrun show ${name}, qrun ${isCommand ? 'run ' : ''}${name}`);
  if (context.report.json) context.report.document({ name: args.name, file });
  return 0;
};
