/** What an ordinary user is told who wants to change a network of root's: exit 3, and the command that does it. */
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { infoOf, stateOf } from '../cli/a-network.ts';
import { parseDocument } from '../harness/document.ts';
import { must, ownerFor, refused } from '../harness/harness.ts';
import { createBridgedHost, everything, everythingAgain, hostDir } from './a-bridged-host.ts';

test('net down, forward, edit and rm of root’s network that is up: the whole command with sudo', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root, home, another } = bridged;
  const { name: user } = ownerFor(home.as);
  root.network('lan0', `forward: nat\naddresses: [10.10.120.1/24]\nports: 1\nowner: ${user}\n`);
  const before = everything(bridged);
  await must(root, 'net', 'up', 'lan0');
  const words: readonly (readonly string[])[] = [
    ['down', 'lan0'],
    ['down', 'lan0', '--force'],
    ['forward', 'lan0'],
    ['forward', 'lan0', '0.0.0.0:80:web1:80'],
    ['forward', 'lan0', '80', '--remove'],
    ['leases', 'lan0'],
    ['edit', 'lan0'],
    ['rm', 'lan0'],
  ];
  for (const command of words)
    expect(await refused(home, 'net', ...command)).toEqual({
      status: 3,
      stderr: `qrun: network lan0 is root's\nhint: sudo qrun net ${command.join(' ')}\n`,
    });
  const six = await refused(home, 'net', 'forward', 'lan0', '[::]:81:[fd00:120::50]:80');
  expect(six.stderr).toContain("hint: sudo qrun net forward lan0 '[::]:81:[fd00:120::50]:80'\n");
  // who may take no port of it: words that are commands
  const stranger = another(54_321, 54_321);
  stranger.profile('web1', 'accel: tcg\nnics: [{ kind: network, network: lan0 }]\n');
  expect(await stranger.qrun('run', 'web1', '-d')).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(
      /hint: owner: 54321 in \S+lan0\.yaml: sudo qrun net edit lan0; sudo qrun net down lan0; sudo qrun net up lan0\n/,
    ),
  });
  expect(await stateOf(root, 'lan0')).toBe('pinned');
  await must(root, 'net', 'down', 'lan0');
  await must(root, 'net', 'up', 'lan1', '--nat', '10.66.0.1/24', '-n', '1');
  stranger.profile('web1', 'accel: tcg\nnics: [{ kind: network, network: lan1 }]\n');
  expect((await stranger.qrun('run', 'web1', '-d')).stderr).toContain(
    'hint: sudo qrun net down lan1; and as it was made, with --owner 54321\n',
  );
  await must(root, 'net', 'down', 'lan1');
  expect(await everythingAgain(bridged, before)).toEqual([]);
});

test('a network that the user defined for himself is his, whatever root has up under that name; so is the package’s', async (context) => {
  const { root, home } = await createBridgedHost(context);
  const { name: user } = ownerFor(home.as);
  const still = 'accel: tcg\nmemory: 32\nconsole: none\nshutdown: { timeout: 0 }\nargs: ["-S"]\n';
  home.network('lab', 'forward: isolated\nscope: user\n');
  for (const name of ['lab', 'default']) home.profile(name, `${still}nics: ["network:${name}"]\n`);
  await must(root, 'net', 'up', 'lab', '--nat', '10.61.0.1/24', '-n', '2', '--owner', user);
  // the addresses of both follow from the name
  const roots = 'forward: nat\n';
  root.network('default', roots);
  await must(root, 'net', 'up', 'default');
  expect(await refused(home, 'net', 'forward', 'lab')).toMatchObject({ status: 2 });
  for (const name of ['lab', 'default']) {
    expect(await stateOf(home, name)).toBe('defined');
    expect(await infoOf(home, name)).toMatchObject({ scope: 'user', state: 'defined' });
  }
  const checks = parseDocument('doctor', await must(home, 'doctor', 'lab', '--json')) as { state: string }[];
  expect(checks.filter(({ state }) => state === 'fail')).toEqual([]);
  expect(await must(home, 'run', 'lab', 'default', '-d')).toMatch(
    /network default: 10\.[\d./]+ follows from its name, and qr-default/,
  );
  for (const name of ['lab', 'default'])
    expect(await infoOf(home, name)).toMatchObject({ scope: 'user', state: 'up', members: [{ vm: name }] });
  await must(home, 'kill', 'lab', 'default');
  // ports of it are for the user: then root's is meant
  await must(root, 'net', 'down', 'default');
  root.network('default', `${roots}ports: 2\nowner: ${user}\n`);
  await must(root, 'net', 'up', 'default');
  await must(home, 'run', 'default', '-d');
  expect(JSON.parse(await must(home, 'nics', 'default', '--json'))).toMatchObject([
    { hostInterface: expect.stringMatching(/^qr-/) as string },
  ]);
  await must(home, 'kill', 'default');
  await must(root, 'net', 'down', 'default', 'lab');
});

test('a port whose lock somebody holds without a VM: taken, and net down says by whom', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root, home } = bridged;
  const { name: user } = ownerFor(home.as);
  root.network('lan0', `forward: nat\naddresses: [10.10.120.1/24]\nports: 2\nowner: ${user}\n`);
  await must(root, 'net', 'up', 'lan0');
  const lock = path.join(hostDir(root), 'ports', 'lan0', '0');
  const holder = home.startProgram(['flock', '-F', lock, 'sh', '-c', 'echo has; exec sleep 60']);
  await holder.waitFor(/has/);
  const by = expect.stringMatching(new RegExp(`^a process of ${user} \\(pid [0-9]+\\)$`));
  const { ports } = parseDocument('net-info', await must(root, 'net', 'info', 'lan0', '--json')) as {
    ports: unknown[];
  };
  expect(ports).toMatchObject([{ state: 'taken', vm: null, by }, { state: 'free' }]);
  expect(await must(root, 'net', 'info', 'lan0')).toMatch(new RegExp(`taken +a process of ${user} \\(pid`));
  expect(await refused(root, 'net', 'down', 'lan0')).toEqual({
    status: 4,
    stderr: expect.stringMatching(new RegExp(`in use: qr\\S+ by a process of ${user} \\(pid`)),
  });
  holder.child.kill('SIGKILL');
  await holder.end;
  await must(root, 'net', 'down', 'lan0');
});

test('a definition in a directory of root’s: net edit says so before the editor opens, net rm before anything is removed', async (context) => {
  const bridged = await createBridgedHost(context);
  const { home } = bridged;
  const directory = path.join(home.config, 'networks');
  mkdirSync(directory, { recursive: true });
  const file = path.join(directory, 'lan5.yaml');
  writeFileSync(file, 'forward: isolated\n');
  for (const one of [directory, file]) chownSync(one, 0, 0);
  chmodSync(directory, 0o755);
  for (const verb of ['edit', 'rm'])
    expect(await home.qrun(['net', verb, 'lan5'], { env: { EDITOR: 'echo the editor opens; false' } })).toMatchObject({
      status: 3,
      stdout: '',
      stderr: `qrun: ${file}: it is not yours to change\nhint: sudo qrun net ${verb} lan5\n`,
    });
  expect(await must(home, 'net', 'ls')).toContain('lan5');
});

test('a forward to the host’s own address is refused; IPv6 is printed as it is typed', async (context) => {
  const bridged = await createBridgedHost(context);
  const { root } = bridged;
  root.network('lan0', 'forward: nat\naddresses: [10.10.120.1/24, "fd00:120::1/64"]\n');
  const before = everything(bridged);
  await must(root, 'net', 'up', 'lan0');
  for (const guest of ['10.10.120.1', '[fd00:120::1]', '[fd00:120:0:0::1]'])
    expect(
      await refused(root, 'net', 'forward', 'lan0', `${guest.startsWith('[') ? '[::]' : '0.0.0.0'}:80:${guest}:80`),
    ).toEqual({ status: 2, stderr: expect.stringContaining('that is the host itself') });
  expect(await must(root, 'net', 'forward', 'lan0', '[::]:81:[fd00:120::50]:80')).toContain(
    '[::]:81 → [fd00:120::50]:80\n',
  );
  const listed = await must(root, 'net', 'forward', 'lan0');
  expect(listed).toMatch(/\[::\]:81 .*\[fd00:120::50\] .*\[fd00:120::50\]:80/);
  expect(await must(root, 'net', 'info', 'lan0')).toContain('[fd00:120::50]:80');
  const twice = await refused(root, 'net', 'forward', 'lan0', '[::]:81:[fd00:120::51]:80');
  expect(twice.stderr).toContain('leads to [fd00:120::50]:80 already');
  expect(JSON.parse(await must(root, 'net', 'forward', 'lan0', '--json'))).toMatchObject([
    { hostAddress: '::', hostPort: 81, guest: 'fd00:120::50', guestAddress: 'fd00:120::50', guestPort: 80 },
  ]);
  expect(await must(root, 'net', 'forward', 'lan0', '[::]:81', '--remove')).toContain('[::]:81 → [fd00:120::50]:80');
  await must(root, 'net', 'down', 'lan0');
  expect(await everythingAgain(bridged, before)).toEqual([]);
});
