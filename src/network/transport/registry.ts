/** Which file plans which transport. `tap` is not there yet. */
import type { Transport } from '../network.ts';
import { hub } from './hub.ts';
import type { TransportKind } from './transport-kind.ts';
import { vde } from './vde.ts';

const kinds: { readonly [T in Transport]?: TransportKind } = { hub, vde };

export const transportKindOf = (transport: Transport): TransportKind | undefined => kinds[transport];

export const builtTransports: readonly string[] = Object.keys(kinds);
