/**
 * Networks of the host's come up one process at a time, under a lock of all: what one of them has, the next one sees. Those that one command brings up
 * share the lock. They look, plan and take their ports one after the other, and see what those before them are about to have; the rest goes side by side.
 */
import { closeSync } from 'node:fs';
import path from 'node:path';
import type { NetworkName } from '../network/network.ts';
import type { OtherNetwork } from '../network/plan-input.ts';
import type { NetworkContext } from './context.ts';
import { takeHostLock } from './lock.ts';

export interface HostSection {
  /** By name: what is not in a record yet. */
  readonly pending: Map<NetworkName, OtherNetwork>;
  /** One after the other. */
  readonly alone: <T>(act: () => Promise<T>) => Promise<T>;
}

interface Shared extends HostSection {
  readonly fd: Promise<number>;
  readonly since: number;
  users: number;
}

/** By the state directory. */
const sections = new Map<string, Shared>();
/** Then other processes have their turn. */
const longestMs = 5000;

/** @throws QrunError `in-use` */
export async function inHostSection<T>(
  context: Pick<NetworkContext, 'system' | 'places'>,
  act: (section: HostSection) => Promise<T>,
): Promise<T> {
  const key = path.resolve(context.places.state);
  const known = sections.get(key);
  const section = known !== undefined && performance.now() - known.since < longestMs ? known : begin(context);
  sections.set(key, section);
  section.users += 1;
  try {
    await section.fd;
    return await act(section);
  } finally {
    section.users -= 1;
    if (section.users === 0) {
      if (sections.get(key) === section) sections.delete(key);
      // a lock that did not come is nobody's
      await section.fd.then(closeSync, () => {});
    }
  }
}

function begin(context: Pick<NetworkContext, 'system' | 'places'>): Shared {
  let turn: Promise<unknown> = Promise.resolve();
  return {
    fd: takeHostLock(context),
    since: performance.now(),
    users: 0,
    pending: new Map(),
    alone: async (act) => {
      const mine = turn.then(act);
      turn = mine.catch(() => {});
      return await mine;
    },
  };
}
