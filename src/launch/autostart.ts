/** `qrun autostart`: a VM that starts with the host, by a unit of systemd's, after its networks. */
import { QrunError } from '../errors.ts';
import { isPath } from '../host/definition-files.ts';
import { findProfileFile } from '../host/profile-files.ts';
import { parseVmName } from '../names.ts';
import { isOfCard } from '../networks/autostart.ts';
import { keepUnit, removeUnit, type KeptUnit } from '../networks/keep-unit.ts';
import type { Nic } from '../profile/profile.ts';
import { loadProfile, type LaunchContext } from './prepare.ts';
import { requireKnown } from './vms.ts';

/** @throws QrunError `unknown-name`, `invalid-profile`, and as `keepUnit` */
export async function autostartVm(argument: string, context: LaunchContext): Promise<KeptUnit> {
  // not by its path: a unit knows it by its name alone
  const written = parseVmName(argument);
  if (isPath(written)) {
    throw new QrunError('invalid-name', `${written} is taken for a file, and a unit has only a name to start it by`, {
      hint: 'give the profile a name that does not end in .yaml',
    });
  }
  const { name, nics, shutdown } = await loadProfile(written, {}, context);
  const networks = nics.flatMap((nic) => (nic.kind === 'network' ? [nic.network] : []));
  return await keepUnit(
    {
      kind: 'vm',
      name,
      needsHost: nics.some(needsHost),
      networks: [...new Set(networks)],
      shutdownS: shutdown.timeoutS,
    },
    context,
  );
}

/** @returns undefined: it did not start by itself. @throws QrunError `unknown-name`, `in-use` for a unit of somebody else's */
export async function dropAutostartOf(argument: string, context: LaunchContext): Promise<KeptUnit | undefined> {
  const name = parseVmName(argument);
  const removed = await removeUnit({ kind: 'vm', name }, context);
  if (removed === undefined && findProfileFile(name, context) === undefined) requireKnown(context, name);
  return removed;
}

const apart: readonly Nic['kind'][] = ['user', 'passt', 'network', 'vde'];

/** It is on a card of the host's, or has an address of one. */
function needsHost(nic: Nic): boolean {
  if (nic.kind === 'mcast') return nic.interface !== undefined;
  if (!apart.includes(nic.kind)) return true;
  return 'forwards' in nic && nic.forwards.some(({ hostAddress }) => isOfCard(hostAddress));
}
