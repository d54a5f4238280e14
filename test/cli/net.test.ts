/** Networks from the command line: defined, shown, edited, removed; up, down, and what is told of them. */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import { createHome, isAlive, needsQemu, waitUntil, type Home } from '../harness/harness.ts';
import { hub, networkProcesses, noNetworkLeft, onLab } from './a-network.ts';
import { detach, ps } from './a-vm.ts';

interface Row {
  readonly name: string;
  readonly state: string;
  readonly fault: string | null;
}

async function documentOf(home: Home, ...words: readonly string[]): Promise<unknown> {
  const { status, stdout, stderr } = await home.qrun(['net', ...words, '--json']);
  expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: '' });
  return parseDocument(`net-${words[0]}`, stdout);
}

async function statesOf(home: Home): Promise<Record<string, string>> {
  const rows = (await documentOf(home, 'ls')) as Row[];
  return Object.fromEntries(rows.filter(({ name }) => name !== 'default').map(({ name, state }) => [name, state]));
}

const definitions = (home: Home): string[] => {
  const directory = path.join(home.config, 'networks');
  return existsSync(directory) ? readdirSync(directory).toSorted() : [];
};

const refused = (status: number, message: string | RegExp): object => ({
  status,
  stdout: '',
  stderr: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
});

const editor = (home: Home, text: string): Record<string, string> => ({
  EDITOR: home.write('editor', `#!/bin/sh\ncat >"$1" <<'EOF'\n${text}EOF\n`, 0o755),
  VISUAL: '',
});

describe('net define', () => {
  test('keeps a valid definition, and says when there is nothing to do', async () => {
    const home = createHome();
    home.write('lab.yaml', hub);
    const defined = await home.qrun(['net', 'define', 'lab.yaml'], { cwd: home.dir });
    expect(defined).toMatchObject({ status: 0, stderr: expect.stringContaining('network:lab') });
    expect(readFileSync(`${home.config}/networks/lab.yaml`, 'utf8')).toBe(hub);
    const again = await home.qrun(['net', 'define', 'lab.yaml'], { cwd: home.dir });
    expect(again).toMatchObject({ status: 0, stderr: expect.stringContaining('unchanged') });
    expect(await statesOf(home)).toEqual({ lab: 'defined' });
    const { stdout } = await home.qrun(['net', 'define', './lab.yaml', '--name', 'other', '--json'], { cwd: home.dir });
    expect(JSON.parse(stdout)).toMatchObject({ name: 'other', changed: true, isUp: false });
    expect(definitions(home)).toEqual(['lab.yaml', 'other.yaml']);
  });

  test('whom ports are for and this host does not know is told, by edit too: it may come yet', async () => {
    const home = createHome();
    const text = (who: string): string => `scope: system\nforward: route\nports: 1\n${who}\n`;
    const words = ['net', 'define', '-', '--name', 'lab'];
    expect(await home.qrun(words, { input: text('owner: nobodyx') })).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/warning: network lab: owner: there is no user nobodyx: until there is, [^]*wrote/),
    });
    expect(await home.qrun(['net', 'edit', 'lab'], { env: editor(home, text('group: nobodyx')) })).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/there is no group nobodyx: until there is, .*sudo groupadd --system nobodyx/),
    });
    const known = await home.qrun([...words, '--force'], { input: text('owner: root') });
    expect(known).toMatchObject({ status: 0, stderr: expect.not.stringContaining('there is no') });
  });

  test('writes over another definition only by --force', async () => {
    const home = createHome();
    home.network('lab', hub);
    home.write('lab.yaml', `${hub}description: new\n`);
    const words = ['net', 'define', `${home.dir}/lab.yaml`];
    expect(await home.qrun(words)).toMatchObject(refused(4, 'exists, and is another'));
    expect(readFileSync(`${home.config}/networks/lab.yaml`, 'utf8')).toBe(hub);
    expect((await home.qrun([...words, '--force'])).status).toBe(0);
    expect(readFileSync(`${home.config}/networks/lab.yaml`, 'utf8')).toContain('description: new');
  });

  test('keeps none with faults, and tells all of them with their places', async () => {
    const home = createHome();
    home.write('lab.yaml', 'forward: bridge\nscope: user\nadresses: []\n');
    const { status, stderr } = await home.qrun(['net', 'define', 'lab.yaml'], { cwd: home.dir });
    expect(status).toBe(2);
    expect(stderr).toMatch(/lab\.yaml:1:10.*bridge/);
    expect(stderr).toMatch(/lab\.yaml:3:1 .*adresses.*addresses/s);
    expect(definitions(home)).toEqual([]);
  });

  test('takes the standard input, which needs a name', async () => {
    const home = createHome();
    expect(await home.qrun(['net', 'define', '-'], { input: hub })).toMatchObject(refused(2, '--name NAME'));
    expect(await home.qrun(['net', 'define', '-', '--name', 'lab'], { input: hub })).toMatchObject({ status: 0 });
    expect(definitions(home)).toEqual(['lab.yaml']);
    const words = ['net', 'define', '-', '--name', 'big'];
    expect(await home.qrun(words, { input: `# ${'x'.repeat(300_000)}\n` })).toMatchObject(
      refused(2, 'larger than 256'),
    );
  });

  test('refuses paths that would lead elsewhere once it is kept', async () => {
    const home = createHome();
    home.mkdir('boot');
    const relative = `${hub}dhcp: { tftp: { root: ./boot, file: pxelinux.0 } }\n`;
    home.write('lab.yaml', relative);
    const words = ['net', 'define', `${home.dir}/lab.yaml`];
    expect(await home.qrun(words)).toMatchObject(refused(2, 'relative to it'));
    home.write('lab.yaml', relative.replace('./boot', `${home.dir}/boot`));
    expect((await home.qrun(words)).status).toBe(0);
  });

  test.each([
    [['nothing.yaml'], 'there is no nothing.yaml'],
    [['lab.txt'], 'ends in .yaml'],
    [['lab.yaml', '--name', '../x'], 'invalid network name "../x"'],
    [['-', '--name='], '--name wants a value'],
  ])('%j is wrong usage', async (words, message) => {
    const home = createHome();
    home.write('lab.yaml', hub);
    home.write('lab.txt', hub);
    expect(await home.qrun(['net', 'define', ...words], { cwd: home.dir, input: hub })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(message.replace('there is no ', '')),
    });
    expect(definitions(home)).toEqual([]);
  });
});

describe('net edit', () => {
  test('keeps a valid text', async () => {
    const home = createHome();
    home.network('lab', hub);
    const env = editor(home, `${hub}description: edited\n`);
    expect(await home.qrun(['net', 'edit', 'lab'], { env })).toMatchObject({ status: 0, stderr: 'lab: kept\n' });
    expect(await home.qrun(['net', 'edit', 'lab'], { env })).toMatchObject({ status: 0, stderr: 'lab: unchanged\n' });
    expect(readFileSync(`${home.config}/networks/lab.yaml`, 'utf8')).toContain('edited');
  });

  test('keeps no faulty one, but the text that was written', async () => {
    const home = createHome();
    home.network('lab', hub);
    const env = editor(home, 'forward: nowhere\n');
    const { status, stderr } = await home.qrun(['net', 'edit', 'lab'], { env });
    expect(status).toBe(2);
    expect(stderr).toContain('nowhere');
    const draft = /your text is kept in (\S+);/.exec(stderr)?.[1] ?? '';
    expect(readFileSync(draft, 'utf8')).toBe('forward: nowhere\n');
    expect(readFileSync(`${home.config}/networks/lab.yaml`, 'utf8')).toBe(hub);
    expect(await home.qrun(['net', 'edit', 'lab', '--force'], { env })).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('kept although'),
    });
    expect(await documentOf(home, 'ls')).toContainEqual(
      expect.objectContaining({ name: 'lab', state: 'defined', fault: expect.stringContaining('lab.yaml') }),
    );
    expect(await home.qrun(['net', 'info', 'lab'])).toMatchObject(refused(2, 'nowhere'));
  });

  test('an example of the package becomes one of the user’s', async () => {
    const home = createHome();
    const env = editor(home, hub);
    expect((await home.qrun(['net', 'edit', 'default'], { env })).status).toBe(0);
    expect(definitions(home)).toEqual(['default.yaml']);
  });
});

describe('net rm', () => {
  test('removes a definition and what was kept for it', async () => {
    const home = createHome();
    home.network('lab', hub);
    for (const directory of ['s/networks', 's/networks/lab', 's/locks']) home.mkdir(directory);
    home.write('s/networks/lab/addresses.json', '{"v":1,"addresses":{"web1":{"ip":"10.44.0.50","used":1}}}');
    expect(await home.qrun(['net', 'rm', 'lab'])).toMatchObject({ status: 0, stdout: '' });
    expect(definitions(home)).toEqual([]);
    expect(existsSync(`${home.state}/networks/lab`)).toBe(false);
    expect(await home.qrun(['net', 'rm', 'lab'])).toMatchObject(refused(2, 'there is no network lab'));
  });

  test('of a directory that is not the user’s to change removes nothing', async () => {
    const home = createHome();
    home.network('lab', hub);
    for (const directory of ['s/networks', 's/networks/lab']) home.mkdir(directory);
    chmodSync(`${home.config}/networks`, 0o500);
    const { status, stderr } = await home.qrun(['net', 'rm', 'lab']);
    chmodSync(`${home.config}/networks`, 0o700);
    expect({ status, stderr }).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/lab\.yaml: it is not yours to change\n.*sudo qrun net rm lab\n/),
    });
    expect(definitions(home)).toEqual(['lab.yaml']);
    expect(existsSync(`${home.state}/networks/lab`)).toBe(true);
  });

  test('says which definition counts then', async () => {
    const home = createHome();
    home.network('default', hub);
    const { status, stderr } = await home.qrun(['net', 'rm', 'default']);
    expect(status).toBe(0);
    expect(stderr).toMatch(/default is now what .*\/networks\/default\.yaml says/);
    expect(await home.qrun(['net', 'rm', 'default'])).toMatchObject(refused(2, 'is an example of the package'));
  });
});

test('net show is the plan, and does nothing', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  const file = home.write('lab.yaml', `${hub}forwards: ["auto:web1:80"]\n`);
  const shown = await documentOf(home, 'show', file);
  expect(shown).toMatchObject({
    network: 'lab',
    file,
    running: false,
    scope: 'user',
    transport: 'hub',
    forward: 'nat',
    subnet: '10.44.0.0/24',
    gateway: '10.44.0.1',
    forwards: [{ hostPort: 'auto', guest: 'web1', guestAddress: '10.44.0.50', guestPort: 80 }],
  });
  const { steps } = shown as { steps: { kind: string }[] };
  expect(steps.map(({ kind }) => kind)).toContain('service');
  const text = (await home.qrun(['net', 'show', file])).stdout;
  expect(text).toContain('10.44.0.50:80');
  expect(text).toContain('hostfwd');
  expect(readdirSync(home.runtime)).toEqual([]);
  expect(existsSync(`${home.state}/networks`)).toBe(false);
  expect(networkProcesses(home)).toEqual([]);
});

describe('up and down', () => {
  test('up pins, a VM counts, down refuses while one is on it', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.network('lab', hub);
    home.profile('web1', onLab);
    expect(await home.qrun(['net', 'up', 'lab'])).toMatchObject({ status: 0, stderr: 'lab is up: 10.44.0.0/24\n' });
    expect(await statesOf(home)).toEqual({ lab: 'pinned' });
    expect((await documentOf(home, 'show', 'lab')) as object).toMatchObject({ running: true });
    const { pid } = await detach(home, 'web1');
    expect(await documentOf(home, 'ls')).toContainEqual(
      expect.objectContaining({ name: 'lab', state: 'pinned', vms: ['web1'], subnet: '10.44.0.0/24' }),
    );
    const inUse = await home.qrun(['net', 'down', 'lab']);
    expect(inUse).toMatchObject(refused(4, 'network lab: web1 is on it'));
    expect(await home.qrun(['net', 'rm', 'lab'])).toMatchObject(refused(4, 'network lab is up'));
    expect(await statesOf(home)).toEqual({ lab: 'pinned' });
    expect(await home.qrun(['net', 'down', 'lab', '--force'])).toMatchObject({ status: 0, stderr: 'lab is down\n' });
    expect(isAlive(pid)).toBe(true);
    expect(await statesOf(home)).toEqual({ lab: 'defined' });
    expect(networkProcesses(home)).toEqual([]);
    await home.qrun(['kill', 'web1']);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('without a pin it is up as long as a VM is, and net up pins what is up', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.network('lab', hub);
    home.profile('web1', onLab);
    await detach(home, 'web1');
    expect(await statesOf(home)).toEqual({ lab: 'up' });
    expect((await home.qrun(['net', 'up', 'lab'])).status).toBe(0);
    expect(await statesOf(home)).toEqual({ lab: 'pinned' });
    await home.qrun(['kill', 'web1']);
    expect(await statesOf(home)).toEqual({ lab: 'pinned' });
    expect((await home.qrun(['net', 'down', 'lab'])).status).toBe(0);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('a file runs without being defined, and changes of it count later', async (context) => {
    needsQemu(context);
    const home = createHome();
    const file = home.write('lab.yaml', hub);
    expect((await home.qrun(['net', 'up', file])).status).toBe(0);
    expect(await documentOf(home, 'ls')).toContainEqual(
      expect.objectContaining({ name: 'lab', state: 'pinned', file: null, subnet: '10.44.0.0/24' }),
    );
    writeFileSync(file, hub.replace('10.44.0.1', '10.45.0.1'));
    const again = await home.qrun(['net', 'up', file]);
    expect(again).toMatchObject({ status: 0, stderr: expect.stringContaining('counts after: qrun net down lab') });
    expect((await documentOf(home, 'info', 'lab')) as object).toMatchObject({ subnet: '10.44.0.0/24', file });
    expect((await home.qrun(['net', 'down', file])).status).toBe(0);
    expect(await statesOf(home)).toEqual({});
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('several: each error is told, the highest status counts', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.network('lab', hub);
    home.network('bad', 'forward: nowhere\n');
    const up = await home.qrun(['net', 'up', 'lab', 'bad', 'nobody']);
    expect(up.status).toBe(2);
    expect(up.stderr).toContain('lab is up');
    expect(up.stderr).toContain('nowhere');
    expect(up.stderr).toContain('there is no network nobody');
    const down = await home.qrun(['net', 'down', 'lab', 'bad', 'nobody']);
    expect(down).toMatchObject({ status: 2, stderr: expect.stringContaining('bad was not up') });
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test.each([
    [['up', 'nobody'], 2, 'there is no network nobody'],
    [['up', '..'], 2, 'invalid network name ".."'],
    [['down', '../x'], 2, 'x'],
    [['down', 'labb'], 2, 'there is no network labb (did you mean lab?)'],
    [['info', 'nobody'], 2, 'there is no network nobody'],
    [['leases', 'lab'], 2, 'network lab is not up'],
    [['forward', 'lab'], 2, 'network lab is not up'],
    [['up'], 2, 'NAME is missing'],
  ])('%j: %i', async (words, status, message) => {
    const home = createHome();
    home.network('lab', hub);
    expect(await home.qrun(['net', ...words])).toMatchObject(refused(status, message));
    const json = await home.qrun(['net', ...words, '--json']);
    expect(json).toMatchObject({ status, stdout: '' });
    parseDocument('error', json.stderr);
  });
});

describe('net info', () => {
  test('of one that is defined, up, broken, and mended', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.network('lab', `${hub}description: for tests\ndns: { domain: lab.test }\n`);
    home.profile('web1', onLab);
    expect(await documentOf(home, 'info', 'lab')).toMatchObject({
      state: 'defined',
      description: 'for tests',
      subnet: '10.44.0.0/24',
      gateway: '10.44.0.1',
      domain: 'lab.test',
      processes: [],
      members: [],
    });
    await detach(home, 'web1');
    const [vm] = await ps(home);
    expect(await documentOf(home, 'info', 'lab')).toMatchObject({
      state: 'up',
      processes: [{ name: 'switch' }, { name: 'gateway' }],
      missing: [],
      mend: null,
      members: [{ vm: 'web1', nic: 'net0', mac: vm?.nics[0]?.mac, ip: '10.44.0.50', leased: false, state: 'paused' }],
    });
    const text = (await home.qrun(['net', 'info', 'lab'])).stdout;
    expect(text).toMatch(/^lab {2}up {2}for tests\n/);
    expect(text).toMatch(/web1 +net0 +paused .*10\.44\.0\.50 \(no lease yet\)/);
    const processes = networkProcesses(home);
    for (const { pid, keeper } of processes) if (keeper) process.kill(pid, 'SIGKILL');
    const victim = processes.find(({ program, keeper }) => program === 'switch' && !keeper)?.pid ?? 0;
    process.kill(victim, 'SIGKILL');
    await waitUntil(() => !isAlive(victim), 30_000);
    expect(await documentOf(home, 'info', 'lab')).toMatchObject({
      state: 'broken',
      missing: ['switch', 'keeper (gateway)'],
      mend: 'qrun net up lab',
    });
    expect((await home.qrun(['net', 'info', 'lab'])).stdout).toMatch(
      /! switch does not run\n +! keeper \(gateway\) .*\n +! to mend it: qrun net up lab\n/,
    );
    expect(await statesOf(home)).toEqual({ lab: 'broken' });
    expect(await home.qrun(['net', 'up', 'lab'])).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(
        /lab: switch did not run, and was started again\n.*lab: gateway had lost its keeper .* was started anew\n/,
      ),
    });
    expect(await statesOf(home)).toEqual({ lab: 'pinned' });
    await home.qrun(['kill', 'web1']);
    await home.qrun(['net', 'down', 'lab']);
    expect(await noNetworkLeft(home)).toBe(true);
  });
});
