/** What somebody changes of a network with a bridge of its own, and takes nothing away: `net info` calls it broken and says what, `net up` mends it. And what all are told. */
import { expect, test } from 'vitest';
import { must, needsQemu, ownerFor, refused } from '../harness/harness.ts';
import { networkProcesses, stateOf } from '../cli/a-network.ts';
import { detach, still } from '../cli/a-vm.ts';
import { createBridgedHost, everything, type BridgedHost } from './a-bridged-host.ts';

const definition =
  'forward: nat\naddresses: [10.10.120.1/24, "fd00:120::1/64"]\nforwards: ["8080:10.10.120.60:80"]\n' +
  `ports: 1\nowner: ${ownerFor('user').name}\nisolatedPorts: true\nantiSpoof: true\n`;

interface Info {
  readonly state: string;
  readonly missing: readonly string[];
}

async function expectMended({ root }: BridgedHost, named: readonly string[]): Promise<void> {
  const { state, missing } = JSON.parse(await must(root, 'net', 'info', 'lan0', '--json')) as Info;
  expect({ state, missing: missing.toSorted() }).toEqual({ state: 'broken', missing: named.toSorted() });
  const said = await must(root, 'net', 'up', 'lan0');
  for (const part of named) expect(said).toContain(part.replace(' (changed)', ''));
  expect(said).toMatch(/(was|were) changed, and (is|are) as (it was|they were)/);
}

/** Every way in which a table may be another: rules.test */
test('its rules: asleep, or with rules of another’s in them', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const before = everything(bridged);
  root.network('lan0', definition);
  await must(root, 'net', 'up', 'lan0');
  const rules = host.must('nft -s list ruleset');
  host.must('nft add table inet qrun_lan0 { flags dormant; }');
  await expectMended(bridged, ['inet qrun_lan0 (changed)']);
  expect(host.must('nft -s list ruleset')).toBe(rules);
  host.must('nft add rule inet qrun_lan0 filter_forward accept');
  host.must('nft insert rule bridge qrun_lan0 guest_ports accept');
  await expectMended(bridged, ['inet qrun_lan0 (changed)', 'bridge qrun_lan0 (changed)']);
  expect(host.must('nft -s list ruleset')).toBe(rules);
  expect(await stateOf(root, 'lan0')).toBe('pinned');
  await must(root, 'net', 'down', 'lan0');
  expect(everything(bridged)).toEqual(before);
});

test('its bridge and who is on it: MAC, STP, MTU, IPv6, alias, ports that are to be kept apart', async (context) => {
  needsQemu(context);
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const before = everything(bridged);
  root.network('lan0', definition);
  root.profile('web1', `${still}nics: ["network:lan0"]\n`);
  await must(root, 'net', 'up', 'lan0');
  await detach(root, 'web1');
  const links = (): unknown[] =>
    host
      .rows()
      .map(({ ifname, address, ifalias, mtu, master, linkinfo }) => [
        ...[ifname, address, ifalias, mtu, master, linkinfo?.info_data?.['stp_state']],
        ...[linkinfo?.info_data?.['forward_delay'], linkinfo?.info_slave_data?.['isolated']],
      ]);
  const addresses = (): string => host.must('ip -br address show dev qr-lan0').replaceAll(/ fe80::\S+/g, '');
  const [whole, places] = [links(), addresses()];
  const taps = host.rows().flatMap(({ ifname, master }) => (master === 'qr-lan0' ? [ifname] : []));
  expect(taps).toHaveLength(2);
  const harms: readonly (readonly [string, string])[] = [
    ['qr-lan0 (MAC 02:00:00:00:00:99)', 'ip link set qr-lan0 address 02:00:00:00:00:99'],
    ['qr-lan0 (STP on)', 'ip link set qr-lan0 type bridge stp_state 1'],
    ['qr-lan0 (forward delay 4 s)', 'ip link set qr-lan0 type bridge forward_delay 400'],
    ['qr-lan0 (MTU 1400)', 'ip link set qr-lan0 mtu 1400'],
    ['qr-lan0 (alias)', 'ip link set qr-lan0 alias mine'],
    ['net.ipv6.conf.qr-lan0.disable_ipv6', 'sysctl -qw net.ipv6.conf.qr-lan0.disable_ipv6=1'],
    ...taps.map((tap) => [`${tap} (not isolated)`, `ip link set ${tap} type bridge_slave isolated off`] as const),
  ];
  for (const [, line] of harms) host.must(line);
  await expectMended(bridged, [...harms.map(([named]) => named), 'fd00:120::1 on qr-lan0']);
  expect({ links: links(), addresses: addresses() }).toEqual({ links: whole, addresses: places });
  expect(await stateOf(root, 'lan0')).toBe('pinned');
  await must(root, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
  expect(everything(bridged)).toEqual(before);
});

test('a bridge that was renamed is known again, by up and by down; with another alias it is left, and told with the command', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const before = everything(bridged);
  root.network('lan0', definition);
  const harm = (line: string): void =>
    void ['ip link set qr-lan0 down', `ip link set qr-lan0 ${line}`].map((one) => host.must(one));

  await must(root, 'net', 'up', 'lan0');
  const [ports] = [host.rows().filter(({ master }) => master === 'qr-lan0')];
  harm('name foo0');
  expect(await stateOf(root, 'lan0')).toBe('broken');
  expect(await must(root, 'gc')).toContain('nothing was left behind');
  expect(await must(root, 'net', 'up', 'lan0')).toContain('qr-lan0 had gone, and was made again');
  expect(host.row('foo0')).toBeUndefined();
  expect(host.rows().filter(({ master }) => master === 'qr-lan0')).toHaveLength(ports.length);
  harm('name foo0');
  await must(root, 'net', 'down', 'lan0');
  expect(everything(bridged)).toEqual(before);

  await must(root, 'net', 'up', 'lan0');
  harm('alias mine');
  expect(await refused(root, 'net', 'down', 'lan0')).toMatchObject({
    status: 5,
    stderr: expect.stringMatching(/bridge: qr-lan0 has another alias, "mine"[^]*sudo ip link delete dev qr-lan0/),
  });
  expect(await refused(root, 'gc')).toMatchObject({ status: 5 });
  expect(host.row('qr-lan0')).toBeDefined();
  host.must('ip link delete dev qr-lan0');
  await must(root, 'gc');
  expect(everything(bridged)).toEqual(before);
  expect(networkProcesses(root)).toEqual([]);
});

test('gc tells of a bridge that no registry knows any more, whatever it is called, and leaves it', async (context) => {
  const { host, root } = await createBridgedHost(context);
  host.must('ip link add foo0 type bridge');
  host.must('ip link set foo0 alias qrun:net/lan0/bridge:bridge:0123456789abcdef');
  const { stdout, stderr } = await root.qrun(['gc']);
  expect(stdout + stderr).toMatch(
    /foo0[^]*the bridge of the network lan0, which no registry knows[^]*sudo ip link delete dev foo0/,
  );
  expect(host.row('foo0')).toBeDefined();
});

test('taken down by force: the VMs that were on it are lost, root’s and users’, and stay so when it is up anew', async (context) => {
  needsQemu(context);
  const { root, home } = await createBridgedHost(context);
  root.network('lan0', definition);
  await must(root, 'net', 'up', 'lan0');
  const nics = 'nics: ["network:lan0"]\n';
  const homes = [root, home];
  for (const one of homes) one.profile('web1', `${still}${nics}`);
  for (const one of homes) await detach(one, 'web1');
  const lost = async (): Promise<boolean[]> =>
    await Promise.all(homes.map(async (one) => (await must(one, 'nics', 'web1')).includes('lost')));
  expect(await lost()).toEqual([false, false]);
  await must(root, 'net', 'down', 'lan0', '--force');
  expect(await lost()).toEqual([true, true]);
  await must(root, 'net', 'up', 'lan0');
  expect(await lost()).toEqual([true, true]);
  for (const one of homes) await must(one, 'kill', 'web1');
  for (const one of homes) await detach(one, 'web1');
  expect(await lost()).toEqual([false, false]);
  for (const one of homes) await must(one, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
});

test('counted, and then pinned: a user is told the same as root', async (context) => {
  needsQemu(context);
  const { root, home } = await createBridgedHost(context);
  root.network('lan0', definition);
  root.profile('web1', `${still}nics: ["network:lan0"]\n`);
  const states = async (): Promise<unknown[]> => await Promise.all([root, home].map((one) => stateOf(one, 'lan0')));
  await detach(root, 'web1');
  expect(await states()).toEqual(['up', 'up']);
  await must(root, 'net', 'up', 'lan0');
  expect(await states()).toEqual(['pinned', 'pinned']);
  await must(root, 'kill', 'web1');
  expect(await states()).toEqual(['pinned', 'pinned']);
  await must(root, 'net', 'down', 'lan0');
  expect(await stateOf(root, 'lan0')).toBe('defined');
});
