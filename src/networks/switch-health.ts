/** Whether the VDE switch of a network of root's is as it was made, and which guests it has lost. Read only. */
import { lstatSync, type Stats } from 'node:fs';
import path from 'node:path';
import { readHostLink, type HostLink } from '../host/host-link.ts';
import { modesOf } from '../network/bridged/vde.ts';
import type { HostNetwork, HostSwitch } from '../network/host-network.ts';
import type { PortFault } from './port-health.ts';

/** What was seen of it. */
export interface SwitchSight {
  readonly link?: HostLink;
  /** Its directory; undefined: there is none, or what is there is none. */
  readonly directory?: Pick<Stats, 'uid' | 'gid' | 'mode'>;
}

export function readSwitchFaults(host: HostNetwork, vde: HostSwitch): PortFault[] {
  const link = readHostLink(vde.tap);
  const stat = lookAt(vde.directory);
  return faultsOfSwitch(host, vde, {
    ...(link !== undefined && { link }),
    ...(stat?.isDirectory() === true && { directory: stat }),
  });
}

type On = Pick<HostNetwork, 'on' | 'group'>;

export function faultsOfSwitch({ on, group }: On, vde: HostSwitch, { link, directory }: SwitchSight): PortFault[] {
  const { tap: device } = vde;
  const fault = (what: string, of: PortFault['of']): PortFault => ({ device, what, of });
  const mode = modesOf({ ...(group !== undefined && { group }) }).directory;
  const isAsMade = directory?.uid === vde.user && directory.gid === vde.group && (directory.mode & 0o7777) === mode;
  const rights = isAsMade ? [] : [fault(`: ${vde.directory} ${wrong(directory)}`, 'rights')];
  if (link === undefined) return [fault('is gone', 'link'), ...rights];
  return [
    ...(link.up ? [] : [fault('is down', 'switch')]),
    ...(link.master === on ? [] : [fault(`is not on ${on}`, 'switch')]),
    ...(link.tap?.attached === false ? [fault('has no switch behind it', 'switch')] : []),
    ...rights,
  ];
}

function wrong(directory: SwitchSight['directory']): string {
  if (directory === undefined) return 'is not there';
  const { uid, gid, mode } = directory;
  return `is of uid ${uid}, gid ${gid}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')}`;
}

/**
 * A guest that has joined a switch does not join the next one: it is lost when that was started after it.
 * @param since ISO 8601, when it took its port
 */
export function isLeftBehind({ directory, tap }: HostSwitch, since: string | undefined): boolean {
  if (readHostLink(tap)?.tap?.attached === false) return true;
  const control = lookAt(path.join(directory, 'ctl'));
  if (control === undefined) return true;
  return since !== undefined && Date.parse(since) < control.mtimeMs;
}

/** Undefined: it is not there, or not to be seen by this user. */
function lookAt(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
