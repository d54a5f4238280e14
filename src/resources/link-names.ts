/**
 * The names of the interfaces that the next run makes: they follow from a seed that is drawn at random, kept in `STATE/vms/NAME/links.json` from the
 * first `show` to the run that uses it, and used up by that run under the VM lock, before the first interface is made. So no name comes again,
 * whatever became of the run, the clock or the state directory; and who else wants it is seen in the kernel's own list.
 */
import { lstatSync, rmSync } from 'node:fs';
import { customAlphabet } from 'nanoid/non-secure';
import { QrunError } from '../errors.ts';
import { readHostLink, sysfsIsOwn } from '../host/host-link.ts';
import { linkNameOf, type LinkRole } from '../link-name.ts';
import type { LinkNamesStep } from '../plan/step.ts';
import type { Nic } from '../profile/profile.ts';
import { shellWord } from '../shell-word.ts';
import { createExclusive, writeQuick } from '../system/files.ts';
import { readStateFile, type JsonRead } from '../system/state-files.ts';
import type { System } from '../system/system.ts';
import type { Resource } from './resource.ts';

/** Between the plan and the run somebody had the names: others are drawn. */
export class NamesTaken extends QrunError {}

export interface ReserveNamesOptions {
  readonly system: Pick<System, 'bootId' | 'uid'>;
  /** `links.json` of the VM; its directory is there. */
  readonly file: string;
  readonly nics: readonly Nic[];
  /** For tests. */
  readonly draw?: () => string;
}

const drawSeed = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 20);
const maxDraws = 64;

/** @returns the seed; undefined: qrun chooses no name for this VM. @throws QrunError `host-failed`, `permission` */
export function reserveLinkNames({ system, file, nics, draw = drawSeed }: ReserveNamesOptions): string | undefined {
  const wanted = nics.flatMap((nic) => rolesOf(nic, system.uid));
  if (wanted.length === 0) return undefined;
  const bootId = system.bootId();
  // in another network's /sys the names of this one are not seen; the plan refuses that
  const looks = sysfsIsOwn();
  for (let drawn = 0; drawn < maxDraws; drawn += 1) {
    const read = readSeed(file, bootId);
    const isFree = (seed: string): boolean =>
      !looks || wanted.every(({ nic, role }) => readHostLink(linkNameOf({ seed, nic, role })) === undefined);
    if (read.seed !== undefined && isFree(read.seed)) return read.seed;
    const text = `${JSON.stringify({ v: 1, bootId, seed: draw() })}\n`;
    // two who look at once: the first one's is read by both
    if (read.there) writeQuick(file, text);
    else createExclusive(file, text, { durable: false });
  }
  throw new QrunError('host-failed', 'no name is free for an interface', { hint: 'ip -brief link show' });
}

/** An interface of the profile's own name needs none. */
function rolesOf(nic: Nic, uid: number): { readonly nic: string; readonly role: LinkRole }[] {
  const { id } = nic;
  if (nic.kind === 'tap') return nic.device === undefined ? [{ nic: id, role: 'tap' }] : [];
  // on a network of the host's root's VM gets a tap of its own, and others' a port
  if (nic.kind === 'network') return uid === 0 ? [{ nic: id, role: 'tap' }] : [];
  if (nic.kind !== 'macvtap') return [];
  return [{ nic: id, role: 'macvtap' }];
}

/** One of an earlier boot may have been used: what removed the file could be lost in a power cut. */
function readSeed(file: string, bootId: string): { readonly there: boolean; readonly seed?: string } {
  const read = readOrRefuse(file);
  if (read.state === 'absent') return { there: false };
  const seed = read.state === 'read' && read.value['bootId'] === bootId ? read.value['seed'] : undefined;
  return { there: true, ...(typeof seed === 'string' && /^[0-9a-z]{20}$/.test(seed) && { seed }) };
}

/** What is no file of qrun's is not removed by it, but nothing is lost with it either. @throws QrunError `unsafe-state`, `newer-state`, `permission` */
function readOrRefuse(file: string): JsonRead {
  try {
    return readStateFile(file, { leave: true, maxBytes: 4096 });
  } catch (error) {
    if (!(error instanceof QrunError) || error.code !== 'unsafe-state') throw error;
    const isDirectory = lstatSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
    const hint = `rm ${isDirectory ? '-r ' : ''}${shellWord(file)}`;
    throw new QrunError('unsafe-state', error.message, { causes: error.causes, hint });
  }
}

export const linkNames: Resource<LinkNamesStep> = {
  describe: ({ path }) => ({ acquire: [{ op: 'remove', path }], release: [] }),

  acquire: async ({ path, seed, names }, { system }) => {
    // under the VM lock: of two starts with one plan the second has names that were used
    if (readSeed(path, system.bootId()).seed !== seed) throw namesTaken();
    rmSync(path);
    if (names.some((name) => readHostLink(name) !== undefined)) throw namesTaken();
    return {};
  },

  // what is used up stays so
  release: async () => {},
};

const namesTaken = (): NamesTaken =>
  new NamesTaken('in-use', 'the names of its interfaces were taken just now', { hint: 'try again' });
