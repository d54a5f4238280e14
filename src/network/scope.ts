/** Where a network is made, and what carries it, when the definition leaves it open. */
import path from 'node:path';
import { hostConfig } from '../places.ts';
import type { ForwardMode, NetworkScope, Transport } from './network.ts';

export interface ScopeInput {
  readonly forward: ForwardMode;
  readonly scope: NetworkScope | 'auto';
  readonly transport?: Transport;
  /** Who may take ports, which root makes. As they are written: what they are worth is looked at elsewhere. */
  readonly ports?: unknown;
  readonly owner?: unknown;
  readonly group?: unknown;
  /** Where the definition lies, absolute. */
  readonly file?: string;
}

/** Ways out that need nothing of the host's own network. */
const ofUsers: readonly ForwardMode[] = ['nat', 'isolated'];

export const isUserMode = (forward: ForwardMode): boolean => ofUsers.includes(forward);

/** `auto`: the user's own, but the host's for root, for what only root can make, and for what lies in root's directory. */
export function scopeOf(network: Omit<ScopeInput, 'transport'>, uid: number): NetworkScope {
  if (network.scope !== 'auto') return network.scope;
  return uid === 0 || isOfRoot(network) ? 'system' : 'user';
}

/** Whoever asks: a user sees the network that root takes up, and not one of the same name that would be his own. */
const isOfRoot = (network: Omit<ScopeInput, 'transport' | 'scope'>): boolean =>
  !isUserMode(network.forward) || keyOfRoot(network) !== undefined || liesWithRoot(network.file);

/** The first key that is written and that only a network of root's can have. */
export const keyOfRoot = (network: Omit<ScopeInput, 'transport' | 'scope'>): string | undefined =>
  (['ports', 'owner', 'group'] as const).find((key) => (network[key] ?? undefined) !== undefined);

const hostNetworks = path.join(hostConfig, 'networks');

const liesWithRoot = (file: string | undefined): boolean => file !== undefined && path.dirname(file) === hostNetworks;

/** Without a word: the hub in scope user, which needs nothing; taps in scope system. */
export function transportOf(network: ScopeInput, uid: number): Transport {
  return network.transport ?? (scopeOf(network, uid) === 'user' ? 'hub' : 'tap');
}
