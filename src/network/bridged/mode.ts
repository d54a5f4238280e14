/** Ways out that have a bridge of the network's own. */
import type { ForwardMode } from '../network.ts';

export type BridgedMode = 'nat' | 'route' | 'open' | 'isolated';

const modes: readonly string[] = ['nat', 'route', 'open', 'isolated'] satisfies readonly BridgedMode[];

export const isBridged = (forward: ForwardMode): forward is BridgedMode => modes.includes(forward);
