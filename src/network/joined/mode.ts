/** Whose the bridge of `forward: bridge` is. */
import type { Network } from '../network.ts';

/** One that is there already and stays as it is: it is named, and qrun joins no card to it. Otherwise qrun makes it. */
export const isTheirs = (bridge: Network['bridge']): boolean =>
  bridge?.name !== undefined && bridge.uplink === undefined;
