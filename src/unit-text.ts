/** The text of a unit for systemd that starts a network or a VM, and how units are named and their words written. Pure. */

export type UnitKind = 'net' | 'vm';

/** What a unit of qrun's says of itself, in its second line. */
export interface UnitHead {
  readonly kind: UnitKind;
  readonly name: string;
  /** Of whose network or VM: units of another STATE are not ours. */
  readonly state: string;
  readonly node: string;
  readonly qrun: string;
}

export interface UnitInput extends UnitHead {
  /** system: root's. user: of the user's own systemd, which begins with the first login, or with the host for whoever lingers. */
  readonly manager: 'system' | 'user';
  /** Names a network card, or an address of one. */
  readonly needsHost: boolean;
  /** Networks that a VM is on. */
  readonly networks: readonly string[];
  /** Set for the commands. */
  readonly env: Readonly<Record<string, string>>;
  /** Directories that must be mounted. */
  readonly directories: readonly string[];
  /** Of a VM: how long its guest has to power itself down. */
  readonly shutdownS?: number;
}

const unitMark =
  '# Written by qrun autostart; `qrun autostart NAME --off` and `qrun net autostart NAME --off` remove it.';

const validInName = /[A-Za-z0-9:_.]/;

/** As `systemd-escape` does it: `-` stands for a slash, all else that a name cannot have for its bytes, and a dot at the beginning too. */
export function escapeForUnit(text: string): string {
  const escaped = [...Buffer.from(text)].map((byte, at) => {
    const one = String.fromCharCode(byte);
    if (one === '/') return '-';
    return validInName.test(one) && !(at === 0 && one === '.') ? one : `\\x${byte.toString(16).padStart(2, '0')}`;
  });
  return escaped.join('');
}

export const unitNameOf = (kind: UnitKind, name: string): string => `qrun-${kind}-${escapeForUnit(name)}.service`;

/** One word of a unit: in quotes where it must be; `%` begins a specifier everywhere. */
export function unitWord(text: string): string {
  if (/^[A-Za-z0-9_@+=:,./-]+$/.test(text)) return text;
  const escaped = text
    .replaceAll(/["\\]/g, String.raw`\$&`)
    .replaceAll('%', '%%')
    .replaceAll(/\p{Cc}/gu, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `"${escaped}"`;
}

// oxlint-disable-next-line no-control-regex -- those are what is looked for
const control = /[\u0000-\u001f\u007f-\u009f]/;

/** Why systemd would not take a unit of that, however it is written; undefined: it does. */
export function faultOfUnit({ node, env }: Pick<UnitInput, 'node' | 'env'>): string | undefined {
  if (control.test(node) || /["'\\]/.test(node))
    return `systemd starts no program whose path has quotes, backslashes or control characters: ${JSON.stringify(node)}`;
  const [name] = Object.entries(env).find(([, value]) => control.test(value)) ?? [];
  return name === undefined ? undefined : `systemd sets no variable to a text with control characters: ${name}`;
}

/** A command; the program itself is not searched for variables. */
const execLine = ([program = '', ...args]: readonly string[]): string =>
  [unitWord(program), ...args.map((arg) => unitWord(arg).replaceAll('$', '$$$$'))].join(' ');

export function renderUnit(input: UnitInput): string {
  const { kind, name, node, qrun, manager, env } = input;
  const command = (...words: readonly string[]): string => execLine([node, qrun, ...words]);
  const lines = [
    unitMark,
    renderHead(input),
    '',
    '[Unit]',
    `Description=${kind === 'net' ? 'Network' : 'VM'} ${name} (qrun)`,
    ...orderLines(input),
    '',
    '[Service]',
    ...(kind === 'net' ? networkLines(command, name) : vmLines(command, input)),
    // else the journal calls it node
    'SyslogIdentifier=qrun',
    ...Object.entries(env).map(([key, value]) => `Environment=${unitWord(`${key}=${value}`)}`),
    '',
    '[Install]',
    `WantedBy=${targetOf(manager)}`,
  ];
  return `${lines.join('\n')}\n`;
}

export const targetOf = (manager: UnitInput['manager']): string =>
  manager === 'system' ? 'multi-user.target' : 'default.target';

/** What stays of a network are programs without a main one, and its rules: it is up until it is taken down. */
const networkLines = (command: (...words: string[]) => string, name: string): string[] => [
  'Type=oneshot',
  'RemainAfterExit=yes',
  `ExecStart=${command('net', 'up', name)}`,
  `ExecStop=${command('net', 'down', name)}`,
  // a guest that is on it keeps what it needs
  'KillMode=process',
  'TimeoutStartSec=5min',
  'TimeoutStopSec=2min',
  // a host that starts everything at once may have no time for nft; what a definition says is not another thing a moment later, though
  ...retryLines,
  'RestartPreventExitStatus=2',
];

/** Active for as long as something of it runs; its end is told by qrun, and by nobody else. */
function vmLines(command: (...words: string[]) => string, { name, shutdownS = 60, ...input }: UnitInput): string[] {
  return [
    'Type=forking',
    'GuessMainPID=no',
    `ExecStart=${command('run', '-d', name)}`,
    `ExecStop=${command('stop', name)}`,
    // a network that it brought up may have other guests by now
    'KillMode=process',
    'TimeoutStartSec=5min',
    `TimeoutStopSec=${shutdownS + extraStopS}s`,
    // whatever it ended with: of a command that is not the main process systemd does not look at the status
    ...(waitsForNetworks(input) ? retryLines : []),
  ];
}

const retryLines = ['Restart=on-failure', 'RestartSec=10s'];

/** The rungs above the guest's own time. */
const extraStopS = 60;

/**
 * It is tried again for some minutes: networks are tried again themselves, and a VM that comes after one that failed comes at once; and nothing tells a
 * user's systemd when what is the host's is there.
 */
const waitsForNetworks = ({
  manager,
  needsHost,
  networks,
}: Pick<UnitInput, 'manager' | 'needsHost' | 'networks'>): boolean =>
  networks.length > 0 || (manager === 'user' && needsHost);

/** Whoever empties all rules when it starts has done so. */
const firewalls = ['nftables.service', 'firewalld.service', 'ufw.service', 'docker.service'];

function orderLines(input: UnitInput): string[] {
  const { kind, manager, needsHost, directories } = input;
  const networks = input.networks.map((network) => unitNameOf('net', network));
  const online = manager === 'system' && needsHost ? ['network-online.target'] : [];
  const after = [
    ...(manager === 'system' ? ['network.target', ...online] : []),
    ...(manager === 'system' && kind === 'net' ? firewalls : []),
    ...networks,
  ];
  const wants = [...online, ...networks];
  return [
    ...(after.length > 0 ? [`After=${after.join(' ')}`] : []),
    ...(wants.length > 0 ? [`Wants=${wants.join(' ')}`] : []),
    ...(manager === 'system' ? mountLines(directories) : []),
    ...(kind === 'net' ? ['StartLimitIntervalSec=5min', 'StartLimitBurst=10'] : []),
    ...(kind === 'vm' && waitsForNetworks(input) ? ['StartLimitIntervalSec=10min', 'StartLimitBurst=24'] : []),
  ];
}

/** Backslashes mean nothing in this one: what would need one is left out. */
function mountLines(directories: readonly string[]): string[] {
  const plain = [...new Set(directories)].filter((one) => !control.test(one) && !/["'\\]/.test(one));
  return plain.length === 0 ? [] : [`RequiresMountsFor=${plain.map(unitWord).join(' ')}`];
}

const renderHead = ({ kind, name, state, node, qrun }: UnitHead): string =>
  `# ${JSON.stringify({ kind, name, state, node, qrun })}`;

/** Undefined: it is no unit of qrun's. */
export function parseUnitHead(text: string): UnitHead | undefined {
  const [mark, head = ''] = text.split('\n', 2);
  if (mark !== unitMark || !head.startsWith('# {')) return undefined;
  try {
    const { kind, name, state, node, qrun } = JSON.parse(head.slice(2)) as Readonly<Record<string, unknown>>;
    const words = [name, state, node, qrun].every((one) => typeof one === 'string');
    return words && (kind === 'net' || kind === 'vm') ? ({ kind, name, state, node, qrun } as UnitHead) : undefined;
  } catch {
    return undefined;
  }
}
