/** Real guests on every kind of NIC that needs no rights and no switch: they reach one another, and nobody else. */
import { expect, test } from 'vitest';
import {
  bothQemus,
  createHome,
  createNamespace,
  needsEitherQemu,
  needsGuest,
  needsRoot,
  needsSecondQemu,
  waitUntil,
  type GuestFiles,
  type Home,
} from '../harness/harness.ts';
import { existsSync, lstatSync } from 'node:fs';
import { rowOf } from '../cli/a-vm.ts';

interface Cable {
  readonly what: string;
  /** The keys of each end. */
  readonly ends: readonly [string, string];
  /** False: the two ends are on different segments. */
  readonly meets?: false;
}

/** A number of this run's own, so that tests of others do not meet on a port or in a group. */
const own = process.pid % 10_000;
const portOf = (index: number): number => 20_000 + ((own * 16 + index) % 12_000);
const group = (index: number): string => `230.77.${own % 250}.${index + 1}:${portOf(0)}`;

const cablesIn = (dir: string): readonly Cable[] => [
  { what: 'mcast', ends: [`kind: mcast, group: "${group(0)}"`, `kind: mcast, group: "${group(0)}"`] },
  {
    what: 'mcast on another group',
    ends: [`kind: mcast, group: "${group(1)}"`, `kind: mcast, group: "${group(2)}"`],
    meets: false,
  },
  { what: 'stream, unix', ends: [`kind: stream, listen: ${dir}/s.sock`, `kind: stream, connect: ${dir}/s.sock`] },
  {
    what: 'stream, TCP',
    ends: [`kind: stream, listen: "127.0.0.1:${portOf(1)}"`, `kind: stream, connect: "127.0.0.1:${portOf(1)}"`],
  },
  {
    what: 'dgram, unix',
    ends: [
      `kind: dgram, local: ${dir}/a.sock, remote: ${dir}/b.sock`,
      `kind: dgram, local: ${dir}/b.sock, remote: ${dir}/a.sock`,
    ],
  },
  {
    what: 'dgram, UDP',
    ends: [
      `kind: dgram, local: "127.0.0.1:${portOf(2)}", remote: "127.0.0.1:${portOf(3)}"`,
      `kind: dgram, local: "127.0.0.1:${portOf(3)}", remote: "127.0.0.1:${portOf(2)}"`,
    ],
  },
  { what: 'l2tpv3', ends: [tunnel('127.0.0.1', [4, 5], [7, 2 ** 40]), tunnel('127.0.0.1', [5, 4], [2 ** 40, 7])] },
  { what: 'l2tpv3, IPv6', ends: [tunnel('[::1]', [6, 7]), tunnel('[::1]', [7, 6])] },
];

function tunnel(host: string, [from, to]: readonly [number, number], cookies?: readonly [number, number]): string {
  const keys = cookies === undefined ? '' : `, cookies: { tx: ${cookies[0]}, rx: ${cookies[1]} }`;
  return `kind: l2tpv3, source: "${host}:${portOf(from)}", destination: "${host}:${portOf(to)}", sessions: { tx: ${to}, rx: ${from} }${keys}`;
}

const macOf = (cable: number, end: number): string => `52:54:00:77:0${cable}:0${end}`;
const addressOf = (cable: number, end: number): string => `10.77.${cable}.${end}`;

interface Guest {
  readonly files: GuestFiles;
  readonly end: 0 | 1;
  readonly cables: readonly Cable[];
  readonly script?: string;
}

function profileOf({ files, end, cables, script }: Guest): string {
  const addresses = cables.map((_, index) => `qrun.ip=${macOf(index, end)}=${addressOf(index, end + 1)}/24`);
  const command = script === undefined ? '' : ` qrun.cmd=${Buffer.from(script).toString('base64')}`;
  const nics = cables.map(({ ends }, index) => `  - { ${ends[end]}, mac: "${macOf(index, end)}" }\n`);
  return `accel: tcg
memory: 160
kernel: ${files.vmlinuz}
initrd: ${files.initrd}
append: ${files.append} qrun.shell=off qrun.name=vm${end} ${addresses.join(' ')}${command}
nics:
${nics.join('')}`;
}

/** Says `CABLE ping http` of each that the other end answers on. A busy machine gets time; where nobody is to answer, three tries are enough. */
const askAll = (
  cables: readonly Cable[],
): string => `tries() { n=$1; shift; while [ $((n -= 1)) -ge 0 ]; do "$@" && return; sleep 1; done; false; }
pings() { ping -c 1 -W 2 $a >/dev/null; }
gets() { timeout 10 wget -qO- http://$a/ | grep -q 'qrun-guest vm0'; }
for t in ${cables.map(({ meets }, index) => `${index}:${meets === false ? 3 : 20}`).join(' ')}; do
  a=10.77.\${t%:*}.1; said=
  tries \${t#*:} pings && said=ping
  [ -z "$said" ] || { tries 10 gets && said="$said http"; }
  echo "cable \${t%:*}: $said."
done`;

async function consoleOf(home: Home, name: string): Promise<string> {
  return (await home.qrun(['logs', name])).stdout.replaceAll('\r', '');
}

async function waitFor(home: Home, name: string, text: string): Promise<void> {
  const { status, stderr } = await home.qrun(['wait', name, '--for', `text:${text}`, '--timeout', '200'], {
    timeoutMs: 220_000,
  });
  expect({ status, stderr, console: status === 0 ? '' : await consoleOf(home, name) }).toMatchObject({ status: 0 });
}

test.for(bothQemus)(
  'two guests with a NIC of each kind reach one another, by ping and HTTP, on each; another group is another segment; with nothing but lo on the host and the %s QEMU',
  async (which, context) => {
    needsRoot(context);
    const qemu = needsEitherQemu(context, which);
    const files = needsGuest(context);
    const namespace = await createNamespace();
    expect(namespace.run(['ip', '-o', 'link']).stdout.trim().split('\n')).toHaveLength(1);
    const home = createHome({ qemu, namespace });
    const cables = cablesIn(home.dir);
    home.profile('vm0', profileOf({ files, end: 0, cables }));
    home.profile('vm1', profileOf({ files, end: 1, cables, script: askAll(cables) }));
    for (const name of ['vm0', 'vm1']) {
      const { status, stderr } = await home.qrun(['run', name, '-d']);
      expect({ status, stderr }).toMatchObject({ status: 0 });
    }
    expect(namespace.run(['cat', '/proc/net/igmp']).stdout).toMatch(/^1\s+lo\s/m);
    await waitFor(home, 'vm1', 'cmd end');
    const said = [...(await consoleOf(home, 'vm1')).matchAll(/^cable (\d): (.*)\.$/gm)].map(
      ([, index, words]) => `${cables[Number(index)]?.what}: ${words}`,
    );
    expect(said).toEqual(cables.map(({ what, meets }) => `${what}: ${meets === false ? '' : 'ping http'}`));
    const sockets = ['s', 'a', 'b'].map((name) => `${home.dir}/${name}.sock`);
    expect(sockets.map((file) => lstatSync(file).isSocket())).toEqual([true, true, true]);
    process.kill((await rowOf(home, 'vm0')).pid, 'SIGKILL');
    expect((await home.qrun(['kill', 'vm0', 'vm1'])).status).toBe(0);
    expect(await waitUntil(() => !sockets.some((file) => existsSync(file)), 30_000)).toBe(true);
  },
);

test('a stream of the second QEMU is mended when the VM that listens was killed and is there again', async (context) => {
  const home = createHome({ qemu: needsSecondQemu(context) });
  const files = needsGuest(context);
  const cables = cablesIn(home.dir).slice(2, 3);
  const ping = `ping -c 1 -W 1 ${addressOf(0, 1)} >/dev/null`;
  const script = `until ${ping}; do :; done; echo it answers; while ${ping}; do sleep 0.2; done; echo it is gone; until ${ping}; do :; done; echo it is back`;
  home.profile('vm0', profileOf({ files, end: 0, cables }));
  home.profile('vm1', profileOf({ files, end: 1, cables, script }));
  // the one that connects is first: nobody is there yet
  expect(await home.qrun(['run', 'vm1', '-d'])).toMatchObject({ status: 0, stderr: expect.stringContaining('yet') });
  expect((await home.qrun(['run', 'vm0', '-d'])).status).toBe(0);
  await waitFor(home, 'vm1', 'it answers');
  process.kill((await rowOf(home, 'vm0')).pid, 'SIGKILL');
  await waitFor(home, 'vm1', 'it is gone');
  expect((await home.qrun(['run', 'vm0', '-d'])).status).toBe(0);
  await waitFor(home, 'vm1', 'it is back');
  expect((await home.qrun(['kill', 'vm0', 'vm1'])).status).toBe(0);
});
