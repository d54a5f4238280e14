/** Every path that belongs to one VM. Pure: who makes and removes each is said in the steps and in launch/. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { VmName } from '../names.ts';
import { vmDir, type Places } from '../places.ts';

export interface VmFiles {
  readonly dir: string;
  /** Held by QEMU for as long as it lives; never unlinked. */
  readonly lock: string;
  /** Guards the short use of the command monitor: QMP serves one client. */
  readonly monitorLock: string;
  readonly consoleLock: string;
  readonly journal: string;
  /** What runs now. */
  readonly run: string;
  /** How the last run ended. */
  readonly last: string;
  /** Who asked for the end of the run that is ending: `kill`, `stop`. */
  readonly ending: string;
  readonly eventsInput: string;
  readonly events: string;
  readonly qemuLog: string;
  readonly consoleLog: string;
  readonly uefiVars: string;
  /** Which disks were made for it. */
  readonly disks: string;
  /** What the names of the interfaces follow from that the next run makes. */
  readonly linkNames: string;
  /** The guest's host keys, as `qrun ssh` met them: ssh writes it. */
  readonly knownHosts: string;
  readonly runtimeDir: string;
  readonly qmp: string;
  readonly console: string;
  readonly vnc: string;
}

/** The kernel's limit for the path of a unix socket, without the final NUL. */
export const maxSocketPath = 107;

export function vmFiles(places: Places, vm: VmName): VmFiles {
  const dir = vmDir(places, vm);
  const locks = path.join(places.state, 'locks');
  const runtimeDir = runtimeDirOf(places.runtime, vm);
  const inDir = (name: string): string => path.join(dir, name);
  const inRuntime = (name: string): string => path.join(runtimeDir, name);
  return {
    dir,
    lock: path.join(locks, `vm.${vm}`),
    monitorLock: path.join(locks, `monitor.${vm}`),
    consoleLock: path.join(locks, `console.${vm}`),
    journal: inDir('journal'),
    run: inDir('run.json'),
    last: inDir('last.json'),
    ending: inDir('ending'),
    eventsInput: inDir('events.in'),
    events: inDir('events'),
    qemuLog: inDir('qemu.log'),
    consoleLog: inDir('console.log'),
    uefiVars: inDir('uefi-vars.fd'),
    disks: inDir('disks.json'),
    linkNames: inDir('links.json'),
    knownHosts: inDir('known_hosts'),
    runtimeDir,
    qmp: inRuntime('qmp'),
    console: inRuntime('console'),
    vnc: inRuntime('vnc'),
  };
}

/** A long name is replaced by a digest of it where its sockets would not fit; the real paths stand in the run record. */
function runtimeDirOf(runtime: string, vm: VmName): string {
  const plain = path.join(runtime, vm);
  if (Buffer.byteLength(path.join(plain, 'console')) <= maxSocketPath) return plain;
  return path.join(runtime, `_${createHash('sha256').update(vm).digest('hex').slice(0, 10)}`);
}
