/** What keeps QEMU from a bridge, in the order in which the helper would find it, each with the one command that mends it. Pure. */
import { QrunError, type ErrorCode } from '../errors.ts';
import type { BlockedBy } from '../host/blocked-by.ts';
import type { BridgeVerdict, ConfPlace, SkippedPart } from '../host/bridge-conf.ts';
import type { BridgeDoor } from '../host/bridge-door.ts';
import { shellWord } from '../shell-word.ts';

export interface BridgeFault {
  /** Stable, for scripts. */
  readonly what: 'helper' | 'rights' | 'conf' | 'tun' | 'bridge';
  readonly code: ErrorCode;
  readonly message: string;
  readonly mend: string;
  /** The same by hand, or more about it. */
  readonly causes: readonly string[];
}

/** @param user the name that a group would be given to */
export function faultsOfDoor(door: BridgeDoor, user: string): BridgeFault[] {
  return [
    helperFault(door, user),
    rightsFault(door),
    confFault(door, user),
    tunFault(door, user),
    bridgeFault(door),
  ].filter((fault) => fault !== undefined);
}

/** One error for all that is missing: the first with what mends it, the others behind it. */
export function errorOfFaults(at: string, faults: readonly BridgeFault[]): QrunError | undefined {
  const [first, ...others] = faults;
  if (first === undefined) return undefined;
  return new QrunError(first.code, `${at}: ${first.message}`, {
    hint: first.mend,
    causes: [
      ...first.causes,
      ...others.map(({ message, mend }) => `also: ${message}${mend === first.mend ? '' : ` (${mend})`}`),
    ],
  });
}

/** A name is what a profile says, and a command is what people paste. Of what is no bridge setup makes none. */
function setup({ bridge: { name, state, portOf } }: BridgeDoor): string {
  if (state !== 'other') return `sudo qrun setup --bridge ${shellWord(name)}`;
  if (portOf !== undefined) return `sudo qrun setup --bridge ${shellWord(portOf)}`;
  return name === 'lo' ? 'sudo qrun setup --bridge br0' : `sudo qrun setup --bridge br0 --uplink ${shellWord(name)}`;
}

/** The rights of a program that is not QEMU's own are not for a profile to ask for: it may be a shell. */
const leaveOut = 'leave helper out';

function helperFault({ helper }: BridgeDoor, user: string): BridgeFault | undefined {
  const fault = { what: 'helper', causes: [] } as const;
  if (!helper.found)
    return {
      ...fault,
      code: 'missing-tool',
      message: `there is no bridge helper ${helper.file}`,
      mend: helper.told ? leaveOut : 'sudo apt-get install qemu-system-common   # Fedora: dnf install qemu-common',
    };
  if (helper.unsafe !== undefined)
    return {
      ...fault,
      code: 'unsafe-file',
      message: `helper: ${helper.unsafe}: only a program that root alone can change is started`,
      mend: leaveOut,
    };
  if (helper.blocked === undefined) return undefined;
  return {
    ...fault,
    code: 'permission',
    message: `${user} may not run ${helper.file}${onlyGroup(helper.blocked)}`,
    mend:
      joinGroup(helper.blocked, user) ??
      (helper.foreign === true ? leaveOut : `sudo chmod a+rx ${shellWord(helper.file)}`),
  };
}

function rightsFault(door: BridgeDoor): BridgeFault | undefined {
  const { helper, gain } = door;
  if (!helper.found || helper.unsafe !== undefined) return undefined;
  const fault = { what: 'rights', code: 'permission', causes: [] } as const;
  if (gain === 'no-new-privs')
    return {
      ...fault,
      message: 'programs started from here cannot gain rights (no_new_privs), and the bridge helper must',
      mend: 'start qrun outside of it: a service of systemd without NoNewPrivileges=, a container without no-new-privileges',
    };
  if (gain === 'bounded')
    return {
      ...fault,
      message: 'nothing here can have CAP_NET_ADMIN, and the bridge helper needs it: this is a container without it',
      mend: 'docker run --cap-add NET_ADMIN --device /dev/net/tun …, or kind: user',
    };
  if (helper.rights === 'nosuid')
    return {
      ...fault,
      message: `${helper.file} is on a file system that is mounted nosuid: it gains no rights there`,
      mend: `findmnt --target ${shellWord(helper.file)}`,
    };
  if (helper.rights === 'mixed')
    return {
      ...fault,
      message: `${helper.file} is setuid and has capabilities as well, and with both it fails`,
      mend: helper.foreign === true ? leaveOut : `sudo chmod u-s ${shellWord(helper.file)}`,
    };
  if (helper.rights !== 'none') return undefined;
  if (helper.foreign === true)
    return { ...fault, message: `helper: ${helper.file} has no right to make taps`, mend: leaveOut };
  return {
    ...fault,
    message: `${helper.file} has no right to make taps (a package upgrade takes it away again)`,
    mend: setup(door),
    causes: [`by hand: sudo setcap cap_net_admin=ep ${shellWord(helper.file)}`],
  };
}

function confFault(door: BridgeDoor, user: string): BridgeFault | undefined {
  const { helper, conf } = door;
  if (!helper.found || helper.unsafe !== undefined || conf.verdict === 'allowed') return undefined;
  return { what: 'conf', code: 'permission', ...confWords(door, conf, user) };
}

type Words = Pick<BridgeFault, 'message' | 'mend' | 'causes'>;

function confWords(door: BridgeDoor, conf: Exclude<BridgeVerdict, { verdict: 'allowed' }>, user: string): Words {
  const { bridge, helper } = door;
  const byHand = `by hand: echo ${shellWord(`allow ${bridge.name}`)} | sudo tee -a ${shellWord(helper.conf)}`;
  switch (conf.verdict) {
    case 'absent':
      return {
        message: `there is no ${conf.file}: the bridge helper lets nobody on any bridge`,
        mend: setup(door),
        causes: [byHand],
      };
    case 'unreadable':
      return {
        message: `${user} may not read ${conf.file}${onlyGroup(door.confBlocked)}, and the bridge helper reads it as its caller`,
        mend: joinGroup(door.confBlocked, user) ?? `sudo chmod a+r ${shellWord(conf.file)}`,
        causes: [],
      };
    case 'strange':
      return {
        message: `${conf.file} is no plain file of at most 1 MiB`,
        mend: `sudo mv ${shellWord(conf.file)} ${shellWord(`${conf.file}.old`)} && ${setup(door)}`,
        causes: [],
      };
    case 'invalid':
      return {
        message: `${where(conf.place)}: ${conf.reason}: the bridge helper takes nothing of the file`,
        mend: edit(conf.place),
        causes: [quoted(conf.place)],
      };
    case 'denied':
      if (conf.rule !== undefined)
        return {
          message: `${where(conf.rule)} denies ${bridge.name}; deny wins wherever it stands`,
          mend: edit(conf.rule),
          causes: [quoted(conf.rule)],
        };
      return {
        message: `${helper.conf} does not allow ${bridge.name}${partOfGroup(door.confBlocked)}`,
        mend: joinGroup(door.confBlocked, user) ?? setup(door),
        causes: [byHand, ...[...(conf.near === undefined ? [] : [conf.near]), ...conf.skipped].map(explained)],
      };
  }
}

const where = ({ file, line }: ConfPlace): string => `${file}:${line}`;
const quoted = ({ line, text }: ConfPlace): string => `line ${line}: ${JSON.stringify(text.slice(0, 120))}`;
const edit = ({ file, line }: ConfPlace): string => `sudo sensible-editor +${line} ${shellWord(file)}`;

function explained({ place, reason }: SkippedPart): string {
  return `${where(place)}: ${JSON.stringify(place.text.slice(0, 120))} does not count: ${reason}`;
}

function tunFault({ tun }: BridgeDoor, user: string): BridgeFault | undefined {
  const fault = { what: 'tun', code: 'permission', causes: [] } as const;
  switch (tun.state) {
    case 'ok':
      return undefined;
    case 'absent':
    case 'no-driver':
      return {
        ...fault,
        code: 'host-failed',
        message: tun.state === 'absent' ? 'there is no /dev/net/tun' : 'the kernel has no driver of /dev/net/tun',
        mend: 'sudo modprobe tun   # in a container: start it with --device /dev/net/tun',
      };
    case 'refused':
      return {
        ...fault,
        message: 'the kernel does not let /dev/net/tun be opened here',
        mend: 'in a container: start it with --device /dev/net/tun',
      };
    case 'blocked':
      return {
        ...fault,
        message: `${user} may not open /dev/net/tun${onlyGroup(tun.blocked)}, and the bridge helper opens it as its caller`,
        mend: joinGroup(tun.blocked, user) ?? 'sudo chmod 0666 /dev/net/tun',
      };
  }
}

function bridgeFault(door: BridgeDoor): BridgeFault | undefined {
  const { name, state, portOf, others = [] } = door.bridge;
  if (state === 'bridge') return undefined;
  const fault = { what: 'bridge', code: 'host-failed' } as const;
  const known = others.length === 0 ? [] : [`bridges of this host: ${others.slice(0, 20).join(', ')}`];
  if (state === 'absent') return { ...fault, message: `there is no bridge ${name}`, mend: setup(door), causes: known };
  if (portOf !== undefined)
    return {
      ...fault,
      message: `${name} is no bridge, but a port of ${portOf}`,
      mend: `in the profile: bridge: ${portOf}`,
      causes: known,
    };
  return {
    ...fault,
    message: `${name} is no bridge`,
    mend: name === 'lo' ? setup(door) : `${setup(door)}, or kind: macvtap with parent: ${name}`,
    causes: known,
  };
}

function onlyGroup(blocked: BlockedBy | undefined): string {
  return blocked?.group === undefined ? '' : ` (the group ${blocked.group} may)`;
}

function partOfGroup(blocked: BlockedBy | undefined): string {
  return blocked?.group === undefined ? '' : ` (a part of it is for the group ${blocked.group} alone)`;
}

function joinGroup(blocked: BlockedBy | undefined, user: string): string | undefined {
  if (blocked?.group === undefined) return undefined;
  if (blocked.member) return `log in again, or: newgrp ${blocked.group} (${user} is in the group, this session is not)`;
  return `sudo usermod -aG ${shellWord(blocked.group)} ${shellWord(user)}   # and log in again`;
}
