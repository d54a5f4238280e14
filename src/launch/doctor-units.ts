/** What `qrun doctor` says of what starts with the host: units whose programs are gone, that start nothing, that nobody starts. */
import { existsSync } from 'node:fs';
import { findNetworkFile } from '../host/network-definitions.ts';
import { findProfileFile } from '../host/profile-files.ts';
import { isEnabled, listUnits, ownUnitOf, unitPlacesOf, type OwnUnit, type UnitPlaces } from '../host/units.ts';
import type { Places } from '../places.ts';
import type { System } from '../system/system.ts';
import type { Check } from './doctor.ts';

interface UnitsContext {
  readonly system: Pick<System, 'uid' | 'env'>;
  readonly places: Places;
  /** Default: this host's. */
  readonly units?: UnitPlaces;
}

/** None where nothing starts by itself. */
export function examineUnits(context: UnitsContext): Check[] {
  const units = context.units ?? unitPlacesOf(context.system);
  const own = listUnits(units).flatMap((found) => ownUnitOf(found, context.places.state) ?? []);
  if (own.length === 0) return [];
  const base = { id: 'autostart', what: 'networks and VMs that start with the host' };
  const faults = own.flatMap((unit) => {
    const why = faultOf(unit, units, context);
    return why === undefined ? [] : [{ unit, ...why }];
  });
  const [first] = faults;
  if (first === undefined)
    return [{ ...base, state: 'ok', evidence: own.map(({ unit }) => unit).join(', '), mend: null }];
  const evidence = faults.slice(0, 4).map(({ unit, why }) => `${unit.unit}: ${why}`);
  return [
    {
      ...base,
      state: 'warn',
      evidence: evidence.join('; '),
      mend: `${context.system.uid === 0 ? 'sudo ' : ''}${commandOf(first.unit, first.off)}`,
    },
  ];
}

interface UnitFault {
  readonly why: string;
  /** It can only be taken away. */
  readonly off: boolean;
}

function faultOf({ unit, head }: OwnUnit, units: UnitPlaces, { places }: UnitsContext): UnitFault | undefined {
  const { kind, name } = head;
  const isThere =
    (kind === 'net' ? findNetworkFile(name, { places }) : findProfileFile(name, { places })) !== undefined;
  if (!isThere)
    return { why: kind === 'net' ? 'that network is not defined any more' : 'its profile is gone', off: true };
  const lost = [head.node, head.qrun].find((file) => !existsSync(file));
  if (lost !== undefined) return { why: `there is no ${lost} any more`, off: false };
  return isEnabled(units, unit) ? undefined : { why: 'it is not enabled', off: false };
}

const commandOf = ({ head: { kind, name } }: OwnUnit, off: boolean): string =>
  ['qrun', ...(kind === 'net' ? ['net'] : []), 'autostart', name, ...(off ? ['--off'] : [])].join(' ');
