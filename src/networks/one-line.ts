/** A network that is made on the spot: its definition is written where its state is, and lives as long as the network is up. */
import { rmSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { findNetworkFile } from '../host/network-definitions.ts';
import { parseNetworkName } from '../names.ts';
import { renderOneLine, type OneLine } from '../network/one-line.ts';
import { networkFiles } from '../plan/network-files.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { writeQuick } from '../system/files.ts';
import type { NetworkContext } from './context.ts';
import { isHeld } from './take-down.ts';

export interface Spot {
  readonly file: string;
  /** Takes the definition away unless the network came up. */
  readonly tidy: () => void;
}

/** Undefined: nothing of a network is said but names. @throws QrunError `usage`, `in-use`, `invalid-name` */
export function writeOneLine(
  networks: readonly string[],
  said: OneLine,
  { system, places }: NetworkContext,
): Spot | undefined {
  const text = renderOneLine(said, system.env['SUDO_USER']);
  if (text === undefined) return undefined;
  const [written = '', ...more] = networks;
  if (more.length > 0) throw new QrunError('usage', 'one network is made on the spot, not several');
  const name = parseNetworkName(written);
  const defined = findNetworkFile(name, { places });
  if (defined !== undefined) {
    throw new QrunError('in-use', `network ${name} is defined in ${defined.file}`, {
      hint: `qrun net up ${name}, or another name`,
    });
  }
  const files = networkFiles(places, name);
  ensurePrivateDirectory(places.state, { uid: system.uid });
  ensurePrivateDirectory(files.dir, { uid: system.uid });
  writeQuick(files.spot, text);
  return {
    file: files.spot,
    tidy: () => {
      if (!isHeld(files)) rmSync(files.spot, { force: true });
    },
  };
}
