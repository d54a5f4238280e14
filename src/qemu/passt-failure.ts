/** What passt's own words about a failed start mean, and what mends it; whoever started it, qrun or QEMU. */
import type { ErrorCode } from '../errors.ts';

export interface PasstFailure {
  readonly code: Extract<ErrorCode, 'in-use' | 'permission' | 'missing-feature' | 'host-failed'>;
  readonly message: string;
  readonly hint?: string;
  /** Such as `127.0.0.1/8080:80`, when it was a port forward: QEMU and others may hold that port, which a look tells. */
  readonly forward?: string;
  /** Its own last words. */
  readonly words: string;
}

/** It has to say something to the system's log for each line, and says to everybody when there is none. */
const noise =
  /^Failed to send \d+ bytes to syslog$|^UNIX domain socket bound|^You can now start qemu|^ +(kvm|\.\/qrap) |^or qrap/;

/** The lines that tell something. */
export function wordsOfPasst(stderr: string): string[] {
  return stderr
    .slice(-16 * 1024)
    .split('\n')
    .filter((line) => line.trim() !== '' && !noise.test(line))
    .map((line) => line.trim().slice(0, 500));
}

/** Undefined: it said nothing of these. */
export function parsePasstFailure(stderr: string): PasstFailure | undefined {
  const lines = wordsOfPasst(stderr);
  for (const { pattern, read } of rules) {
    const line = lines.find((candidate) => pattern.test(candidate));
    const match = line === undefined ? null : pattern.exec(line);
    if (line !== undefined && match !== null) return { ...read(match, lines), words: line };
  }
  return undefined;
}

interface Rule {
  readonly pattern: RegExp;
  readonly read: (match: RegExpExecArray, lines: readonly string[]) => Omit<PasstFailure, 'words'>;
}

const rules: readonly Rule[] = [
  {
    pattern: /External interface not usable/,
    read: () => ({
      code: 'host-failed',
      message: 'passt finds no interface of this host with a default route',
      hint: 'ip route; a NIC of kind: user works without a route',
    }),
  },
  {
    pattern: /IPv([46]) forward, but IPv\1 not enabled/,
    read: ([, family = '']) => withoutRoute(family),
  },
  {
    // in the words of 2023, 2025 and 2026
    pattern: /Failed to bind (?:any )?port .*'-[tu] ([^']*)'|Listen failed for HOST \S+ port (\S+?):? /,
    read: ({ input: line, 1: first, 2: second }, lines) => {
      const forward = first ?? second ?? '';
      const family = isIpv6(forward) ? '6' : '4';
      const noRoute = `No external routable interface for IPv${family}`;
      if (line.includes('(null)') || lines.some((one) => one.includes(noRoute))) return withoutRoute(family);
      const denied = line.includes('denied');
      return {
        code: denied ? 'permission' : 'in-use',
        message: `passt could not take the port of the forward ${forward}`,
        hint: "see who has it: ss -lntup; a port below 1024 needs root's leave",
        forward,
      };
    },
  },
  {
    pattern: /Overlapping port specifier (\S+)/,
    read: ([, forward = '']) => ({
      code: 'missing-feature',
      message: `this passt forwards a port on one address only: ${forward} is another`,
      hint: 'leave one of the two out, or take another port for it; passt of 2024 and newer can',
    }),
  },
];

const withoutRoute = (family: string): Omit<PasstFailure, 'words'> => ({
  code: 'host-failed',
  message: `passt forwards IPv${family} only where this host has an IPv${family} default route`,
  hint: `ip -${family} route; or forward on an address of the other family`,
});

const isIpv6 = (forward: string): boolean =>
  /^\[?[0-9a-f]*:[0-9a-f:.]*\]?[/%]/i.test(forward) || forward.startsWith('[');
