/** Everything that can be missing for `kind: bridge`: qrun says which and what mends it, before QEMU starts; and without qrun it fails indeed. */
import { chmodSync, chownSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHome, needsQemu, testFacts, type Home } from '../harness/harness.ts';
import { leftOf, still } from '../cli/a-vm.ts';
import { createBridgeHost, helperFile, type BridgeHost, type BridgeHostOptions } from './a-bridge-host.ts';

const setup = 'sudo qrun setup --bridge br0';
/** Of nobody here. */
const foreignGid = 54_321;

interface Refusal {
  readonly what: string;
  readonly host?: BridgeHostOptions;
  readonly prepare?: (host: BridgeHost) => void;
  /** Keys of the NIC; default: `bridge: br0`. */
  readonly nic?: string;
  readonly bridge?: string;
  readonly says: readonly (string | RegExp)[];
  /** What mends it. */
  readonly hint: string | RegExp;
  /** In front of what is run, as root. */
  readonly prefix?: readonly string[];
}

const refusals: readonly Refusal[] = [
  {
    what: 'the helper has no rights',
    host: { rights: 'none' },
    says: [`${helperFile} has no right to make taps`, `sudo setcap cap_net_admin=ep ${helperFile}`],
    hint: setup,
  },
  {
    what: 'the helper has one right too many',
    host: { rights: 'mixed' },
    says: [`${helperFile} is setuid and has capabilities as well`],
    hint: `sudo chmod u-s ${helperFile}`,
  },
  {
    what: 'the helper may make taps, but has to ask for it',
    prepare: ({ namespace }) => void namespace.run(['setcap', 'cap_net_admin=p', path.join(namespace.dir, 'helper')]),
    says: [`${helperFile} has no right to make taps`],
    hint: setup,
  },
  {
    what: 'the helper is not installed',
    prepare: (host) => host.must('mount', '-t', 'tmpfs', 'none', path.dirname(helperFile)),
    says: [`there is no bridge helper ${helperFile}`],
    hint: 'sudo apt-get install qemu-system-common',
  },
  {
    what: 'the helper is for a group alone',
    prepare: (host) => {
      const file = path.join(host.namespace.dir, 'helper');
      chownSync(file, 0, foreignGid);
      chmodSync(file, 0o750);
      host.must('setcap', 'cap_net_admin=ep', file); // a new owner costs a file its capabilities
    },
    says: [`may not run ${helperFile} (the group ${foreignGid} may)`],
    hint: `sudo usermod -aG ${foreignGid} `,
  },
  {
    what: 'no bridge.conf',
    host: { conf: null },
    says: ['there is no /etc/qemu/bridge.conf', "echo 'allow br0' | sudo tee -a"],
    hint: setup,
  },
  {
    what: 'a bridge.conf of root alone',
    prepare: (host) => void host.conf('allow br0\n', 0o600),
    says: ['may not read /etc/qemu/bridge.conf', 'reads it as its caller'],
    hint: 'sudo chmod a+r /etc/qemu/bridge.conf',
  },
  {
    what: 'a bridge.conf of a group',
    prepare: (host) => chownSync(host.conf('allow br0\n', 0o640), 0, foreignGid),
    says: [`may not read /etc/qemu/bridge.conf (the group ${foreignGid} may)`],
    hint: `sudo usermod -aG ${foreignGid} `,
  },
  {
    what: 'a line that does not parse',
    host: { conf: '# ours\nallow br0\nallow br-of-the-third-floor\n' },
    says: [
      '/etc/qemu/bridge.conf:3: the name "br-of-the-third-floor" has 21 bytes',
      'line 3: "allow br-of-the-third-floor"',
    ],
    hint: 'sudo sensible-editor +3 /etc/qemu/bridge.conf',
  },
  {
    what: 'denied',
    host: { conf: 'deny br0\nallow br0\n' },
    says: ['/etc/qemu/bridge.conf:1 denies br0; deny wins wherever it stands'],
    hint: 'sudo sensible-editor +1 /etc/qemu/bridge.conf',
  },
  {
    what: 'not allowed',
    host: { conf: 'allow br1\n' },
    says: ['/etc/qemu/bridge.conf does not allow br0'],
    hint: setup,
  },
  {
    what: 'allowed with a comment behind',
    host: { conf: 'allow br0 # lab\n' },
    says: ['does not allow br0', '/etc/qemu/bridge.conf:1: "allow br0 # lab" does not count: a comment behind a rule'],
    hint: setup,
  },
  {
    what: 'allowed in a file of somebody else',
    prepare: (host) => {
      host.conf('include /etc/qemu/lab.conf\n');
      host.conf('allow br0\n', 0o600, 'lab.conf');
    },
    says: ['does not allow br0', '/etc/qemu/bridge.conf:1', '"/etc/qemu/lab.conf" cannot be read by this user'],
    hint: setup,
  },
  {
    what: 'allowed to a group',
    prepare: (host) => {
      host.conf('include /etc/qemu/qrun-br1.conf\ninclude /etc/qemu/qrun-br0.conf\n');
      host.conf('allow br1\n', 0o600, 'qrun-br1.conf');
      chownSync(host.conf('allow br0\n', 0o640, 'qrun-br0.conf'), 0, foreignGid);
    },
    says: [
      `does not allow br0 (a part of it is for the group ${foreignGid} alone)`,
      '"/etc/qemu/qrun-br0.conf" cannot be read by this user',
    ],
    hint: `sudo usermod -aG ${foreignGid} `,
  },
  {
    what: 'a file that includes itself',
    host: { conf: 'allow br0\ninclude /etc/qemu/bridge.conf\n' },
    says: ['/etc/qemu/bridge.conf:2: files that include themselves'],
    hint: 'sudo sensible-editor +2 /etc/qemu/bridge.conf',
  },
  {
    what: '/dev/net/tun is root’s alone',
    host: { tunMode: '600' },
    says: ['may not open /dev/net/tun', 'opens it as its caller'],
    hint: 'sudo chmod 0666 /dev/net/tun',
  },
  {
    what: '/dev/net/tun is a group’s, and the helper setuid root',
    host: { tunMode: '660', rights: 'setuid' },
    prepare: ({ namespace }) => chownSync(path.join(namespace.dir, 'tun'), 0, foreignGid),
    says: [`may not open /dev/net/tun (the group ${foreignGid} may)`],
    hint: `sudo usermod -aG ${foreignGid} `,
  },
  {
    what: 'no such bridge',
    host: { conf: 'allow all\n' },
    bridge: 'br7',
    says: ['there is no bridge br7', 'bridges of this host: br0'],
    hint: 'sudo qrun setup --bridge br7',
  },
  {
    what: 'no bridge but a card',
    host: { conf: 'allow all\n' },
    prepare: (host) => void host.must('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1'),
    bridge: 'eth0',
    says: ['eth0 is no bridge', 'bridges of this host: br0'],
    hint: 'sudo qrun setup --bridge br0 --uplink eth0, or kind: macvtap with parent: eth0',
  },
  {
    what: 'a port of a bridge',
    host: { conf: 'allow all\n' },
    prepare: (host) => {
      host.must('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
      host.must('ip', 'link', 'set', 'eth0', 'master', 'br0');
    },
    bridge: 'eth0',
    says: ['eth0 is no bridge, but a port of br0'],
    hint: 'in the profile: bridge: br0',
  },
  { what: 'loopback', host: { conf: 'allow all\n' }, bridge: 'lo', says: ['lo is no bridge'], hint: setup },
  {
    what: 'under no_new_privs',
    prefix: ['setpriv', '--no-new-privs', '--'],
    says: ['cannot gain rights (no_new_privs)'],
    hint: 'NoNewPrivileges',
  },
  {
    what: 'in a container without CAP_NET_ADMIN',
    prefix: ['setpriv', '--bounding-set=-net_admin', '--'],
    says: ['nothing here can have CAP_NET_ADMIN'],
    hint: '--cap-add NET_ADMIN',
  },
  {
    what: 'everything at once',
    host: { rights: 'none', conf: null, tunMode: '600' },
    bridge: 'br7',
    says: [
      `${helperFile} has no right to make taps`,
      'also: there is no /etc/qemu/bridge.conf',
      /also: \S+ may not open \/dev\/net\/tun.* \(sudo chmod 0666 \/dev\/net\/tun\)/,
      'also: there is no bridge br7',
    ],
    hint: 'sudo qrun setup --bridge br7',
  },
];

/** What QEMU can do is asked once for all: that takes longer than the rest. */
let shared: Home | undefined;
beforeAll(() => {
  shared = createHome({ disposeAtEnd: false });
});
afterAll(async () => await shared?.dispose());

/** As the home's user, behind a prefix of root's. */
function runBehind(home: Home, prefix: readonly string[], argv: readonly string[]) {
  const { user } = testFacts();
  if (user === undefined) throw new Error('no user');
  const as = ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--inh-caps=-all', '--'];
  return home.run([...prefix, ...as, ...argv], { as: 'root' });
}

test.for(refusals.map((one) => ({ ...one, toString: () => one.what })))('refused: %s', async (row, context) => {
  const qemu = needsQemu(context);
  const host = await createBridgeHost(context, row.host);
  row.prepare?.(host);
  const home = createHome({ namespace: host.namespace, env: { QRUN_CACHE_DIR: shared?.cache ?? '' } });
  const before = host.links();
  const bridge = row.bridge ?? 'br0';
  home.profile('web1', `${still}nics: [bridge:${bridge}]\n`);
  const qrun = [testFacts().node, testFacts().bin];
  const { status, stderr } = await runBehind(home, row.prefix ?? [], [...qrun, 'run', 'web1', '-d']);
  expect({ status, stderr }).toMatchObject({ status: 3 });
  for (const words of row.says) expect(stderr).toMatch(words instanceof RegExp ? words : literally(words));
  expect(stderr.split('\n').find((line) => /hint|→|try/.test(line)) ?? stderr).toMatch(
    row.hint instanceof RegExp ? row.hint : literally(row.hint),
  );
  expect(leftOf(home, 'web1')).toEqual([]);
  // not one word too many: the same by hand
  const bare = [qemu, '-M', 'none', '-nodefaults', '-display', 'none', '-netdev', `bridge,id=n,br=${bridge}`];
  const byHand = await runBehind(home, row.prefix ?? [], bare);
  expect({ status: byHand.status, stderr: byHand.stderr }).toEqual({
    status: 1,
    stderr: expect.stringContaining('bridge helper failed'),
  });
  expect(host.links()).toEqual(before);
});

const literally = (text: string): RegExp => new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));

test('ABUSE 25: a helper of the profile’s is root’s own program, or is not started', async (context) => {
  needsQemu(context);
  const host = await createBridgeHost(context);
  const home = createHome({ namespace: host.namespace });
  const mine = home.write('evil-helper', '#!/bin/sh\ntouch "$HOME/owned"\n', 0o755);
  const writable = path.join(host.namespace.dir, 'writable-helper');
  writeFileSync(writable, '#!/bin/sh\n');
  chmodSync(writable, 0o777);
  const rows: readonly (readonly [string, number, string])[] = [
    ['"/bin/sh -c id"', 2, 'the helper is one path: no blanks'],
    ['/bin/sh;id', 2, 'nothing that a shell would read'],
    ['helper', 2, 'the helper is an absolute path'],
    ['/usr/lib/qemu/gone', 3, 'there is no bridge helper /usr/lib/qemu/gone'],
    [mine, 2, `${mine} belongs to uid`],
    [writable, 2, `${writable} can be written by others`],
    [`${home.dir}/link`, 2, 'is another user’s link'.replace('’', "'")],
  ];
  await home.run(['ln', '-s', helperFile, `${home.dir}/link`]);
  for (const [helper, status, words] of rows) {
    home.profile('web1', `${still}nics: [{ kind: bridge, bridge: br0, helper: ${helper} }]\n`);
    const refused = await home.qrun(['run', 'web1', '-d']);
    expect({ helper, status: refused.status, stderr: refused.stderr }).toEqual({
      helper,
      status,
      stderr: expect.stringContaining(words),
    });
  }
  rmSync(writable);
  expect((await home.run(['ls', home.env['HOME'] ?? ''])).stdout).toBe('');
  // one that is root's own is told to QEMU
  home.profile('web1', `${still}nics: [{ kind: bridge, bridge: br0, helper: ${helperFile} }]\n`);
  expect((await home.qrun(['run', 'web1', '-d'])).status).toBe(0);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});
