import { QrunError } from '../errors.ts';
import type { DoctorArguments } from './arguments.ts';
import type { Run } from './command.ts';

export const run: Run<DoctorArguments> = async () => {
  throw new QrunError('not-implemented', 'doctor is not implemented yet');
};
