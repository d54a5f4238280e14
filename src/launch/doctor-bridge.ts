/** What `qrun doctor` says of bridges for ordinary users (`kind: bridge`). */
import { existsSync } from 'node:fs';
import { readIdentity, readRunAs } from '../host/accounts.ts';
import { readBridgeDoor, type BridgeDoor } from '../host/bridge-door.ts';
import { faultOfRootsFile } from '../host/bridge-helper.ts';
import { listBridges } from '../host/bridges.ts';
import type { LinkFact } from '../host/facts.ts';
import { readLinks } from '../host/links.ts';
import { faultsOfDoor } from '../nic/bridge-faults.ts';
import type { QemuCapabilities } from '../qemu/capabilities.ts';
import { orNone, QrunError } from '../errors.ts';
import { shellWord } from '../shell-word.ts';
import type { System } from '../system/system.ts';
import { workingDirectory } from '../system/working-directory.ts';
import type { Check } from './doctor.ts';

/** More than these are looked at by nobody. */
const mostBridges = 20;

/** @param qemu undefined: there is none to ask */
export async function examineBridges(system: System, qemu: QemuCapabilities | undefined): Promise<Check[]> {
  const links = await readLinksIfPossible(system);
  const named = links.flatMap(({ name, kind }) => (kind === 'bridge' ? [name] : []));
  const names = (links.length > 0 ? named : listBridges()).slice(0, mostBridges);
  const user = readIdentity(system);
  const runAs = system.uid === 0 ? orNone(() => readRunAs(system, undefined)) : undefined;
  const common = {
    system,
    user,
    runAs,
    compiledIn: qemu?.bridgeHelper,
    helper: undefined,
    cwd: workingDirectory() ?? '/',
  };
  const doors = (names.length > 0 ? names : ['br0']).map((bridge) => readBridgeDoor({ ...common, bridge }));
  return [checkOfDoors(doors, { user: runAs?.name ?? user.name, links }), ...confCheck(doors)];
}

/** @param doors one for each bridge; for one that is not there if there is none */
export function checkOfDoors(
  doors: readonly BridgeDoor[],
  { user, links }: { readonly user: string; readonly links: readonly LinkFact[] },
): Check {
  const what = 'bridges of this host for ordinary users (kind: bridge)';
  const usable = doors.filter((door) => faultsOfDoor(door, user).length === 0);
  const [first] = usable;
  if (first !== undefined) {
    const names = usable.map(({ bridge }) => bridgeInWords(bridge, links)).join(', ');
    const other = doors.length > usable.length ? ` (of ${doors.length})` : '';
    const unsure = first.helper.rights === 'unknown';
    return {
      id: 'bridge',
      what,
      state: unsure ? 'warn' : 'ok',
      evidence: `${first.helper.file}, ${rightsInWords[first.helper.rights]}; ${first.helper.conf} lets ${user} on ${names}${other}`,
      mend: unsure ? 'sudo apt-get install libcap2-bin' : null,
    };
  }
  const [door] = doors;
  const faults = door === undefined ? [] : faultsOfDoor(door, user);
  return {
    id: 'bridge',
    what,
    state: 'warn',
    evidence: faults.map(({ message }) => message).join('; '),
    mend: faults[0]?.mend ?? null,
  };
}

const rightsInWords: Readonly<Record<BridgeDoor['helper']['rights'], string>> = {
  capability: 'which has cap_net_admin',
  setuid: 'which is setuid root',
  unknown: 'whose rights cannot be told without getcap',
  none: '',
  nosuid: '',
  mixed: '',
};

function bridgeInWords({ name, up }: BridgeDoor['bridge'], links: readonly LinkFact[]): string {
  const addresses = links.find((link) => link.name === name)?.addresses ?? [];
  return [name, ...(up ? [] : ['(down)']), ...(addresses.length > 0 ? [`(${addresses.join(', ')})`] : [])].join(' ');
}

/** The helper asks for nobody's right to have written it: whoever can, lets everybody on every bridge. */
function confCheck([door]: readonly BridgeDoor[]): Check[] {
  if (door === undefined || !existsSync(door.helper.conf)) return [];
  const file = door.helper.conf;
  const fault = faultOfRootsFile(file);
  const strange =
    door.conf.verdict === 'strange' ? faultsOfDoor(door, '').find(({ what: part }) => part === 'conf') : undefined;
  const what = 'who may write bridge.conf';
  if (strange !== undefined)
    return [{ id: 'bridge-conf', what, state: 'warn', evidence: strange.message, mend: strange.mend }];
  if (fault === undefined)
    return [{ id: 'bridge-conf', what, state: 'ok', evidence: `${file}: root alone`, mend: null }];
  return [
    {
      id: 'bridge-conf',
      what,
      state: 'warn',
      evidence: fault,
      mend: `sudo chown root: ${shellWord(file)} && sudo chmod go-w ${shellWord(file)}`,
    },
  ];
}

async function readLinksIfPossible(system: System): Promise<LinkFact[]> {
  try {
    return await readLinks(system);
  } catch (error) {
    if (error instanceof QrunError) return [];
    throw error;
  }
}
