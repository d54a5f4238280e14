/** What the bridge helper's own words about a failed start mean. All that can be foreseen is refused before QEMU starts: this is what changed since. */
import type { ErrorCode } from '../errors.ts';
import { shellWord } from '../shell-word.ts';

export interface BridgeFailure {
  readonly code: Extract<ErrorCode, 'permission' | 'host-failed'>;
  readonly message: string;
  readonly hint: string;
  /** The helper's own line. */
  readonly words: string;
}

const mark = /bridge helper failed/;

/** Undefined: it was not the helper. */
export function parseBridgeFailure(stderr: string): BridgeFailure | undefined {
  const lines = stderr
    .slice(-16 * 1024)
    .split('\n')
    .map((line) => line.trim().slice(0, 500));
  const said = lines.find((line) => mark.test(line));
  if (said === undefined) return undefined;
  const name = /\bbr(?:=|": ?")([^,":\s]{1,15})/.exec(said)?.[1] ?? 'BRIDGE';
  for (const { pattern, code, read, hint } of rules) {
    const words = lines.find((line) => pattern.test(line));
    const match = words === undefined ? null : pattern.exec(words);
    if (words !== undefined && match !== null)
      return { code, message: read(match), hint: hint(`sudo qrun setup --bridge ${shellWord(name)}`), words };
  }
  return { code: 'host-failed', message: 'the bridge helper failed, and said nothing', hint: doctor(), words: said };
}

interface Rule extends Pick<BridgeFailure, 'code'> {
  readonly pattern: RegExp;
  readonly hint: (setup: string) => string;
  readonly read: (match: RegExpExecArray) => string;
}

const itself = (setup: string): string => setup;
const doctor = (): string => 'qrun doctor';

const rules: readonly Rule[] = [
  {
    pattern: /failed to parse default acl file [`'"]?([^'"]*)/,
    code: 'permission',
    read: ([, file = '']) => `the bridge helper cannot read ${file}, or one of its lines`,
    hint: itself,
  },
  {
    pattern: /access denied by acl file/,
    code: 'permission',
    read: () => 'bridge.conf does not allow this bridge',
    hint: itself,
  },
  {
    pattern: /failed to open \/dev\/net\/tun: (.*)$/,
    code: 'permission',
    read: ([, why = '']) => `the bridge helper cannot open /dev/net/tun: ${why}`,
    hint: doctor,
  },
  {
    pattern: /failed to create tun device: (.*)$|failed to drop privileges/,
    code: 'permission',
    read: ([, why]) => `the bridge helper may not make a tap${why === undefined ? '' : `: ${why}`}`,
    hint: (setup) =>
      `${setup}: it gives the helper its rights; no program gains rights under no_new_privs or QEMU's -sandbox`,
  },
  {
    pattern: /failed to get mtu of bridge [`'"]?([^'"]*)['"]?: (.*)$/,
    code: 'host-failed',
    read: ([, bridge = '', why = '']) => `there is no bridge ${bridge}: ${why}`,
    hint: itself,
  },
  {
    pattern: /failed to add interface \S+ to bridge [`'"]?([^'"]*)['"]?: (.*)$/,
    code: 'host-failed',
    read: ([, bridge = '', why = '']) => `${bridge} took no port more: ${why}`,
    hint: () => 'a bridge has room for 1023 ports, and an interface that is no bridge for none: ip -d link',
  },
  {
    pattern: /^(failed to (?:set mtu|get MAC|set MAC|get interface|bring up|write fd|open control).*)$/,
    code: 'host-failed',
    read: ([, words = '']) => `the bridge helper: ${words}`,
    hint: doctor,
  },
];
