/** Which resource stands behind a step. */
import type { Step } from '../plan/step.ts';
import { copy } from './copy.ts';
import { disk } from './disk.ts';
import { group } from './group.ts';
import { hostAccess } from './host-access.ts';
import { hook } from './hook.ts';
import { linkNames } from './link-names.ts';
import { member } from './member.ts';
import { openFile } from './open-file.ts';
import { passt } from './passt.ts';
import { portLease } from './port-lease.ts';
import { portNode } from './port-node.ts';
import { port } from './port.ts';
import { ofBridges } from './of-bridges.ts';
import type { Resource } from './resource.ts';
import { socketPath } from './socket-path.ts';
import { tapCheck } from './tap-check.ts';
import { switchDirectory } from './switch-directory.ts';
import { tapNode } from './tap-node.ts';
import { uplink } from './uplink.ts';
import { vdeSwitch } from './vde-switch.ts';
import { vfio } from './vfio.ts';
import { vmLock } from './vm-lock.ts';

const resources = {
  ...ofBridges,
  'vm-lock': vmLock,
  port,
  group,
  'socket-path': socketPath,
  'vde-switch': vdeSwitch,
  'switch-directory': switchDirectory,
  'open-file': openFile,
  disk,
  copy,
  hook,
  member,
  passt,
  uplink,
  'host-access': hostAccess,
  'link-names': linkNames,
  'tap-check': tapCheck,
  'tap-node': tapNode,
  'port-node': portNode,
  'port-lease': portLease,
  vfio,
} as const;

/** The table above pairs each kind with its own resource, which the type of a look-up by kind cannot say. */
export function resourceOf(step: Step): Resource {
  return resources[step.kind] as Resource;
}
