/** Networks that are a card of the host's: each VM gets a part of it for itself, a macvtap or a virtual function. */
import type { ForwardMode } from '../network.ts';

export type PoolMode = 'macvtap' | 'hostdev';

export const isPool = (forward: ForwardMode): forward is PoolMode => forward === 'macvtap' || forward === 'hostdev';
