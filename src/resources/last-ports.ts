/** The ports that `auto` forwards had: tried first the next time. Written under the VM's or the network's lock, so no other guard is needed; losing it costs nothing. */
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { isRecord } from '../json-object.ts';
import { writeQuick } from '../system/files.ts';
import { readStateFile } from '../system/state-files.ts';

const stepPrefix = 'port:';

/** @param directory the VM's, or the network's, state */
export const lastPortsFile = (directory: string): string => path.join(directory, 'ports.json');

export interface PortsOptions {
  readonly directory: string;
  /** By step id, `port:net0:0`, or by what stands behind the prefix. */
  readonly ports: Readonly<Record<string, number>>;
}

/** Nothing is written when nothing changed. @throws QrunError `host-failed`, `newer-state` */
export function rememberPorts({ directory, ports }: PortsOptions): void {
  const named = Object.entries(ports).map(([id, port]) => [id.replace(stepPrefix, ''), port] as const);
  const known = readLastPorts(directory);
  if (named.every(([id, port]) => known[id] === port)) return;
  const text = JSON.stringify({ v: 1, ports: { ...known, ...Object.fromEntries(named) } });
  writeQuick(lastPortsFile(directory), `${text}\n`);
}

/** By `NIC:INDEX`. Whatever else is wrong with the file, there is just no wish. @throws QrunError `newer-state` */
export function readLastPorts(directory: string): Record<string, number> {
  try {
    const read = readStateFile(lastPortsFile(directory), { leave: true });
    const ports = read.state === 'read' ? read.value['ports'] : undefined;
    if (!isRecord(ports)) return {};
    return Object.fromEntries(Object.entries(ports).filter((entry): entry is [string, number] => isPort(entry[1])));
  } catch (error) {
    if (error instanceof QrunError && error.code === 'newer-state') throw error;
    return {};
  }
}

const isPort = (value: unknown): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65536;
