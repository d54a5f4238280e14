/** Steps that change what the host itself does, rather than make a thing of their own. */
import type { StepCommon } from './step.ts';

/**
 * Settings of the kernel's, by their paths below /proc/sys. Those of an interface go with it. With `kept`, they are the whole host's: what was there
 * before is written to that file, they stay when the network goes, and `qrun setup --undo` takes them back.
 */
export interface SysctlStep extends StepCommon {
  readonly kind: 'sysctl';
  readonly values: Readonly<Record<string, string>>;
  readonly kept?: string;
}

/** The host's resolver asks a network's own name server for its domain. */
export interface ResolverStep extends StepCommon {
  readonly kind: 'resolver';
  readonly by: 'resolvectl' | 'resolvconf';
  readonly bridge: string;
  readonly addresses: readonly string[];
  readonly domain: string;
}
