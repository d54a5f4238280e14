/** Everything that stands between a user's QEMU and a bridge of the host's: the helper, its configuration, the tun device, the bridge. */
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../errors.ts';
import { textOf } from '../system/glance.ts';
import type { System } from '../system/system.ts';
import { blockedBy, type BlockedBy } from './blocked-by.ts';
import { predictBridgeConf, type BridgeVerdict } from './bridge-conf.ts';
import { confReader } from './bridge-conf-file.ts';
import { readBridgeHelper, type BridgeHelperFact } from './bridge-helper.ts';
import { readBridge, type BridgeFact } from './bridges.ts';
import type { Identity, RunAs } from './facts.ts';
import { accessOf } from './file-access.ts';

/** A device that is opened to make taps. `refused`: the kernel, whatever the mode says (a container's rules, no driver). */
export interface TunFact {
  readonly state: 'ok' | 'absent' | 'no-driver' | 'blocked' | 'refused';
  readonly blocked?: BlockedBy;
}

export interface BridgeDoor {
  readonly bridge: BridgeFact;
  readonly helper: BridgeHelperFact;
  readonly conf: BridgeVerdict;
  /** By which group the file could be read, or one that it includes, when it cannot. */
  readonly confBlocked?: BlockedBy;
  readonly tun: TunFact;
  /** Whether a program that QEMU starts can gain rights by its file. */
  readonly gain: 'ok' | 'no-new-privs' | 'bounded';
}

export interface DoorOptions {
  readonly system: Pick<System, 'which' | 'runNow' | 'uid'>;
  readonly user: Identity;
  readonly runAs: RunAs | undefined;
  readonly compiledIn: string | undefined;
  readonly helper: string | undefined;
  readonly bridge: string;
  /** QEMU's working directory. */
  readonly cwd: string;
}

export function readBridgeDoor(options: DoorOptions): BridgeDoor {
  const { system, user, runAs, compiledIn, bridge, cwd } = options;
  const helper = readBridgeHelper({ system, compiledIn, written: options.helper, runAs, user });
  const conf = predictBridgeConf({ bridge, file: helper.conf, read: confReader(accessOf(runAs)), cwd });
  const hidden = hiddenBy(conf, bridge);
  return {
    bridge: readBridge(bridge, system),
    helper,
    conf,
    ...(hidden !== undefined && { confBlocked: blockedBy(hidden, 4, runAs ?? user) }),
    tun: readTun(runAs, user),
    gain: parseGain(textOf('/proc/self/status')),
  };
}

/** Where a rule may stand that counts for others. */
function hiddenBy(conf: BridgeVerdict, bridge: string): string | undefined {
  if (conf.verdict === 'unreadable') return conf.file;
  if (conf.verdict !== 'denied' || conf.rule !== undefined) return undefined;
  const files = conf.skipped.flatMap(({ hidden }) => hidden ?? []);
  // setup makes a file for each bridge
  const own = (file: string): boolean => path.basename(file) === `qrun-${bridge}.conf`;
  return files.find(own) ?? files.find((file) => !path.basename(file).startsWith('qrun-'));
}

const tunDevice = '/dev/net/tun';

/** To open it does nothing yet; the helper does so with its caller's own rights, also when it is setuid. */
export function readTun(runAs: RunAs | undefined, user: Identity): TunFact {
  try {
    closeSync(openSync(tunDevice, 'r+'));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return { state: 'absent' };
    if (errno === 'ENODEV' || errno === 'ENXIO') return { state: 'no-driver' };
    if (errno !== 'EACCES') return { state: 'refused' };
    return { state: 'blocked', blocked: blockedBy(tunDevice, 6, runAs ?? user) };
  }
  if (accessOf(runAs).mayWrite(tunDevice)) return { state: 'ok' };
  return { state: 'blocked', blocked: blockedBy(tunDevice, 6, runAs ?? user) };
}

const netAdminBit = 12n;

/** Of /proc/PID/status. https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
export function parseGain(status: string): BridgeDoor['gain'] {
  if (/^NoNewPrivs:\s*1$/m.test(status)) return 'no-new-privs';
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (bounding === undefined) return 'ok';
  return ((BigInt(`0x${bounding}`) >> netAdminBit) & 1n) === 1n ? 'ok' : 'bounded';
}
