/** A network in a line of the shell, as the text of a definition; and its faults, said of the line. Pure. */
import { QrunError, type Fault } from '../errors.ts';

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

/** Who may take its ports: of both, one. */
export type Takers = Pick<OneLine, 'owner' | 'group'>;

const modes = ['nat', 'route', 'open', 'isolated'] as const;
const others = ['ports', 'owner', 'group', 'domain'] as const;

const modeOf = (said: OneLine): (typeof modes)[number] | undefined => modes.find((one) => said[one] !== undefined);

/** It has ports, and does not say for whom. */
export const asksForTakers = (said: OneLine): boolean =>
  modeOf(said) !== undefined && said.ports !== undefined && said.owner === undefined && said.group === undefined;

/**
 * Undefined: nothing of a network is said.
 * @param takers who may take ports when nobody is named
 * @throws QrunError `usage` when a mode is missing
 */
export function renderOneLine(said: OneLine, takers: Takers = {}): string | undefined {
  const mode = modeOf(said);
  if (mode === undefined) {
    const word = [...others, 'dhcp', 'forward'].find((one) => isSaid(said[one as keyof OneLine]));
    if (word === undefined) return undefined;
    throw new QrunError('usage', `--${word} belongs to a network that is made on the spot: its mode is missing`, {
      hint: 'qrun net up lan --nat 10.66.0.1/24',
    });
  }
  const { ports, domain, dhcp, forward } = said;
  const { owner, group } = asksForTakers(said) ? takers : said;
  const keys: Readonly<Record<string, unknown>> = {
    forward: mode,
    addresses: said[mode]?.split(','),
    ports,
    owner,
    group,
    dhcp: dhcp ? true : undefined,
    dns: domain === undefined ? undefined : { domain },
    forwards: forward.length === 0 ? undefined : forward,
  };
  return Object.entries(keys)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}: ${JSON.stringify(value)}\n`]))
    .join('');
}

/** What is wrong with it, by the options that say it: nobody has the file. */
export function faultOfOneLine(error: QrunError, said: OneLine, file: string): QrunError {
  const { code, message, faults, causes } = error;
  if (!faults.some((fault) => fault.file === file)) {
    if (error.hint?.includes(file) !== true) return error;
    const option = optionNamed('addresses', said)?.split(' ')[0] ?? '';
    const hint = error.hint
      .replaceAll(` in ${file}`, '')
      .replace(/addresses: \[([^\]]*)\]/, (_all, list: string) => `${option} ${list.replaceAll(' ', '')}`);
    return new QrunError(code, message, { causes, hint });
  }
  const texts = faults.map(({ path, message }) => `${optionOf({ path }, said)}: ${withOptions(message, said)}`);
  const [first, ...more] = texts;
  if (first !== undefined && more.length === 0) return new QrunError(code, first, { hint });
  return new QrunError(code, `the command line is no valid network: it has ${texts.length} faults`, {
    causes: texts,
    hint,
  });
}

const hint = 'qrun net up --help';

function optionOf({ path }: Pick<Fault, 'path'>, said: OneLine): string {
  const key = /^\w+/.exec(path)?.[0] ?? '';
  if (key === 'forwards') {
    const written = said.forward[Number(/\d+/.exec(path)?.[0] ?? -1)];
    return written === undefined ? '--forward' : `--forward ${written}`;
  }
  return optionNamed(key, said) ?? 'the command line';
}

function optionNamed(key: string, said: OneLine): string | undefined {
  const mode = modeOf(said);
  switch (key) {
    case 'forward':
    case 'addresses':
      return `--${mode}${key === 'forward' ? '' : ` ${said[mode ?? 'nat']}`}`;
    case 'ports':
      return '-n';
    case 'dns':
      return '--domain';
    case 'forwards':
      return '--forward';
    case 'owner':
    case 'group':
    case 'dhcp':
      return `--${key}`;
    default:
      return undefined;
  }
}

/** Keys that a message tells to write. */
const withOptions = (message: string, said: OneLine): string =>
  message.replace(/"(ports|owner|group|forwards|dhcp)"/g, (quoted, key: string) => optionNamed(key, said) ?? quoted);

const isSaid = (value: unknown): boolean =>
  value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
