/** Where a network is made, and what carries it, when the definition leaves it open. */
import type { ForwardMode, NetworkScope, Transport } from './network.ts';

export interface ScopeInput {
  readonly forward: ForwardMode;
  readonly scope: NetworkScope | 'auto';
  readonly transport?: Transport;
}

/** Ways out that need nothing of the host's own network. */
const ofUsers: readonly ForwardMode[] = ['nat', 'isolated'];

export const isUserMode = (forward: ForwardMode): boolean => ofUsers.includes(forward);

/** `auto`: the user's own, but the host's for root, and for what only root can make. */
export function scopeOf({ forward, scope }: Pick<ScopeInput, 'forward' | 'scope'>, uid: number): NetworkScope {
  if (scope !== 'auto') return scope;
  return uid === 0 || !isUserMode(forward) ? 'system' : 'user';
}

/** Without a word: the hub in scope user, which needs nothing; taps in scope system. */
export function transportOf(network: ScopeInput, uid: number): Transport {
  return network.transport ?? (scopeOf(network, uid) === 'user' ? 'hub' : 'tap');
}
