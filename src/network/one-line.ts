/** A network in a line of the shell, as the text of a definition. Pure. */
import { QrunError } from '../errors.ts';

export interface OneLine {
  /** The gateway's address with its prefix, under the mode that it is for. */
  readonly nat?: string;
  readonly route?: string;
  readonly open?: string;
  readonly isolated?: string;
  readonly ports?: number;
  readonly owner?: string;
  readonly group?: string;
  readonly dhcp: boolean;
  readonly domain?: string;
  readonly forward: readonly string[];
}

const modes = ['nat', 'route', 'open', 'isolated'] as const;
const others = ['ports', 'owner', 'group', 'domain'] as const;

/**
 * Undefined: nothing of a network is said.
 * @param user who may take ports when nobody is named
 * @throws QrunError `usage` when a mode is missing
 */
export function renderOneLine(said: OneLine, user?: string): string | undefined {
  const mode = modes.find((one) => said[one] !== undefined);
  if (mode === undefined) {
    const word = [...others, 'dhcp', 'forward'].find((one) => isSaid(said[one as keyof OneLine]));
    if (word === undefined) return undefined;
    throw new QrunError('usage', `--${word} belongs to a network that is made on the spot: its mode is missing`, {
      hint: 'qrun net up lan --nat 10.66.0.1/24',
    });
  }
  const { ports, owner, group, domain, dhcp, forward } = said;
  const keys: Readonly<Record<string, unknown>> = {
    forward: mode,
    addresses: said[mode]?.split(','),
    ports,
    owner: owner ?? (ports !== undefined && group === undefined ? user : undefined),
    group,
    dhcp: dhcp ? true : undefined,
    dns: domain === undefined ? undefined : { domain },
    forwards: forward.length === 0 ? undefined : forward,
  };
  return Object.entries(keys)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}: ${JSON.stringify(value)}\n`]))
    .join('');
}

const isSaid = (value: unknown): boolean =>
  value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
