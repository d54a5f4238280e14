/** ABUSE 59: what qrun foretells of a bridge.conf, and what the real helper does with it. Neither is asked what the other says. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { predictBridgeConf, type BridgeVerdict } from '../../src/host/bridge-conf.ts';
import { confReader } from '../../src/host/bridge-conf-file.ts';
import { createHome, testFacts } from '../harness/harness.ts';
import { createBridgeHost, helperFile, type BridgeHost } from './a-bridge-host.ts';

type Told = 'allowed' | 'denied' | 'unread';

/** Allowed, it gets as far as the socket that it has not got, or the bridge that is not there. */
function toldBy(stderr: string): Told {
  if (stderr.includes('failed to parse default acl file')) return 'unread';
  if (stderr.includes('access denied by acl file')) return 'denied';
  if (/failed to (write fd to unix socket|get mtu of bridge)/.test(stderr)) return 'allowed';
  throw new Error(stderr);
}

const toldOf = ({ verdict }: BridgeVerdict): Told =>
  verdict === 'allowed' || verdict === 'denied' ? verdict : 'unread';

interface Row {
  readonly what: string;
  /** null: no file. */
  readonly conf: string | null;
  readonly told: Told;
  readonly files?: Readonly<Record<string, string>>;
  readonly bridge?: string;
}

const name16 = 'abcdefghijklmnop';
const name15 = name16.slice(1);
const include = (name: string): string => `include /etc/qemu/${name}\n`;

/** FACTS C.9 and what lies around it. */
const rows: readonly Row[] = [
  { what: 'no file', conf: null, told: 'unread' },
  { what: 'an empty file', conf: '', told: 'denied' },
  { what: 'allow', conf: 'allow br0\n', told: 'allowed' },
  { what: 'no newline at the end', conf: 'allow br0', told: 'allowed' },
  { what: 'CRLF', conf: 'allow br0\r\n', told: 'allowed' },
  { what: 'one tab', conf: 'allow\tbr0\n', told: 'allowed' },
  { what: 'two tabs', conf: 'allow\t\tbr0\n', told: 'allowed' },
  { what: 'a tab, and a blank behind', conf: 'allow\tbr0 \n', told: 'unread' },
  { what: 'a blank, and a tab behind', conf: 'allow br0\t\n', told: 'allowed' },
  { what: 'a blank and a tab', conf: 'allow \tbr0\n', told: 'allowed' },
  { what: 'a tab and a blank', conf: 'allow\t br0\n', told: 'unread' },
  { what: 'many blanks', conf: '   allow    br0   \n', told: 'allowed' },
  { what: 'a comment behind', conf: 'allow br0 # x\n', told: 'denied' },
  { what: 'a comment behind, beside a good line', conf: 'allow br0 # x\nallow br0\n', told: 'allowed' },
  { what: 'a comment', conf: '# x\nallow br0\n', told: 'allowed' },
  { what: 'a comment that is set off', conf: '  #allow br1\n\n\nallow br0\n', told: 'allowed' },
  { what: 'deny before allow', conf: 'deny br0\nallow br0\n', told: 'denied' },
  { what: 'deny after allow', conf: 'allow br0\ndeny br0\n', told: 'denied' },
  { what: 'deny all', conf: 'allow br0\ndeny all\n', told: 'denied' },
  { what: 'deny another', conf: 'allow br0\ndeny br1\n', told: 'allowed' },
  { what: 'allow all', conf: 'allow all\n', told: 'allowed' },
  { what: 'allow all, deny this', conf: 'allow all\ndeny br0\n', told: 'denied' },
  { what: 'allow another', conf: 'allow br1\n', told: 'denied' },
  { what: 'a name of 15 bytes', conf: `allow ${name15}\nallow br0\n`, told: 'allowed' },
  { what: 'a name of 16 bytes', conf: `allow ${name16}\nallow br0\n`, told: 'unread' },
  { what: 'a name of 16 bytes behind', conf: `allow br0\nallow ${name16}\n`, told: 'unread' },
  { what: 'a name of 16 bytes that is denied', conf: `allow br0\ndeny ${name16}\n`, told: 'unread' },
  { what: 'a long comment behind a rule', conf: 'allow br1 # the lab of the third floor\nallow br0\n', told: 'unread' },
  { what: 'no argument', conf: 'allow br0\nallow\n', told: 'unread' },
  { what: 'no argument but a blank', conf: 'allow br0\nallow \n', told: 'allowed' },
  { what: 'no argument at the end of the file', conf: 'allow br0\nallow', told: 'unread' },
  { what: 'upper case', conf: 'ALLOW br0\n', told: 'unread' },
  { what: 'a name in upper case', conf: 'allow BR0\n', told: 'denied' },
  { what: 'an unknown command', conf: 'allow br0\nbogus br0\n', told: 'unread' },
  { what: 'a pattern', conf: 'allow br*\n', told: 'denied' },
  { what: 'a list with blanks', conf: 'allow br0 br1\n', told: 'denied' },
  { what: 'a list with commas', conf: 'allow br0,br1\n', told: 'denied' },
  { what: 'an equals sign', conf: 'allow=br0\n', told: 'unread' },
  { what: 'quotes', conf: 'allow "br0"\n', told: 'denied' },
  { what: 'a vertical tab', conf: '\vallow br0\n', told: 'unread' },
  { what: 'a vertical tab behind', conf: 'allow br0\v\n', told: 'denied' },
  { what: 'a form feed', conf: '\fallow br0\f\n', told: 'allowed' },
  { what: 'a byte order mark', conf: '\u00ef\u00bb\u00bfallow br0\n', told: 'unread' },
  { what: 'a zero byte behind the name', conf: 'allow br0\0x\n', told: 'allowed' },
  { what: 'a zero byte at the beginning', conf: '\0bogus\nallow br0\n', told: 'allowed' },
  { what: 'a zero byte in the command', conf: 'al\0low br0\n', told: 'unread' },
  { what: 'a comment that is longer than a line may be', conf: `#${'x'.repeat(4094)}allow br0\n`, told: 'allowed' },
  { what: 'a comment of just the length', conf: `#${'x'.repeat(4093)}\nallow br0\n`, told: 'allowed' },
  { what: 'a comment that is one too long', conf: `#${'x'.repeat(4094)}\nallow br0\n`, told: 'allowed' },
  { what: 'a name behind 4095 blanks', conf: `${' '.repeat(4095)}allow br0\n`, told: 'allowed' },
  { what: 'a command that is cut', conf: `${' '.repeat(4092)}allow br0\n`, told: 'unread' },
  { what: 'a bridge that is called all', conf: 'allow all\n', told: 'allowed', bridge: 'all' },
  { what: 'bytes that are no text', conf: 'allow \u00ff\u00fe\nallow br0\n', told: 'allowed' },
  { what: 'an include', conf: include('more.conf'), told: 'allowed', files: { 'more.conf': 'allow br0\n' } },
  {
    what: 'an include that denies',
    conf: `allow br0\n${include('more.conf')}`,
    told: 'denied',
    files: { 'more.conf': 'deny br0' },
  },
  { what: 'an include that is missing', conf: `${include('gone.conf')}allow br0\n`, told: 'allowed' },
  { what: 'an include that is all there is, and missing', conf: include('gone.conf'), told: 'denied' },
  {
    what: 'an include with a bad line behind',
    conf: include('more.conf'),
    told: 'allowed',
    files: { 'more.conf': 'allow br0\nbogus\n' },
  },
  {
    what: 'an include with a bad line before',
    conf: include('more.conf'),
    told: 'denied',
    files: { 'more.conf': 'bogus\nallow br0\n' },
  },
  {
    what: 'a bad include before a good line',
    conf: `${include('more.conf')}allow br0\n`,
    told: 'allowed',
    files: { 'more.conf': `allow ${name16}` },
  },
  {
    what: 'an include in an include',
    conf: include('more.conf'),
    told: 'allowed',
    files: { 'more.conf': include('most.conf'), 'most.conf': 'allow br0' },
  },
  {
    what: 'an include with a long name',
    conf: include('a-name-that-is-longer.conf'),
    told: 'allowed',
    files: { 'a-name-that-is-longer.conf': 'allow br0' },
  },
  { what: 'an include with a pattern', conf: include('*.conf'), told: 'denied', files: { 'more.conf': 'allow br0\n' } },
  { what: 'an include of a directory', conf: 'allow br0\ninclude /etc/qemu\n', told: 'allowed' },
  { what: 'an include of nothing', conf: 'include \nallow br0\n', told: 'allowed' },
  {
    what: 'an include from where QEMU stands',
    conf: 'include more.conf\n',
    told: 'denied',
    files: { 'more.conf': 'allow br0\n' },
  },
  {
    what: 'an include with CRLF',
    conf: include('more.conf').replace('\n', '\r\n'),
    told: 'allowed',
    files: { 'more.conf': 'allow br0\r\n' },
  },
];

interface Case extends Pick<Row, 'conf' | 'files' | 'bridge'> {
  readonly dir: string;
}

/** All in one go: a process for each would be slow. */
function askHelper(host: BridgeHost, cases: readonly Case[]): Told[] {
  const script = cases.map(({ dir, bridge = 'br0' }) =>
    [
      'rm -rf /etc/qemu/*',
      `cp -r ${dir}/. /etc/qemu`,
      `echo case >&2; ${helperFile} --br=${bridge} --fd=0 </dev/null`,
    ].join('\n'),
  );
  const { user } = testFacts();
  if (user === undefined) throw new Error('no user');
  host.must('chown', '-R', `${user.uid}`, '/etc/qemu');
  const as = ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--inh-caps=-all', '--'];
  const { stderr } = host.namespace.run([...as, 'sh'], script.join('\n'));
  return stderr.split('case\n').slice(1).map(toldBy);
}

/** What the namespace has as /etc/qemu is a directory of the case's own here. */
function predict({ dir, bridge = 'br0' }: Case): BridgeVerdict {
  const read = confReader({ mayRead: () => true });
  const inCase = (file: string): string => file.replace(/^\/etc\/qemu(?=\/|$)/, dir);
  return predictBridgeConf({ bridge, file: '/etc/qemu/bridge.conf', cwd: '/', read: (file) => read(inCase(file)) });
}

function writeCase(home: { readonly dir: string }, row: Pick<Row, 'conf' | 'files' | 'bridge'>, index: number): Case {
  const dir = path.join(home.dir, `case${index}`);
  mkdirSync(dir, { mode: 0o755 });
  const files = { ...row.files, ...(row.conf !== null && { 'bridge.conf': row.conf }) };
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(dir, name), text, 'latin1');
  return { ...row, dir };
}

test('ABUSE 59: of every row of C.9 the helper says what the table says, and so does qrun', async (context) => {
  const host = await createBridgeHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  const cases = rows.map((row, index) => writeCase(home, row, index));
  const table = rows.map(({ what, told }) => ({ what, told }));
  const helper = askHelper(host, cases);
  expect(rows.map(({ what }, index) => ({ what, told: helper[index] }))).toEqual(table);
  expect(rows.map(({ what }, index) => ({ what, told: toldOf(predict(cases[index] ?? expect.fail())) }))).toEqual(
    table,
  );
});

/** Always the same numbers: https://en.wikipedia.org/wiki/Linear_congruential_generator */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test('where they differ, and docs/bridge.md says so: a file without an end, and one of more than 1 MiB', async (context) => {
  const host = await createBridgeHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  const large = { conf: `${'# x\n'.repeat(300_000)}allow br0\n` };
  const cases = [writeCase(home, large, 0)];
  expect(askHelper(host, cases)).toEqual(['allowed']);
  expect(cases.map((one) => predict(one).verdict)).toEqual(['strange']);
  const endless = writeCase(home, { conf: 'allow br0\ninclude /dev/full\n' }, 1);
  expect(predict(endless)).toMatchObject({ verdict: 'invalid', reason: expect.stringContaining('no plain file') });
});

const pieces = [
  ...['allow', 'allow', 'allow', 'deny', 'include', 'Allow', 'allowed', '#', '# ', '\\', '='],
  ...[' ', ' ', ' ', ' ', '\t', '\n', '\n', '\n', '\n', '\r\n', '\r', '\v', '\f', '\0', '  '],
  ...['br0', 'br0', 'br0', 'br1', 'all', 'br', '0', 'br*', 'br0,br1', name15, name16, '\u00ff'],
  ...['/etc/qemu/more.conf', '/etc/qemu/gone.conf', 'more.conf', 'x'.repeat(4080), ' '.repeat(4090)],
];

test('ABUSE 59: of three hundred files that nobody would write they say the same', async (context) => {
  const host = await createBridgeHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  const next = numbers(59);
  const pick = (): string => pieces[next(pieces.length)] ?? '';
  const name = (): string => ['br0', 'br0', 'br1', 'all', `br0${pick()}`, pick()][next(6)] ?? '';
  const rule = (): string =>
    `${['allow', 'deny', 'allow', 'allow'][next(4)]}${[' ', ' ', '\t', pick()][next(4)]}${name()}\n`;
  const line = (): string =>
    [rule(), rule(), rule(), '\n', '# x\n', include('more.conf'), rule() + pick(), pick()][next(8)] ?? '';
  const text = (): string => Array.from({ length: next(5) }, line).join('');
  const cases = Array.from({ length: 300 }, (_, index) =>
    writeCase(home, { conf: text(), files: { 'more.conf': text().replaceAll('include', 'allow') } }, index),
  );
  const helper = askHelper(host, cases);
  const ours = cases.map((one) => toldOf(predict(one)));
  const differ = cases.filter((_, index) => helper[index] !== ours[index]);
  expect(differ).toEqual([]);
  // of each there are some, or nothing was shown
  for (const told of ['allowed', 'denied', 'unread'])
    expect(helper.filter((one) => one === told).length).toBeGreaterThan(20);
});
