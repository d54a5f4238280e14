/** The start of a managed network in shell, by a shell of its own that has none of the script's locks. */
import path from 'node:path';
import type { NetworkScript } from '../network/network-script.ts';
import type { Action, Description, HostNetworkStep, PortStep, SpawnAction, Step } from '../plan/step.ts';
import { awaitFunction, lineOf } from './shell-action.ts';
import { checkLines, freePort, markedWord } from './shell-ports.ts';
import { keepLines } from './shell-sysctl.ts';
import { shellWord, shellWords } from '../shell-word.ts';

export interface TakeUpWith {
  readonly describe: (step: Step) => Description;
  readonly locks: readonly number[];
}

/** Lines of the script, to be run under the network's lock. What they have begun when one of them fails is given back by the network's release. */
export function takeUpLines(script: NetworkScript, { describe, locks }: TakeUpWith): readonly string[] {
  const { plan, mark, files } = script;
  const journal = shellWord(files.journal);
  const left = `an earlier run of network ${plan.network} left things behind; qrun gc gives them back`;
  return [
    `case $(head -n 1 -- ${journal} 2>/dev/null) in`,
    `  '' | *${shellWord(`"runId":"${mark}"`)}*) ;;`,
    `  *) fail 3 ${shellWord(left)} ;;`,
    'esac',
    '(',
    ...new TakeUp(script, describe).lines().map((line) => `  ${line}`),
    `) ${locks.map((fd) => `${fd}>&-`).join(' ')} || exit "$?"`,
  ];
}

/** A dollar sign in it is one. */
const isJson = '# shellcheck disable=SC2016';

class TakeUp {
  readonly #script: NetworkScript;
  readonly #describe: TakeUpWith['describe'];
  /** Texts for other shells, with the variable that holds each. */
  readonly #texts = new Map<string, string>();

  constructor(script: NetworkScript, describe: TakeUpWith['describe']) {
    this.#script = script;
    this.#describe = describe;
  }

  lines(): readonly string[] {
    const { plan, files } = this.#script;
    const ports = plan.steps.filter((step) => step.kind === 'port');
    const steps = plan.steps.filter((step) => step.kind !== 'port').flatMap((step) => this.#stepLines(step));
    return [
      'cd /',
      ...awaitFunction,
      `broken() { fail 3 ${shellWord(`network ${plan.network} could not be taken up`)}; }`,
      `private_directory ${shellWord(files.dir)}`,
      ...this.#tidyLines(),
      ...this.#portLines(ports),
      ...this.#journalLines(),
      ...[...this.#texts].map(([text, name]) => `${name}=$(cat <<'END'\n${text}\nEND\n)`),
      ...steps,
      ...this.#recordLines(),
      ...this.#tellLines(),
    ];
  }

  /** What a dead script of this network's left: its processes have the mark. */
  #tidyLines(): readonly string[] {
    const { mark, files } = this.#script;
    const { record, members, journal, runtimeDir } = files;
    return [
      `while marked=$(grep -lzxs -- ${shellWord(`QRUN_SERVICE=${mark}`)} /proc/[0-9]*/environ || :) && [ -n "$marked" ]; do`,
      '  for one in $marked; do',
      '    one=${one#/proc/}',
      '    kill -9 "${one%/environ}" 2>/dev/null || :',
      '  done',
      'done',
      `rm -rf -- ${shellWords([record, members, journal])}`,
      'tries=0',
      `while grep -Fqs -- ${shellWord(` ${runtimeDir}/`)} /proc/net/unix; do`,
      '  tries=$((tries + 1))',
      `  [ "$tries" -le 20 ] || fail 4 ${shellWord(`${runtimeDir} has the sockets of a network that runs`)}`,
      '  sleep 0.1',
      'done',
    ];
  }

  #portLines(ports: readonly PortStep[]): readonly string[] {
    const lines = ports.flatMap((step) => {
      if (step.port !== 'auto') return checkLines(step, step.port);
      const last = step.last === undefined ? '' : ` ${step.last}`;
      return [`${this.#variableOf(step.id)}=$(free_port ${step.protocol}${last}) || fail 4 'no port is free'`];
    });
    return ports.some(({ port }) => port === 'auto') ? [...freePort, ...lines] : lines;
  }

  #journalLines(): readonly string[] {
    const { plan, mark, files } = this.#script;
    const head = `{"v":1,"runId":"${mark}","bootId":"%s","vm":"${plan.network}","startedAt":"%s"}\\n`;
    const intents = plan.steps.map((intent) => this.#word(JSON.stringify({ intent })));
    const journal = shellWord(files.journal);
    return [
      'started_at=$(date -u +%Y-%m-%dT%H:%M:%S.000Z)',
      `printf ${shellWord(head)} "$boot_id" "$started_at" >${journal} || broken`,
      isJson,
      `printf '%s\\n' ${intents.join(' \\\n  ')} >>${journal} || broken`,
    ];
  }

  #stepLines(step: Step): readonly string[] {
    return [
      ...directoriesOf(step).map((directory) => `private_directory ${shellWord(directory)}`),
      ...(step.kind === 'directory' ? [`rm -rf -- ${shellWord(step.path)}`] : []),
      ...this.#ownLines(step),
      ...(step.kind === 'sysctl' ? keepLines(step) : []),
      ...this.#describe(step).acquire.map((action) =>
        step.kind === 'host-network' && 'op' in action && action.op === 'write' && action.path === step.path
          ? this.#entryLine(step)
          : this.#actionLine(action),
      ),
    ];
  }

  /** Where users look for it: whole or not at all, with what only the script knows, and for all to read. */
  #entryLine({ path: file, macs, network }: HostNetworkStep): string {
    const draft = shellWord(`${file}.new`);
    const rest = `",${JSON.stringify(network).slice(1)}`;
    const space = '"$(stat -Lc %i /proc/self/ns/net)"';
    const text = `'{"v":1,"bootId":"'"$boot_id"'","space":"'${space}'","startedAt":"'"$started_at"${this.#word(rest)}`;
    const kept = network.ports.flatMap(({ number, kept: keeper }) => (keeper ? [{ number, ...keeper }] : []));
    const lasting = JSON.stringify({ v: 1, macs: network.ports.map(({ mac }) => mac), kept });
    return [
      `{ [ -e ${shellWord(macs)} ] || { printf %s ${shellWord(lasting)} >${shellWord(macs)} && chmod 0644 ${shellWord(macs)}; }; }`,
      `printf %s ${text} >${draft}`,
      `chmod 0644 ${draft}`,
      `mv -f -- ${draft} ${shellWord(file)} || broken`,
    ].join(' && ');
  }

  /** What is of one network of the kernel's is given back there alone, and what another made under that name never. */
  #ownLines(step: Step): readonly string[] {
    if (step.kind !== 'link' && step.kind !== 'nft' && step.kind !== 'uplink') return [];
    const record = `{"record":${JSON.stringify(step.id)},"value":{"network":"%s"}}\\n`;
    const space = '"$(stat -Lc %i /proc/self/ns/net)"';
    return [
      ...(step.kind === 'link'
        ? [
            `[ ! -e ${shellWord(`/sys/class/net/${step.name}`)} ] || fail 4 ${shellWord(`there is an interface ${step.name} already`)}`,
          ]
        : []),
      `printf ${shellWord(record)} ${space} >>${shellWord(this.#script.files.journal)} || broken`,
    ];
  }

  #actionLine(action: Action): string {
    if ('op' in action && action.op === 'spawn') return this.#spawnLine(action);
    if ('op' in action && action.op === 'write')
      return `printf %s ${this.#word(action.content)} >${shellWord(action.path)} || broken`;
    return `${lineOf(action)} || broken`;
  }

  #spawnLine({ command, env, log }: SpawnAction): string {
    const variables = Object.entries(env ?? {}).map(([name, value]) => shellWord(`${name}=${value}`));
    const words = command.map((word) => (/[\n$`]/.test(word) ? `"$${this.#textOf(word)}"` : shellWord(word)));
    return `env ${variables.join(' ')} setsid ${words.join(' ')} </dev/null >>${shellWord(log)} 2>&1 &`;
  }

  #textOf(text: string): string {
    const name = this.#texts.get(text) ?? `script_${this.#texts.size}`;
    this.#texts.set(text, name);
    return name;
  }

  /** As the last: a network with a record is up. */
  #recordLines(): readonly string[] {
    const { record, files } = this.#script;
    const draft = `${files.record}.new`;
    const rest = `",${JSON.stringify(record).slice(1)}\n`;
    const text = `'{"bootId":"'"$boot_id"'","startedAt":"'"$started_at"${this.#word(rest)}`;
    return [
      `printf '%s\\n' '{"started":true}' >>${shellWord(files.journal)} || broken`,
      isJson,
      `printf %s ${text} >${shellWord(draft)} && mv -f -- ${shellWord(draft)} ${shellWord(files.record)} || broken`,
    ];
  }

  #tellLines(): readonly string[] {
    const { plan, autoPorts } = this.#script;
    return plan.forwards.flatMap(({ hostAddress, hostPort, guest, guestPort, protocol }) => {
      const id = Object.keys(autoPorts).find((one) => autoPorts[one] === hostPort);
      if (id === undefined) return [];
      const to = `port ${guestPort}/${protocol} of ${guest}`;
      return [
        `printf '%s\\n' "port $${this.#variableOf(id)} of ${hostAddress} is ${to} on network ${plan.network}" >&2 || :`,
      ];
    });
  }

  /** A word in which the ports are what the script has chosen. */
  #word(text: string): string {
    const { autoPorts } = this.#script;
    let marked = text;
    for (const [id, placeholder] of Object.entries(autoPorts))
      marked = marked.replaceAll(String(placeholder), `\0${this.#variableOf(id)}\0`);
    return markedWord(marked);
  }

  #variableOf(id: string): string {
    return `net_port_${Object.keys(this.#script.autoPorts).indexOf(id)}`;
  }
}

function directoriesOf(step: Step): string[] {
  if (step.kind === 'directory' || step.kind === 'file') return [path.dirname(step.path)];
  return step.kind === 'service' ? [path.dirname(step.log)] : [];
}
