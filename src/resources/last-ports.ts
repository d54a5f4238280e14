/** The ports that `auto` forwards had: tried first the next time. Written under the VM lock only, so no other guard is needed; losing it costs nothing. */
import path from 'node:path';
import { type Places, vmDir } from '../places.ts';
import { writeQuick } from '../system/files.ts';
import { readStateFile } from '../system/state-files.ts';
import { isRecord } from './lease-file.ts';

const stepPrefix = 'port:';

export const lastPortsFile = (places: Places, vm: string): string => path.join(vmDir(places, vm), 'ports.json');

export interface PortsOptions {
  readonly places: Places;
  readonly vm: string;
  /** By step id, `port:net0:0`, or by what stands behind the prefix. */
  readonly ports: Readonly<Record<string, number>>;
}

/** Nothing is written when nothing changed. @throws QrunError `host-failed` */
export function rememberPorts({ places, vm, ports }: PortsOptions): void {
  const named = Object.entries(ports).map(([id, port]) => [id.replace(stepPrefix, ''), port] as const);
  const known = readLastPorts(places, vm);
  if (named.every(([id, port]) => known[id] === port)) return;
  const text = JSON.stringify({ v: 1, ports: { ...known, ...Object.fromEntries(named) } });
  writeQuick(lastPortsFile(places, vm), `${text}\n`);
}

/** By `NIC:INDEX`. Whatever is wrong with the file, there is just no wish. */
export function readLastPorts(places: Places, vm: string): Record<string, number> {
  try {
    const read = readStateFile(lastPortsFile(places, vm), { leave: true });
    const ports = read.state === 'read' ? read.value['ports'] : undefined;
    if (!isRecord(ports)) return {};
    return Object.fromEntries(Object.entries(ports).filter((entry): entry is [string, number] => isPort(entry[1])));
  } catch {
    return {};
  }
}

const isPort = (value: unknown): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65536;
