/**
 * Host ports in a script: a fixed one is looked for among the sockets of the host, an `auto` one is chosen when the script runs, and put into QEMU's
 * arguments where the plan has port 0.
 */
import { isIPv4 } from 'node:net';
import type { LaunchPlan, PlannedForward } from '../plan/launch-plan.ts';
import type { PortStep } from '../plan/step.ts';
import { shellWord } from '../shell-word.ts';

const anyIpv4 = '00000000';
const anyIpv6 = '0'.repeat(32);

interface AutoPort {
  readonly variable: string;
  readonly forward: PlannedForward;
}

export class AutoPorts {
  readonly #ports: readonly AutoPort[];
  #toldFunction = false;

  constructor({ nics }: Pick<LaunchPlan, 'nics'>) {
    this.#ports = nics
      .flatMap(({ forwards }) => forwards ?? [])
      .filter(({ hostPort }) => hostPort === 'auto')
      .map((forward, index) => ({ variable: `port_${index}`, forward }));
  }

  acquire(step: PortStep): readonly string[] {
    if (step.port !== 'auto') return checkLines(step, step.port);
    const variable = this.#ports.find(({ forward }) => forward.step === step.id)?.variable;
    if (variable === undefined) return [];
    const definition = this.#toldFunction ? [] : freePort;
    this.#toldFunction = true;
    const last = step.last === undefined ? '' : ` ${step.last}`;
    return [...definition, `${variable}=$(free_port ${step.protocol}${last}) || fail 4 'no port is free'`];
  }

  /** Puts a mark (a NUL can be in no argument) where the number of the port belongs, in the words of user networking or of passt. */
  mark(argv: readonly string[]): readonly string[] {
    const marked = [...argv];
    for (const { variable, forward } of this.#ports) {
      const { protocol, hostAddress, guestPort } = forward;
      for (const [front, back] of [
        [`${protocol}:${hostAddress}:`, '-'],
        [`${hostAddress}/`, `:${guestPort}`],
      ] as const) {
        const index = marked.findIndex((word) => word.includes(`${front}0${back}`));
        const word = marked[index];
        if (word !== undefined)
          marked[index] = word.replace(`${front}0${back}`, () => `${front}\0${variable}\0${back}`);
      }
    }
    return marked;
  }

  /** The mark of one port, for whoever puts his words together himself. */
  marked(step: string): string {
    const variable = this.#ports.find(({ forward }) => forward.step === step)?.variable;
    return variable === undefined ? '0' : `\0${variable}\0`;
  }

  /** A word of the script from a marked one. */
  readonly word = markedWord;

  /** Says which ports were chosen. */
  tell(): string {
    return this.#ports
      .map(({ variable, forward: { hostAddress, guestPort, protocol } }) => {
        return `printf '%s\\n' "port $${variable} of ${hostAddress} is port ${guestPort}/${protocol} of the guest" >&2 || :\n`;
      })
      .join('');
  }
}

/** What stands between two NULs is the name of a variable. */
export function markedWord(marked: string): string {
  const words = marked.split('\0').map((part, index) => {
    if (index % 2 === 1) return `"$${part}"`;
    return part === '' ? '' : shellWord(part);
  });
  return words.join('') || "''";
}

/** The function of the script's that finds one. */
export const freePort: readonly string[] = [
  'free_port() { # PROTOCOL [LAST]: a port that no socket of the host has',
  '  sockets=$(cat "/proc/net/$1" "/proc/net/${1}6" 2>/dev/null)',
  '  for port in ${2:-} $(shuf -n 100 -i 32768-60999); do',
  '    case $sockets in',
  `      *":$(printf %04X "$port") "*) ;;`,
  `      *) printf '%s\\n' "$port" && return ;;`,
  '    esac',
  '  done',
  '  return 1',
  '}',
];

/** https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt: 0A is a TCP socket that listens. */
export function checkLines({ protocol, address }: PortStep, port: number): readonly string[] {
  if (!isIPv4(address)) return [];
  const wanted = littleEndian(address);
  const own = wanted === anyIpv4 ? '[0-9A-F]{8}|[0-9A-F]{32}' : `${wanted}|${anyIpv4}|${anyIpv6}`;
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const pattern = `: (${own}):${hex} [0-9A-F:]+ ${protocol === 'tcp' ? '0A' : '07'} `;
  const message = `${protocol} port ${port} on ${address} is in use`;
  return [
    `! grep -Eqs ${shellWord(pattern)} /proc/net/${protocol} /proc/net/${protocol}6 || fail 4 ${shellWord(message)}`,
  ];
}

const littleEndian = (address: string): string =>
  address
    .split('.')
    .toReversed()
    .map((octet) => Number(octet).toString(16).toUpperCase().padStart(2, '0'))
    .join('');
