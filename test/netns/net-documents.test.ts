/** `--json` of everything that reads networks, for networks of the host's with all that they may have: all of it is in the schemas. */
import { expect, test } from 'vitest';
import { parseDocument, undeclaredIn } from '../harness/document.ts';
import { must, needsQemu, ownerFor, type Home } from '../harness/harness.ts';
import { detach, eventually, still } from '../cli/a-vm.ts';
import { createBridgedHost } from './a-bridged-host.ts';

const commands = ['ls', 'info', 'leases', 'macs', 'forward', 'show', 'map'] as const;

test('forwards, ports and who has one, guests of root’s, links, routes, a firewall in the way', async (context) => {
  needsQemu(context);
  const { host, root, home } = await createBridgedHost(context);
  const { name: owner } = ownerFor(home.as);
  root.network(
    'lan0',
    [
      'description: everything',
      'forward: route',
      'addresses: [10.10.120.1/24, "fd00:120::1/64"]',
      'dhcp: { hosts: [{ vm: box, ip: 10.10.120.9 }, { mac: 52:54:00:aa:bb:cc, ip: 10.10.120.8, name: db }] }',
      'dns: { domain: lan0.test }',
      'forwards: ["0.0.0.0:8080:box:80", "auto:10.10.120.8:53/udp", "[::]:8081:[fd00:120::9]:81"]',
      `ports: 2\nowner: ${owner}\nantiSpoof: true\nmtu: 1400`,
    ].join('\n'),
  );
  const [, mine = ''] = /inet ([0-9.]+)\//.exec(host.must('ip -4 address show dev v0')) ?? [];
  const peer = mine.replace(/\.\d+$/, '.77');
  root.network('lan1', `forward: bridge\nlinks: [{ vxlan: { id: 42, peers: [${peer}], dev: v0 } }]\n`);
  for (const name of ['lan0', 'lan1']) await must(root, 'net', 'up', name);
  root.profile('web1', `${still}nics: ["network:lan0", "network:lan1"]\n`);
  home.profile('box', `${still}nics: ["network:lan0"]\n`);
  await detach(root, 'web1');
  await detach(home, 'box');
  host.must('nft add table inet guard');
  host.must('nft add chain inet guard forward { type filter hook forward priority 0 ; policy drop ; }');
  await eventually(async () => (await documentOf(root, 'info', 'lan0')).includes('box'));

  for (const command of commands) await documentOf(root, command, 'lan0');
  for (const command of ['show', 'macs'] as const) await documentOf(root, command, 'lan1');
  for (const command of ['ls', 'info', 'leases', 'macs'] as const) await documentOf(home, command, 'lan0');
  const info = JSON.parse(await documentOf(root, 'info', 'lan0')) as Record<string, unknown>;
  // root's, whoever asks
  expect(info['log']).toContain('/networks/lan0/log');
  expect(JSON.parse(await documentOf(home, 'info', 'lan0'))).toMatchObject({ log: info['log'] });
  expect(info).toMatchObject({
    description: 'everything',
    state: 'pinned',
    domain: 'lan0.test',
    mtu: 1400,
    bridge: 'qr-lan0',
    missing: [],
    mend: null,
    firewall: [{ drops: expect.any(Array) as string[] }],
    routes: [expect.any(String), expect.any(String)],
    members: expect.arrayContaining([
      expect.objectContaining({ vm: 'web1', state: 'paused' }),
      expect.objectContaining({ vm: `${owner}/box`, ip: '10.10.120.9' }),
    ]) as unknown[],
    forwards: [
      { guest: `${owner}/box`, hostPort: 8080 },
      { hostPort: expect.any(Number) as number },
      { hostAddress: '::' },
    ],
  });
  expect(JSON.parse(await documentOf(root, 'info', 'lan1'))).toMatchObject({ links: [{ id: 42, peers: [peer] }] });
  await must(home, 'kill', 'box');
  await must(root, 'kill', 'web1');
  for (const name of ['lan0', 'lan1']) await must(root, 'net', 'down', name);
  for (const command of ['ls', 'info'] as const) await documentOf(root, command, 'lan0');
});

/** Held to its schema, with nothing in it that the schema does not tell of. */
async function documentOf(one: Home, command: (typeof commands)[number], network: string): Promise<string> {
  const words = command === 'ls' || command === 'map' ? [] : [network];
  const { status, stdout, stderr } = await one.qrun(['net', command, ...words, '--json']);
  if (status !== 0) {
    const error = parseDocument('error', stderr);
    expect({ command, of: one.as, undeclared: undeclaredIn('error', error) }).toEqual({
      command,
      of: 'user',
      undeclared: [],
    });
    return stderr;
  }
  const all = undeclaredIn(`net-${command}`, parseDocument(`net-${command}`, stdout));
  // what an action has depends on what it does
  const found = all.filter((at) => !/^\.steps\[\]\.(actions|release)\[\]\./.test(at));
  expect({ command, network, found }).toEqual({ command, network, found: [] });
  return stdout;
}
