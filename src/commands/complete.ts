import { QrunError } from '../errors.ts';
import type { RawArguments } from './arguments.ts';
import type { Run } from './command.ts';

export const run: Run<RawArguments> = async () => {
  throw new QrunError('not-implemented', 'complete is not implemented yet');
};
