import type { VmsArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { sendToEach } from './send-to-each.ts';

export const run: Run<VmsArguments> = ({ vms }, context) => sendToEach(vms, 'system_reset', context);
