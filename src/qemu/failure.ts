/** What QEMU's own words about a failed start mean, and what mends it. Its exit status says nothing. */
import type { ErrorCode } from '../errors.ts';
import { parseBridgeFailure } from './bridge-failure.ts';
import { parsePasstFailure } from './passt-failure.ts';

export interface QemuFailure {
  readonly code: Extract<
    ErrorCode,
    'qemu-failed' | 'in-use' | 'permission' | 'missing-feature' | 'host-failed' | 'invalid-profile'
  >;
  readonly message: string;
  readonly hint?: string;
  /** QEMU's own line. */
  readonly line: string;
  /** Such as `tcp:127.0.0.1:8080-10.0.2.15:80`, when it was a port forward. */
  readonly forward?: string;
}

/** Undefined when the text holds nothing but noise. */
export function parseQemuFailure(stderr: string): QemuFailure | undefined {
  const passt = / Passt (?:exited|killed) /.test(stderr) ? parsePasstFailure(stderr) : undefined;
  if (passt !== undefined) return { ...passt, line: passt.words };
  const bridge = parseBridgeFailure(stripControl(stderr));
  if (bridge !== undefined) return { ...bridge, line: bridge.words };
  const lines = stderr
    .slice(-64 * 1024)
    .split('\n')
    .map((line) => stripControl(line).trim())
    .filter((line) => line !== '' && !noise.some((pattern) => pattern.test(line)));
  const displayLine = stderr.split('\n').find((line) => missingDisplay.test(line));
  for (const [index, line] of lines.entries()) {
    for (const rule of rules) {
      const match = rule.pattern.exec(line);
      if (match !== null) return { line, ...rule.read(match, lines.slice(index + 1).join('\n')) };
    }
  }
  const line = lines.find((candidate) => ownWords.test(candidate)) ?? lines.at(-1);
  if (line !== undefined) return { code: 'qemu-failed', message: `QEMU says: ${withoutName(line)}`, line };
  // the missing module is the cause only if nothing else is
  return displayLine === undefined ? undefined : { line: displayLine.trim(), ...noDisplay(displayLine) };
}

/** Lines that say nothing about why a start failed. The first is Debian's, for every display module that is not installed. */
const noise: readonly RegExp[] = [
  /module \S+ not found, do you want to install/,
  /failed to initialize module:/,
  /^Only modules from the same build can be loaded\.?$/,
  /: warning: /,
  /^warning: /,
  /terminating on signal \d+/,
  /^Use -machine help to list/,
  /^(?:qemu\S*: )?info: /,
];

const ownWords = /^qemu[^:]*: /;
const missingDisplay = /module ui-ui-(gtk|sdl) not found/;

interface Rule {
  readonly pattern: RegExp;
  /** `rest`: the lines that follow. */
  readonly read: (match: RegExpExecArray, rest: string) => Omit<QemuFailure, 'line'>;
}

const rules: readonly Rule[] = [
  {
    pattern: /Could not set up host forwarding rule '([^']*)'/,
    read: ([, forward = '']) => ({
      code: 'in-use',
      message: `QEMU could not take the port of the forward ${forward}`,
      hint: "see who has it: ss -lntup; a port below 1024 needs root's leave",
      forward,
    }),
  },
  {
    pattern: /Invalid host forwarding rule '([^']*)' \(([^)]*)\)/,
    read: ([, forward = '', why = '']) => ({
      code: 'missing-feature',
      message: `this QEMU does not take the forward ${forward}: ${why}`,
      forward,
    }),
  },
  {
    pattern: /Could not access KVM kernel module: (.*)$|failed to initialize kvm: (.*)$/i,
    read: ([, first, second]) => kvmFailure(first ?? second ?? ''),
  },
  {
    pattern: /Failed to get (?:shared )?"(?:write|consistent read|resize)" lock/,
    read: (_, rest) => {
      const image = /using the image \[(.*)\]\?/.exec(rest)?.[1] ?? 'a disk image of this VM';
      return { code: 'in-use', message: `another process uses ${image}`, hint: 'qrun ps' };
    },
  },
  {
    pattern: /Could not open vde: (.*)$/,
    read: ([, why = '']) => ({
      code: /denied/i.test(why) ? 'permission' : 'host-failed',
      message: `the VDE switch did not let QEMU in: ${why}`,
      hint: 'it has no free port (vde_switch -n), not that port, or the group is not one of yours',
    }),
  },
  {
    pattern: /could not configure \/dev\/net\/tun \(([^)]*)\): (.*)$/,
    read: ([, name = '', why = '']) => tapFailure(name, why),
  },
  {
    pattern: /could not open \/dev\/net\/tun: (.*)$/,
    read: ([, why = '']) => ({
      code: 'permission',
      message: `QEMU may not open /dev/net/tun: ${why}`,
      hint: 'sudo chmod 0666 /dev/net/tun',
    }),
  },
  {
    pattern: /(?:Could not open|could not open|cannot open) '([^']+)': (.*)$/i,
    read: ([, file = '', why = '']) => openFailure(file, why),
  },
  {
    pattern: /could not open kernel file '([^']*)': (.*)$/,
    read: ([, file = '', why = '']) => openFailure(file, why),
  },
  {
    pattern: /'file' driver requires '([^']*)' to be a regular file/,
    read: ([, file = '']) => ({ code: 'invalid-profile', message: `${file} is no regular file: a disk must be one` }),
  },
  {
    pattern: /^qemu: (invalid kernel header|linux kernel too old.*)$/,
    read: ([, why = '']) => ({ code: 'invalid-profile', message: `the kernel of the profile is none: ${why}` }),
  },
  {
    pattern: /cannot set up guest memory '[^']*': (.*)$/,
    read: ([, why = '']) => ({
      code: 'host-failed',
      message: `the host has not got the memory that the guest is to have: ${why}`,
      hint: 'lower memory: in the profile, or end something: free -m',
    }),
  },
  {
    pattern: /unsupported machine type(?:: "([^"]*)")?/,
    read: ([, name]) => ({
      code: 'qemu-failed',
      message: `this QEMU has no machine type ${name === undefined ? 'of that name' : JSON.stringify(name)}`,
      hint: 'machine: q35, or see: qemu-system-x86_64 -machine help',
    }),
  },
  {
    pattern: /unable to find CPU model '([^']*)'/,
    read: ([, name = '']) => ({
      code: 'qemu-failed',
      message: `this QEMU has no CPU model ${JSON.stringify(name)}`,
      hint: 'cpu: max, or see: qemu-system-x86_64 -cpu help',
    }),
  },
  {
    pattern: /CPU model 'host' requires KVM/,
    read: () => ({ code: 'missing-feature', message: 'cpu: host needs KVM', hint: 'leave cpu out, or: accel: kvm' }),
  },
  {
    pattern: /'([^']*)' is not a valid device model name|Device '([^']*)' not found/,
    read: ([, first, second]) => ({
      code: 'qemu-failed',
      message: `this QEMU has no device ${JSON.stringify(first ?? second ?? '')}`,
      hint: 'see: qemu-system-x86_64 -device help',
    }),
  },
  {
    pattern:
      /Parameter 'type' does not accept value '(gtk|sdl|spice-app)'|Display '(gtk|sdl|spice-app)' is not available/,
    read: ([text]) => noDisplay(text),
  },
  {
    pattern: /gtk initialization failed|Could not initialize SDL/i,
    read: () => ({
      code: 'host-failed',
      message: 'there is no desktop to open a window on',
      hint: 'display: none, or display: vnc',
    }),
  },
  {
    pattern: /Failed to bind socket to (.*?): (.*)$/,
    read: ([, file = '', why = '']) => ({
      code: why.includes('in use') ? 'in-use' : why.includes('denied') ? 'permission' : 'host-failed',
      message: `QEMU could not make its socket ${file}: ${why}`,
    }),
  },
  {
    pattern: /: (-\S+): invalid option$/,
    read: ([, option = '']) => ({ code: 'qemu-failed', message: `this QEMU does not know the option ${option}` }),
  },
];

function kvmFailure(why: string): Omit<QemuFailure, 'line'> {
  if (/denied/i.test(why)) {
    return {
      code: 'permission',
      message: 'QEMU may not open /dev/kvm',
      hint: 'qrun doctor   # says who may not, and what mends it; or: accel: tcg',
    };
  }
  return { code: 'missing-feature', message: `KVM does not work here: ${why}`, hint: 'qrun doctor, or: accel: tcg' };
}

/** The kernel says the same for a tap that is gone and one of another user's; which it is has been looked at before. */
function tapFailure(name: string, why: string): Omit<QemuFailure, 'line'> {
  if (/busy/i.test(why))
    return {
      code: 'in-use',
      message: `the tap ${name} is in use, by another VM or by another NIC of this one`,
      hint: 'qrun ps',
    };
  const hint = `ip -details link show dev ${name}`;
  if (/permitted|denied/i.test(why))
    return { code: 'permission', message: `the tap ${name} is gone, or is another user's now`, hint };
  return { code: 'host-failed', message: `QEMU could not take the tap ${name}: ${why}`, hint };
}

function openFailure(file: string, why: string): Omit<QemuFailure, 'line'> {
  const code = /denied/i.test(why) ? 'permission' : /no such file/i.test(why) ? 'invalid-profile' : 'host-failed';
  return { code, message: `QEMU could not open ${file}: ${why}` };
}

function noDisplay(text: string): Omit<QemuFailure, 'line'> {
  const name = /gtk|sdl|spice/.exec(text)?.[0] ?? 'window';
  return {
    code: 'missing-feature',
    message: `this QEMU has no ${name} display`,
    hint: 'sudo apt-get install qemu-system-gui, or: display: vnc',
  };
}

function withoutName(line: string): string {
  return line.replace(ownWords, '').slice(0, 500);
}

/** The text goes to a terminal: what a file name or a guest put into it must not move the cursor. */
function stripControl(line: string): string {
  // oxlint-disable-next-line no-control-regex -- that is what is taken out
  return line.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f]/g, '');
}
