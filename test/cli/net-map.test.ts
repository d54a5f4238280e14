/** `qrun net map` of VMs that stand still: what runs, what is stopped, what they meet on. */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import { createHome, needsFile, needsQemu } from '../harness/harness.ts';
import { detach, still } from './a-vm.ts';

interface MapDocument {
  readonly vms: readonly {
    readonly vm: string;
    readonly state: string;
    readonly nics: readonly { readonly id: string; readonly mac: string | null; readonly network: string }[];
  }[];
  readonly networks: readonly { readonly id: string; readonly uplink: string | null; readonly state: string | null }[];
}

test('of nothing', async () => {
  const home = createHome();
  expect(await home.qrun(['net', 'map'])).toEqual({ status: 0, stdout: '', stderr: 'no VM and no network\n' });
  expect(parseDocument('net-map', (await home.qrun(['net', 'map', '--json'])).stdout)).toEqual({
    vms: [],
    networks: [],
  });
  const { stdout } = await home.qrun(['net', 'map', '--svg', '-']);
  expect(stdout).toMatch(/^<svg .*no VM and no network.*<\/svg>\n$/s);
});

test('a router and what is behind it, running and stopped, beside a network', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  home.mkdir('c/networks');
  home.write('c/networks/lab.yaml', 'forward: isolated\nscope: user\ntransport: hub\n');
  home.profile('router', `${still}nics:\n  - { kind: user, forwards: ["auto:22"] }\n  - mcast:230.0.0.1:12399\n`);
  home.profile('behind', `${still}nics: ["mcast:230.0.0.1:12399"]\n`);
  home.profile('web1', `${still}nics: ["network:lab", { kind: stream, connect: ./a.sock }]\n`);
  home.profile('bad', 'nisc: []\n');
  const row = await detach(home, 'router');
  const port = row.nics[0]?.forwards?.[0]?.hostPort ?? 0;
  const mac = row.nics[1]?.mac ?? '';

  const { status, stdout, stderr } = await home.qrun(['net', 'map']);
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: expect.stringMatching(/^warning: bad is left out: .*\n$/),
  });
  expect(stdout.split('\n').map((line) => line.replaceAll(/52:54:00:[0-9a-f:]+/g, 'MAC').trimEnd())).toEqual([
    'outside',
    '└── router:net0  MAC  (paused) · NAT 10.0.2.0/24',
    `    └── 127.0.0.1:${port} → 22`,
    'no way out',
    expect.stringMatching(/^├── lab · isolated · 10\.[0-9.]+\/24 · hub · defined$/),
    '│   └── web1:net0  no MAC yet  (stopped) · also on cable ' + path.join(home.config, 'profiles/a.sock'),
    '├── multicast 230.0.0.1:12399',
    '│   ├── behind:net0  no MAC yet  (stopped)',
    '│   └── router:net1  MAC  (paused) · also on NAT of its own',
    '└── cable ' + path.join(home.config, 'profiles/a.sock'),
    '    └── web1:net1  no MAC yet  connects  (stopped) · also on lab',
    '',
  ]);
  expect(stdout).toContain(`router:net1  ${mac}`);

  const plain = await home.qrun(['net', 'map'], { env: { LC_ALL: 'C' } });
  expect(plain.stdout).toMatch(/^[\n -~]*$/);

  const document = parseDocument('net-map', (await home.qrun(['net', 'map', '--json'])).stdout) as MapDocument;
  expect(document.vms.map(({ vm, state }) => [vm, state])).toEqual([
    ['behind', 'stopped'],
    ['router', 'paused'],
    ['web1', 'stopped'],
  ]);
  expect(document.networks.map(({ id, uplink, state }) => [id, uplink, state])).toEqual([
    ['net:lab', null, 'defined'],
    ['mcast:230.0.0.1:12399', null, null],
    [`cable:${path.join(home.config, 'profiles/a.sock')}`, null, null],
    ['user:router:net0', 'outside', null],
  ]);

  const running = parseDocument(
    'net-map',
    (await home.qrun(['net', 'map', '--running', '--json'])).stdout,
  ) as MapDocument;
  expect(running.vms.map(({ vm }) => vm)).toEqual(['router']);
  expect(running.networks.map(({ id }) => id)).toEqual(['mcast:230.0.0.1:12399', 'user:router:net0']);

  // a profile that was edited since does not change what runs
  home.profile('router', `${still}nics: []\n`);
  const after = parseDocument('net-map', (await home.qrun(['net', 'map', '--running', '--json'])).stdout);
  expect(after).toEqual(running);
  expect((await home.qrun(['kill', 'router'])).status).toBe(0);
});

test('a VM on a network that is up', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  home.mkdir('c/networks');
  home.write('c/networks/lab.yaml', 'forward: nat\nscope: user\ntransport: hub\nforwards: ["auto:web1:80"]\n');
  home.profile('web1', `${still}nics: ["network:lab"]\n`);
  await detach(home, 'web1');
  const { stdout } = await home.qrun(['net', 'map']);
  expect(stdout).toMatch(
    /^outside\n└── lab · nat · 10\.[0-9.]+\/24 · hub · up\n {4}├── 127\.0\.0\.1:[0-9]+ → web1:80\n {4}└── web1:net0 /,
  );
  const { networks } = parseDocument('net-map', (await home.qrun(['net', 'map', '--json'])).stdout) as {
    networks: { name: string; forwards: { guest: string; guestAddress: string }[] }[];
  };
  expect(networks.find(({ name }) => name === 'lab')?.forwards).toMatchObject([
    { guest: 'web1', guestAddress: expect.stringMatching(/^10\.[0-9.]+$/) },
  ]);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});

test('the picture is written as a whole, for others to read, and into no place that is no file', async (context) => {
  const home = createHome();
  home.profile('web1', 'nics: ["vde:/tmp/<&>"]\n');
  const file = path.join(home.dir, 'map.svg');
  const map = async (aim: string) => await home.qrun(['net', 'map', '--svg', aim], { cwd: home.dir });
  expect(await map('map.svg')).toEqual({ status: 0, stdout: '', stderr: 'wrote map.svg\n' });
  expect(statSync(file).mode & 0o777).toBe(0o644);
  const first = readFileSync(file, 'utf8');
  expect(first).toContain('/tmp/&lt;&amp;&gt;');
  // once more, through a link: the link stays one
  await home.run(['ln', '-s', file, path.join(home.dir, 'link.svg')]);
  expect((await map('link.svg')).status).toBe(0);
  expect(lstatSync(path.join(home.dir, 'link.svg')).isSymbolicLink()).toBe(true);
  expect(readFileSync(file, 'utf8')).toBe(first);
  for (const aim of ['.', '/dev/null', '/dev/stdout']) {
    const { status, stderr } = await map(aim);
    expect({ aim, status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining('is no regular file') });
  }
  expect((await map('missing/map.svg')).status).toBe(3);
  expect(existsSync(path.join(home.dir, 'missing'))).toBe(false);
  expect((await home.qrun(['net', 'map', '--svg', 'x', '--json'])).status).toBe(2);
  needsFile(context, '/usr/bin/xmllint');
  const { status, stderr } = spawnSync('xmllint', ['--noout', file], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
