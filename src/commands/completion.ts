import { QrunError } from '../errors.ts';
import type { CompletionArguments } from './arguments.ts';
import type { Run } from './command.ts';

export const run: Run<CompletionArguments> = async () => {
  throw new QrunError('not-implemented', 'completion is not implemented yet');
};
