/** A network that is made on the spot: its definition is written where its state is, and lives as long as the network is up. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { findNetworkFile } from '../host/network-definitions.ts';
import { parseNetworkName } from '../names.ts';
import { asksForTakers, faultOfOneLine, renderOneLine, type OneLine, type Takers } from '../network/one-line.ts';
import { networkFiles } from '../plan/network-files.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { writeQuick } from '../system/files.ts';
import type { NetworkContext } from './context.ts';
import { isHeld } from './take-down.ts';

export interface Spot {
  readonly file: string;
  /** What is wrong with the definition is said of the command line; all else is as it is. */
  readonly asSaid: (error: unknown) => unknown;
  /** Whom its ports are for, where nobody said it, and that is not who asked for them. */
  readonly note?: string;
  /** The network that is up is another one: its definition is there again. */
  readonly putBack: () => void;
  /** Takes the definition away unless the network came up. */
  readonly tidy: () => void;
}

interface OneLineContext extends NetworkContext {
  /** The group that `setup --group` made for VMs, if it did. */
  readonly groupOfSetup: () => Promise<string | undefined>;
}

/** Undefined: nothing of a network is said but names. @throws QrunError `usage`, `in-use`, `invalid-name` */
export async function writeOneLine(
  networks: readonly string[],
  said: OneLine,
  context: OneLineContext,
): Promise<Spot | undefined> {
  const { system, places } = context;
  const takers = asksForTakers(said) && system.uid === 0 ? await takersOf(context) : {};
  const text = renderOneLine(said, takers);
  if (text === undefined) return undefined;
  const [written = '', ...more] = networks;
  if (more.length > 0)
    throw new QrunError('usage', 'one network is made on the spot, not several', {
      hint: 'qrun net up lan --nat 10.66.0.1/24',
    });
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
  // who makes it here and now means one of his own, whatever else he asks for
  const ofUser = system.uid !== 0 && (said.nat ?? said.isolated) !== undefined;
  const before = isHeld(files) && existsSync(files.spot) ? readFileSync(files.spot, 'utf8') : undefined;
  writeQuick(files.spot, ofUser ? `scope: user\n${text}` : text);
  return {
    file: files.spot,
    asSaid: (error) => (error instanceof QrunError ? faultOfOneLine(error, said, files.spot) : error),
    ...noteOf(takers),
    putBack: () => {
      if (before !== undefined) writeQuick(files.spot, before);
    },
    tidy: () => {
      if (!isHeld(files)) rmSync(files.spot, { force: true });
    },
  };
}

/** Whoever called sudo; else the group that setup made for VMs; else root, whose own VMs need none. */
async function takersOf({ system, groupOfSetup }: OneLineContext): Promise<Takers> {
  const user = system.env['SUDO_USER'];
  if (user !== undefined && user !== '' && user !== 'root') return { owner: user };
  const group = await groupOfSetup();
  return group === undefined ? { owner: 'root' } : { group };
}

function noteOf({ owner, group }: Takers): Pick<Spot, 'note'> {
  if (group !== undefined)
    return {
      note: `its ports are for the group ${group}, which setup made; for others: --owner USER or --group GROUP`,
    };
  if (owner !== 'root') return {};
  return { note: "its ports are root's alone, for nobody else was named; for users: --owner USER or --group GROUP" };
}
