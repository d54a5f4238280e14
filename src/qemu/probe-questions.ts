/** The questions to a QEMU binary, and how its answers become capabilities. The parsing is pure. */
import { QrunError } from '../errors.ts';
import type { RunOptions, RunResult } from '../system/system.ts';
import { isObject, parseQmpMessage, type QmpMessage } from '../qmp/message.ts';
import { shellWord } from '../shell-word.ts';
import type { QemuCapabilities } from './capabilities.ts';
import { parseQemuFailure } from './failure.ts';

/** Option groups whose members somebody asks for. */
const interestingGroups = ['run-with', 'sandbox', 'chardev', 'smp-opts', 'action', 'boot-opts'];

const quick: readonly Question[] = [
  { execute: 'qmp_capabilities' },
  { execute: 'query-qmp-schema', id: 'schema' },
  { execute: 'query-command-line-options', id: 'options' },
  { execute: 'query-machines', id: 'machines' },
];
/** The last: it makes QEMU load all its modules, and a module that does not fit ends it. */
const listDevices: Question = {
  execute: 'qom-list-types',
  id: 'devices',
  arguments: { implements: 'device', abstract: false },
};

const bare = ['-M', 'none', '-nodefaults', '-no-user-config', '-display', 'none'];

interface Question {
  readonly execute: string;
  readonly id?: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
}

/** Runs the binary with these arguments, to its end. */
export type Asker = (
  args: readonly string[],
  input?: Required<Pick<RunOptions, 'stdin' | 'lastInput'>>,
) => Promise<RunResult>;

/** @throws QrunError `qemu-failed`, and what `ask` throws */
export async function askCapabilities(
  ask: Asker,
  { file, realFile }: { readonly file: string; readonly realFile: string },
): Promise<QemuCapabilities> {
  const [qmp, netdevs, accelerators, help] = await Promise.all([
    askMonitor(ask, [...quick, listDevices]),
    ask(['-M', 'none', '-netdev', 'help']),
    ask(['-accel', 'help']),
    ask(['-help']),
  ]);
  // one that was ended by a module takes answers along that nobody had read yet
  const answers = parseAnswers(qmp.stdout) ?? parseAnswers((await askMonitor(ask, quick)).stdout);
  if (answers === undefined) throw noAnswer(file, qmp);
  const bridgeHelper = parseBridgeHelper(help.stdout);
  return {
    v: 1,
    file,
    realFile,
    ...answers,
    netdevTypes: parseNameLines(netdevs.stdout),
    accelerators: parseNameLines(accelerators.stdout),
    ...(bridgeHelper !== undefined && { bridgeHelper }),
  };
}

/** QEMU ends at once when it is told to, and what nobody has read by then is lost: so it is told after its last answer. */
function askMonitor(ask: Asker, questions: readonly Question[]): Promise<RunResult> {
  const line = (question: Question): string => `${JSON.stringify(question)}\n`;
  return ask([...bare, '-S', '-qmp', 'stdio'], {
    stdin: questions.map(line).join(''),
    lastInput: { after: new RegExp(`"id": ?"${questions.at(-1)?.id ?? ''}"`), text: line({ execute: 'quit' }) },
  });
}

function noAnswer(
  file: string,
  { status, stdout, stderr }: { status: number; stdout: string; stderr: string },
): QrunError {
  const words = parseQemuFailure(stderr)?.line ?? stderr.trim().split('\n').at(-1) ?? '';
  const began = stdout.includes('"QMP"');
  return new QrunError(
    'qemu-failed',
    `${file} ${began ? 'did not say what it can do' : 'does not behave like a QEMU'}`,
    {
      hint: `try: ${shellWord(file)} --version`,
      causes: [`it ended with status ${status}`, ...(words === '' ? [] : [words.slice(0, 300)])],
    },
  );
}

type Answers = Omit<QemuCapabilities, 'v' | 'file' | 'realFile' | 'netdevTypes' | 'accelerators' | 'bridgeHelper'>;

/** Undefined unless the greeting and every answer that cannot be done without is there. */
export function parseAnswers(stdout: string): Answers | undefined {
  const messages = stdout.split('\n').flatMap((line) => parseQmpMessage(line.trim()) ?? []);
  const greeting = messages.find((message) => message.kind === 'greeting');
  const schema = answerTo(messages, 'schema');
  const options = answerTo(messages, 'options');
  const listed = answerTo(messages, 'machines');
  if (greeting === undefined || [schema, options, listed].some(({ length }) => length === 0)) return undefined;
  const machines = listed.flatMap((machine) => [...text(machine, 'name'), ...text(machine, 'alias')]);
  return {
    version: greeting.version,
    package: greeting.package,
    netdevMembers: netdevMembers(schema),
    options: sorted(options.flatMap((option) => text(option, 'option')).filter((name) => name !== '')),
    optionMembers: optionMembers(options),
    devices: sorted(names(answerTo(messages, 'devices')).filter((name) => !name.endsWith('-cpu'))),
    machines: sorted(machines.filter((name) => name !== 'none')),
  };
}

type Answer = Readonly<Record<string, unknown>>;

function answerTo(messages: readonly QmpMessage[], id: string): Answer[] {
  const found = messages.find((message) => message.kind === 'return' && message.id === id);
  const value = found?.kind === 'return' ? found.value : [];
  return Array.isArray(value) ? value.filter((item: unknown) => isObject(item)) : [];
}

/** The schema's types have numbers for names: the way goes from the command netdev_add to the members of each branch. */
function netdevMembers(schema: readonly Answer[]): Record<string, string[]> {
  const byName = new Map(schema.map((entry) => [entry['name'], entry]));
  const command = byName.get('netdev_add');
  const union = byName.get(command?.['arg-type']);
  const members: Record<string, string[]> = {};
  for (const variant of objects(union?.['variants'])) {
    const branch = byName.get(variant['type']);
    const [name] = text(variant, 'case');
    if (name !== undefined) members[name] = sorted(names(objects(branch?.['members'])));
  }
  return members;
}

function optionMembers(options: readonly Answer[]): Record<string, string[]> {
  const members: Record<string, string[]> = {};
  for (const option of options) {
    const [name] = text(option, 'option');
    if (name !== undefined && interestingGroups.includes(name))
      members[name] = sorted(names(objects(option['parameters'])));
  }
  return members;
}

/** What `-netdev help` and `-accel help` list under their heading. */
export function parseNameLines(stdout: string): string[] {
  return sorted(stdout.split('\n').filter((line) => /^[a-z][a-z0-9-]*$/.test(line)));
}

export function parseBridgeHelper(help: string): string | undefined {
  return /default=(\/[^)'\s]*qemu-bridge-helper)/.exec(help)?.[1];
}

function objects(value: unknown): Answer[] {
  return Array.isArray(value) ? value.filter((item: unknown) => isObject(item)) : [];
}

function names(entries: readonly Answer[]): string[] {
  return entries.flatMap((entry) => text(entry, 'name'));
}

function text(entry: Answer, key: string): string[] {
  const value = entry[key];
  return typeof value === 'string' ? [value] : [];
}

function sorted(list: readonly string[]): string[] {
  return [...new Set(list)].toSorted();
}
