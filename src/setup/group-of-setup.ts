/** The group that `setup --group` made for VMs last, and that is still there. */
import { orNone } from '../errors.ts';
import type { Places } from '../places.ts';
import { groupNamed } from './items/accounts.ts';
import { readRecord } from './record.ts';

/** Undefined too where the record is not to be believed: setup says so. */
export const groupOfSetup = (places: Places): string | undefined =>
  orNone(() => readRecord(places).entries)
    ?.flatMap(({ item, state }) => (item.kind === 'group' && state === 'done' ? [item.name] : []))
    .findLast((name) => groupNamed(name) !== undefined);
