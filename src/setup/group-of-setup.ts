/** The group that `setup --group` made for VMs last, and that is still there. */
import { QrunError } from '../errors.ts';
import type { Places } from '../places.ts';
import { groupNamed } from './items/accounts.ts';
import { readRecord } from './record.ts';

/** Undefined too where the record is not to be believed: setup says so. */
export function groupOfSetup(places: Places): string | undefined {
  try {
    return readRecord(places)
      .entries.flatMap(({ item, state }) => (item.kind === 'group' && state === 'done' ? [item.name] : []))
      .findLast((name) => groupNamed(name) !== undefined);
  } catch (error) {
    if (error instanceof QrunError) return undefined;
    throw error;
  }
}
