import { sshTo } from '../launch/ssh-to.ts';
import type { SshArguments } from './arguments.ts';
import type { Run } from './command.ts';

export const run: Run<SshArguments> = async ({ vm, ...options }, { system, places, report }) =>
  await sshTo(vm, options, { system, places, warn: report.warn, note: report.note, detail: report.detail });
