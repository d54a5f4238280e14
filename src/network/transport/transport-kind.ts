/** What a way to carry frames is to the rest of the house: what it can honour, and how it is planned. One file for each; adding one is adding a file. */
import type { WrittenMap } from '../../profile/definition.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import type { ForwardMode, Transport } from '../network.ts';

export interface TransportLook {
  readonly written: WrittenMap;
  /** As it is meant: written, or the default. */
  readonly forward: ForwardMode;
}

export interface TransportKind {
  readonly transport: Transport;
  /** Keys and values that it cannot honour, with the reason and the place. */
  readonly validate: (look: TransportLook) => PathFault[];
}
