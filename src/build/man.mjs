/**
 * `npm run man`: docs/qrun.1, from the command list, the keys in docs/profile.md and the text below. It is checked in, and a test holds it current.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadSource, root } from './load-source.mjs';
import { keySectionsOf } from './man-keys.mjs';

/** @typedef {import('../commands/command.ts').AnyCommand} AnyCommand */
/** @typedef {import('../commands/command.ts').ArgumentSpec} ArgumentSpec */

const file = path.join(root, 'docs/qrun.1');

/** Text that roff takes as it is. @param {string} text */
const plain = (text) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '\\&...')
    .replaceAll('“', '\\(lq')
    .replaceAll('”', '\\(rq')
    .replaceAll('’', '\\(cq')
    .replace(/^([.'])/gm, '\\&$1');

/** @param {string} text */
const bold = (text) => `\\fB${plain(text)}\\fR`;
/** @param {string} text */
const italic = (text) => `\\fI${plain(text)}\\fR`;

/** @param {string} title @param {readonly string[]} lines */
const section = (title, lines) => [`.SH ${title}`, ...lines];

/** @param {readonly (readonly [string, string])[]} entries */
const definitions = (entries) => entries.flatMap(([term, text]) => ['.TP', term, text]);

/** @param {string} name */
const flagOf = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** @param {string} name @param {ArgumentSpec} spec */
function optionTerm(name, spec) {
  if (spec.as !== 'option') return bold(name);
  const short = spec.short === undefined ? '' : `${bold(`-${spec.short}`)}, `;
  const value = spec.type === 'boolean' ? '' : ` ${italic(spec.label)}`;
  return `${short}${bold(`--${flagOf(name)}`)}${value}`;
}

/** @param {AnyCommand} command */
function synopsisOf(command) {
  const specs = Object.entries(command.arguments);
  const positionals = specs.flatMap(([, spec]) => {
    if (spec.as !== 'positional') return [];
    const label = italic(spec.type === 'strings' ? `${spec.label}…` : spec.label);
    return [spec.required ? label : `[${label}]`];
  });
  const options = specs.flatMap(([name, spec]) =>
    spec.as === 'option' ? [`[${optionTerm(name, { ...spec, short: undefined })}]`] : [],
  );
  const rest = specs.flatMap(([, spec]) => (spec.as === 'rest' ? [`[${bold('--')} ${italic(spec.label)}]`] : []));
  return [bold(`qrun ${command.name}`), ...positionals, ...options, ...rest].join(' ');
}

/** @param {AnyCommand} command */
function describeCommand(command) {
  const specs = Object.entries(command.arguments);
  const entries = specs.map(
    ([name, spec]) =>
      /** @type {const} */ ([
        spec.as === 'option' ? optionTerm(name, spec) : italic(spec.label),
        sentence(spec.summary),
      ]),
  );
  const examples = definitions(command.examples.map(({ line, means }) => [bold(`qrun ${line}`), sentence(means)]));
  return [
    `.SS ${plain(command.name)}`,
    synopsisOf(command),
    '.PP',
    sentence(command.summary),
    ...(command.name === 'run'
      ? [`${bold('qrun run')} may be left out, unless the profile is called like a command.`]
      : []),
    ...definitions(entries),
    ...(examples.length > 0 ? ['.PP', 'For example:', ...examples] : []),
  ];
}

/** @param {string} text */
const sentence = (text) => plain(`${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`);

/** @param {string} text A literal block. */
const block = (text) => ['.PP', '.RS 4', '.nf', ...text.split('\n').map(plain), '.fi', '.RE'];

const exitStatus = /** @type {const} */ ([
  ['0', 'done; the guest powered off or was stopped'],
  ['1', 'QEMU failed or crashed, or the guest did'],
  ['2', 'wrong usage, an unknown name, a faulty profile'],
  ['3', 'the host cannot: a tool, a permission or a feature of the kernel is missing'],
  ['4', 'in use: the VM runs already, or a port is taken'],
  ['5', 'done, but something was left behind'],
  ['70', 'a bug in qrun'],
  ['128+n', 'qrun was ended by signal n, after it had powered the guest down'],
]);

const environment = /** @type {const} */ ([
  ['QRUN_CONFIG_DIR', 'where profiles and networks are, in place of both directories below'],
  ['QRUN_STATE_DIR', 'addresses, locks, journals and logs'],
  ['QRUN_RUNTIME_DIR', 'sockets'],
  ['QRUN_CACHE_DIR', 'what can be found out anew'],
  ['QRUN_QEMU', 'another QEMU'],
  ['QRUN_DEBUG', 'if set, the stack of an error is shown'],
  ['NO_COLOR', 'if set, there is no colour'],
  ['VISUAL, EDITOR', 'the editor of qrun edit'],
]);

const files = /** @type {const} */ ([
  ['~/.config/qrun/profiles/NAME.yaml, /etc/qrun/profiles/NAME.yaml', 'profiles; for root only the second'],
  ['~/.config/qrun/networks/NAME.yaml, /etc/qrun/networks/NAME.yaml', 'networks; for root only the second'],
  ['~/.config/qrun/labs/NAME.yaml, /etc/qrun/labs/NAME.yaml', 'labs; for root only the second'],
  ['~/.local/state/qrun, /var/lib/qrun', 'state of an ordinary user, and of root'],
  ['$XDG_RUNTIME_DIR/qrun, /run/qrun', 'sockets of an ordinary user, and of root'],
  ['~/.cache/qrun, /var/cache/qrun', 'caches of an ordinary user, and of root'],
  [
    '$(npm root -g)/qrun/README.md, docs/',
    'where the package was installed by npm: all that is told of it, keys of networks and labs too',
  ],
]);

const profile = `description: web server
memory: 1G
cpus: 2
disks:
  - file: web1.qcow2
    size: 20G
cdrom: debian.iso
nics:
  - kind: user
    forwards: ["127.0.0.1:10022:22", "8080:80"]`;

/** What a key takes, and what it is without it. @param {import('./man-keys.mjs').Key} key */
function describeKey({ value, usual, meaning }) {
  const without = usual === undefined ? '' : usual === 'required' ? ' (required)' : ` (default: ${usual})`;
  const what = meaning === '' ? '' : `: ${meaning.replace(/\.$/, '')}`;
  return plain(`${value}${without}${what}.`);
}

/** @param {import('./man-keys.mjs').KeySection} section */
const describeKeys = ({ title, about, keys }) => [
  `.SS ${plain(title)}`,
  ...(about === '' ? [] : [plain(about)]),
  ...definitions(keys.map((key) => [bold(key.key), describeKey(key)])),
];

/** @param {string} version @param {readonly AnyCommand[]} commands @param {Readonly<Record<string, ArgumentSpec>>} globalOptions */
function renderMan(version, commands, globalOptions) {
  const shown = commands.filter(({ hidden }) => hidden !== true);
  return [
    `.\\" Made by src/build/man.mjs from the command list: change that, then npm run man`,
    `.TH QRUN 1 "" "qrun ${version}" "User Commands"`,
    ...section('NAME', ['qrun \\- run QEMU virtual machines from YAML profiles']),
    ...section('SYNOPSIS', [
      `${bold('qrun')} ${italic('NAME…')} [${bold('-d')}] [${bold('--')} ${italic('QEMU-ARGS')}]`,
      '.br',
      `${bold('qrun')} ${italic('COMMAND')} [${italic('ARGUMENT…')}]`,
    ]),
    ...section('DESCRIPTION', [
      plain(
        'A profile says in a few lines what a virtual machine is. qrun checks it, plans the run, takes what the run needs, starts QEMU, and',
      ),
      plain(
        'gives everything back when the guest has ended, however it ended. Each network interface gets a MAC address of its own and keeps it.',
      ),
      '.PP',
      plain(
        'One VM in the foreground has your terminal as its serial console: Ctrl-] leaves it, and the VM lives on. Several VMs, and those',
      ),
      plain('started with -d, run on their own.'),
    ]),
    ...section('PROFILES', [
      plain('A profile is a YAML file. Everything in it may be left out.'),
      ...block(profile),
      '.PP',
      plain(
        'The JSON Schema in the package makes editors complete and check it; qrun new writes a commented one. Paths are relative to',
      ),
      plain('the profile. All keys stand below, behind the commands.'),
    ]),
    ...section('COMMANDS', shown.flatMap(describeCommand)),
    ...section(
      'OPTIONS OF EVERY COMMAND',
      definitions(
        Object.entries(globalOptions).map(([name, spec]) => [optionTerm(name, spec), sentence(spec.summary)]),
      ),
    ),
    ...section('KEYS OF A PROFILE', [
      plain('A key of a list has [], one of a map has a dot. What is not said to be required may be left out.'),
      ...keySectionsOf(readFileSync(path.join(root, 'docs/profile.md'), 'utf8')).flatMap(describeKeys),
    ]),
    ...section('EXIT STATUS', definitions(exitStatus.map(([status, text]) => [bold(status), sentence(text)]))),
    ...section('ENVIRONMENT', definitions(environment.map(([name, text]) => [bold(name), sentence(text)]))),
    ...section('FILES', definitions(files.map(([name, text]) => [italic(name), sentence(text)]))),
    ...section('SEE ALSO', [`${bold('qemu-system-x86_64')}(1), ${bold('qemu-img')}(1)`]),
    '',
  ].join('\n');
}

const { commands, globalOptions } = /** @type {typeof import('../commands/list.ts')} */ (
  await loadSource('src/commands/list.ts')
);
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const text = renderMan(version, commands, globalOptions);
if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    console.error('docs/qrun.1 is not current: npm run man');
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, text);
}
